"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // Colours: the reader's system decides until the button is pressed.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("tokenize-lab-theme"); } catch { /* storage is off */ }
  const isDark = () => (chosen ? chosen === "dark" : system.matches);
  const paint = () => {
    if (chosen) root.dataset.theme = chosen;
    theme.setAttribute("aria-pressed", String(isDark()));
  };
  theme.addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    try { localStorage.setItem("tokenize-lab-theme", chosen); } catch { /* storage is off */ }
    paint();
  });
  system.addEventListener("change", paint);
  paint();

  // Sorting: a heading's button, so that click, Enter and Space are one thing.
  const number = (text) => parseFloat(text.replace(/^[<>]/, "").replace(/,/g, "").replace("\u2212", "-"));
  const words = new Intl.Collator("en", { numeric: true });
  for (const table of document.querySelectorAll("table")) {
    const headings = [...table.querySelectorAll("thead th")];
    headings.forEach((heading, column) => {
      const numeric = heading.hasAttribute("data-numeric");
      heading.firstElementChild.addEventListener("click", () => {
        const before = heading.getAttribute("aria-sort");
        // Numbers start from the largest, names from A.
        const down = before ? before === "ascending" : numeric;
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const keyed = [...body.rows].map((row) => {
          const text = row.cells[column].textContent.trim();
          return { row, key: numeric ? number(text) : text };
        });
        const missing = (key) => numeric && Number.isNaN(key);
        keyed.sort((a, b) => {
          if (missing(a.key) || missing(b.key)) return missing(a.key) - missing(b.key);
          const order = numeric ? a.key - b.key : words.compare(a.key, b.key);
          return down ? -order : order;
        });
        body.append(...keyed.map((entry) => entry.row));
      });
    });
  }

  // One corpus at a time, or all.
  const corpus = document.getElementById("corpus");
  if (corpus) {
    corpus.addEventListener("change", () => {
      for (const part of document.querySelectorAll("[data-corpus]")) {
        part.hidden = corpus.value !== "" && part.dataset.corpus !== corpus.value;
      }
    });
  }

  // Which languages and tokenizers the token view shows.
  for (const view of document.querySelectorAll(".corpus")) {
    const [language, tokenizer] = view.querySelectorAll("[data-filter]");
    if (!language) continue;
    const show = () => {
      for (const text of view.querySelectorAll("[data-language]")) {
        const wanted = language.value === "pick" ? "pick" in text.dataset
          : language.value === "" || text.dataset.language === language.value;
        text.hidden = !wanted;
      }
      for (const line of view.querySelectorAll("[data-tokenizer]")) {
        line.hidden = tokenizer.value !== "" && line.dataset.tokenizer !== tokenizer.value;
      }
    };
    language.addEventListener("change", show);
    tokenizer.addEventListener("change", show);
    show();
  }
})();
