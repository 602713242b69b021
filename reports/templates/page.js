"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const made = (name, attributes = {}, text = "") => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };

  // What is written open is folded; without script, and on paper, everything is shown.
  for (const fold of all("main details")) fold.open = false;
  const contents = document.querySelector(".contents");
  const wide = matchMedia("(min-width: 68rem)");
  const place = () => { contents.open = wide.matches; };
  wide.addEventListener("change", place);
  place();
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = all("main details:not([open])");
    for (const fold of unfolded) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of unfolded) fold.open = false;
  });
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const folds = [target.querySelector(":scope > .whole")];
    for (let at = target.closest("details"); at; at = at.parentElement.closest("details")) folds.push(at);
    for (const fold of folds) if (fold) fold.open = true;
    target.scrollIntoView({ behavior: "instant" });
  };
  addEventListener("hashchange", reveal);
  document.querySelector("nav").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    if (link.hash === location.hash) reveal();
    if (!wide.matches) contents.open = false;
  });

  // The contents list shows where one is.
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target.id); else seen.delete(target.id);
    }
    const here = [...links.keys()].find((id) => seen.has(id));
    if (!here) return;
    for (const [id, link] of links) {
      if (id === here) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-12% 0px -70% 0px" });
  for (const section of all("main > section")) watch.observe(section);

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

  // Tables: ten rows, the rest on demand; a heading sorts, by click, Enter and Space.
  const FIRST = 10;
  const shorten = (frame) => {
    let shown = 0;
    const whole = frame.dataset.whole === "";
    const rows = [...frame.querySelector("tbody").rows];
    for (const row of rows) {
      if (row.hidden) continue;
      shown += 1;
      row.toggleAttribute("data-beyond", !whole && shown > FIRST);
    }
    const button = frame.nextElementSibling;
    if (!button?.matches(".more")) return;
    button.hidden = shown <= FIRST;
    button.setAttribute("aria-expanded", String(whole));
    button.textContent = whole ? `Show the first ${FIRST} rows` : `Show all ${shown} rows`;
  };
  const number = (text) => parseFloat(text.replace(/^[<>]/, "").replace(/,/g, "").replace("\u2212", "-"));
  const words = new Intl.Collator("en", { numeric: true });
  const sort = (heading) => {
    const headings = [...heading.parentElement.cells];
    const column = heading.cellIndex;
    const numeric = heading.hasAttribute("data-numeric");
    const before = heading.getAttribute("aria-sort");
    // Numbers start from the largest, names from A.
    const down = before ? before === "ascending" : numeric;
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = heading.closest("table").tBodies[0];
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
    shorten(heading.closest(".scroll"));
  };
  const measured = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      target.classList.toggle("wide", target.scrollWidth > target.clientWidth + 1);
    }
  });
  for (const frame of all(".scroll")) {
    if (frame.querySelector("tbody").rows.length > FIRST) {
      frame.after(made("button", { type: "button", class: "more" }));
    }
    const name = frame.querySelector("caption span").textContent;
    const save = made("button", { type: "button", class: "save", "aria-label": `Save as CSV: ${name}` }, "CSV");
    frame.querySelector("caption span").append(" ", save);
    shorten(frame);
    measured.observe(frame);
  }

  // Which tokenizers and languages every table and figure shows.
  const off = { t: new Set(), l: new Set() };
  const isOff = (element) => off.t.has(element.dataset.t) || off.l.has(element.dataset.l);
  const closeUp = (svg) => {
    const height = Number(svg.dataset.row);
    const [left, top, width, whole] = (svg.dataset.view ??= svg.getAttribute("viewBox")).split(" ").map(Number);
    const above = new Map();
    let gone = 0;
    for (const name of all("text.name[data-l]", svg)) {
      above.set(name.dataset.l, gone);
      if (off.l.has(name.dataset.l)) gone += height;
    }
    const up = (element, far) => element.setAttribute("transform", `translate(0 ${-far})`);
    for (const part of all("[data-l]", svg)) up(part, above.get(part.dataset.l) ?? 0);
    for (const part of all(".foot", svg)) up(part, gone);
    for (const line of all("line.grid, line.origin", svg)) {
      const end = Number(line.dataset.end ??= line.getAttribute("y2"));
      line.setAttribute("y2", end - gone);
    }
    svg.setAttribute("viewBox", [left, top, width, whole - gone].join(" "));
  };
  const follow = () => {
    for (const frame of all(".scroll")) {
      for (const row of frame.querySelector("tbody").rows) {
        row.hidden = all("[data-t], [data-l]", row).some(isOff);
      }
      for (const heading of all("thead th[data-t]", frame)) {
        for (const row of frame.querySelector("table").rows) {
          row.cells[heading.cellIndex].hidden = isOff(heading);
        }
      }
      shorten(frame);
    }
    for (const part of all("main [data-t], main [data-l]")) {
      if (!part.closest("table")) part.toggleAttribute("data-off", isOff(part));
    }
    for (const svg of all("svg[data-row]")) closeUp(svg);
  };
  for (const choice of all(".choice")) {
    const kind = choice.dataset.of;
    const boxes = all("input", choice);
    const changed = () => {
      const left = boxes.filter((box) => !box.checked);
      off[kind] = new Set(left.flatMap((box) => [box.value, box.dataset.key ?? box.value]));
      const said = left.length ? `${boxes.length - left.length} of ${boxes.length}` : `all ${boxes.length}`;
      choice.querySelector(".said").textContent = said;
      root.classList.toggle(`chose-${kind}`, left.length > 0);
      follow();
    };
    choice.addEventListener("change", changed);
    choice.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      for (const box of boxes) box.checked = "all" in button.dataset;
      changed();
    });
    if (boxes.some((box) => !box.checked)) changed(); // as the reader left it before reloading
  }
  document.addEventListener("click", (event) => {
    for (const choice of all(".choice[open]")) if (!choice.contains(event.target)) choice.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hush();
    for (const choice of all(".choice[open]")) {
      choice.open = false;
      choice.querySelector("summary").focus();
    }
  });

  // One corpus at a time, or all.
  const corpus = document.getElementById("corpus");
  corpus?.addEventListener("change", () => {
    for (const part of all("[data-corpus]")) {
      part.hidden = corpus.value !== "" && part.dataset.corpus !== corpus.value;
      const fold = part.querySelector(":scope > details");
      if (fold && corpus.value !== "") fold.open = !part.hidden;
    }
  });

  // An entry of a legend shows its series alone; once more, all.
  const scope = (legend) => {
    const figure = legend.closest("figure");
    if (figure) return [figure];
    const parts = [];
    for (let at = legend.nextElementSibling; at && !at.matches(".legend, h2, h3, h4"); at = at.nextElementSibling) {
      parts.push(at);
    }
    return parts;
  };
  const stands = (entry, key) => entry === key
    || (entry.endsWith("*") && key.startsWith(entry.slice(0, -1)))
    || (entry.startsWith("*") && key.endsWith(entry.slice(1)));
  const isolate = (button) => {
    const legend = button.closest(".legend");
    const alone = button.getAttribute("aria-pressed") !== "true";
    for (const other of all("button", legend)) {
      other.setAttribute("aria-pressed", String(alone && other === button));
    }
    const { t, s } = button.parentElement.dataset;
    for (const part of scope(legend).flatMap((from) => all("[data-t], [data-s]", from))) {
      if (legend.contains(part)) continue;
      part.toggleAttribute("data-apart", alone && !stands(t ?? s, part.dataset.t ?? part.dataset.s));
    }
  };
  for (const entry of all(".legend > [data-t], .legend > [data-s]")) {
    const button = made("button", { type: "button", class: "entry", "aria-pressed": "false", title: "show it alone" });
    button.append(...entry.childNodes);
    entry.append(button);
  }

  // What a mark or a cell has to say is shown at once, under a finger too.
  const tip = made("div", { id: "tip", role: "tooltip", hidden: "" });
  document.body.append(tip);
  let about = null;
  let giveBack = () => {};
  function hush() {
    giveBack();
    giveBack = () => {};
    about = null;
    tip.hidden = true;
  }
  const titled = (element) => {
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      if (at.matches("svg")) return null;
      if (at.title || (at instanceof SVGElement && at.querySelector(":scope > title"))) return at;
    }
    return null;
  };
  const near = (svg, x, y) => {
    let best = null;
    let least = 22;
    for (const mark of all("[class^='m '], .model", svg)) {
      if (!mark.querySelector("title")) continue;
      const box = mark.getBoundingClientRect();
      const far = Math.hypot(x - box.x - box.width / 2, y - box.y - box.height / 2);
      if (box.width && far < least) { best = mark; least = far; }
    }
    return best;
  };
  const say = (element, x, y) => {
    if (element !== about) {
      hush();
      about = element;
      // The browser's own would come a second later, upon it.
      const title = element instanceof SVGElement ? element.querySelector(":scope > title") : null;
      tip.textContent = title ? title.textContent : element.title;
      if (title) {
        title.remove();
        giveBack = () => element.prepend(title);
      } else {
        const text = element.title;
        element.title = "";
        giveBack = () => { element.title = text; };
      }
      tip.hidden = false;
    }
    const { offsetWidth: width, offsetHeight: height } = tip;
    const under = y + 18 + height < innerHeight;
    tip.style.left = `${Math.max(6, Math.min(x + 10, root.clientWidth - width - 6))}px`;
    tip.style.top = `${under ? y + 18 : Math.max(4, y - height - 12)}px`;
  };
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const element = titled(event.target);
    if (element) say(element, event.clientX, event.clientY); else hush();
  });
  document.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch" && about) say(about, event.clientX, event.clientY);
  });
  document.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    const svg = event.target.closest?.("main svg");
    const element = titled(event.target) ?? (svg && near(svg, event.clientX, event.clientY));
    hush();
    if (element) say(element, event.clientX, event.clientY);
  });
  document.addEventListener("focusin", (event) => {
    if (!event.target.matches(":focus-visible") || !event.target.title) return;
    const box = event.target.getBoundingClientRect();
    say(event.target, box.left, box.bottom - 12);
  });
  document.addEventListener("focusout", hush);
  addEventListener("scroll", () => {
    if (about !== document.activeElement) hush(); // focus itself may scroll
  }, { passive: true });

  // Files to keep: a figure as SVG, a table as CSV.
  const keep = (name, type, text) => {
    const slug = name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "figure";
    const url = URL.createObjectURL(new Blob([text], { type }));
    made("a", { href: url, download: `${slug}.${type.split("/")[1].split("+")[0].split(";")[0]}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-weight", "font-family", "paint-order", "stroke-linejoin"];
  const saveFigure = (svg) => {
    const copy = svg.cloneNode(true);
    const parts = all("*", copy);
    all("*", svg).forEach((part, i) => {
      if (part.matches("title, desc, clipPath, clipPath *")) return;
      const style = getComputedStyle(part);
      for (const name of DRAWN) parts[i].setAttribute(name, style.getPropertyValue(name));
    });
    for (const gone of all("[data-off], [data-apart]", copy)) gone.remove();
    const [, , width, height] = copy.getAttribute("viewBox").split(" ");
    const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    paper.setAttribute("width", width);
    paper.setAttribute("height", height);
    paper.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
    copy.prepend(paper);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    keep(svg.querySelector("title").textContent, "image/svg+xml", new XMLSerializer().serializeToString(copy));
  };
  const saveTable = (table) => {
    const cell = (one) => {
      let text = one.textContent.replace(/\s+/g, " ").trim();
      if (/^\u2212[\d.]/.test(text)) text = `-${text.slice(1)}`;
      // A spreadsheet would run what begins like a formula.
      else if (/^[=+\-@]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
      return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
    };
    const rows = [...table.rows].filter((row) => !row.hidden);
    const text = rows.map((row) => [...row.cells].filter((one) => !one.hidden).map(cell).join(","));
    keep(table.querySelector("caption span").firstChild.textContent, "text/csv;charset=utf-8", `${text.join("\r\n")}\r\n`);
  };
  const pictures = new WeakMap();
  for (const svg of all("main svg[role='img']")) {
    const name = svg.querySelector("title").textContent;
    const save = made("button", { type: "button", class: "save", "aria-label": `Save as SVG: ${name}` }, "SVG");
    pictures.set(save, svg);
    svg.closest("figure").querySelector("figcaption").append(" ", save);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("main button");
    if (!button) return;
    if (button.matches("thead button")) sort(button.parentElement);
    else if (button.matches(".entry")) isolate(button);
    else if (button.matches(".save")) {
      if (pictures.has(button)) saveFigure(pictures.get(button)); else saveTable(button.closest("table"));
    } else if (button.matches(".more")) {
      const frame = button.previousElementSibling;
      frame.toggleAttribute("data-whole");
      shorten(frame);
    } else if (button.matches(".every")) {
      const texts = button.previousElementSibling;
      const whole = texts.classList.toggle("whole");
      button.setAttribute("aria-expanded", String(whole));
      button.textContent = button.textContent.replace(/^\w+ (all|only some of the) /, whole ? "Show only some of the " : "Show all ");
    }
  });

  // A script that is large or slow runs once what it draws comes into view.
  const later = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      later.unobserve(target);
      const section = target.closest("main > section");
      const source = document.querySelector(`script[data-later="${CSS.escape(section.id)}"]`);
      document.body.append(made("script", {}, source.textContent));
    }
  }, { rootMargin: "200px" });
  for (const script of all("script[data-later]")) {
    const section = document.getElementById(script.dataset.later);
    later.observe(section.querySelector("[data-draws]") ?? section);
  }
  reveal();
})();
