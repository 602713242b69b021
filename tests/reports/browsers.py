"""A page opened in a real browser, and all that it said or asked for."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Dialog, Page, ViewportSize

DESKTOP: "ViewportSize" = {"width": 1280, "height": 900}
PHONE: "ViewportSize" = {"width": 360, "height": 740}


class Opened:
    """A page that was opened, and all that it said or asked for."""

    def __init__(self, context: "BrowserContext", path: Path) -> None:
        context.set_default_timeout(60_000)
        self.page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.resolve().as_uri())

    def _dismiss(self, dialog: "Dialog") -> None:
        self.said.append(dialog.message)
        dialog.dismiss()

    def check_silent(self) -> None:
        assert self.said == []
        assert [url for url in self.asked if not url.startswith("file:")] == []
        assert len(self.asked) == 1


def overlapping_labels(page: "Page", figures: str, labels: str) -> list[str]:
    """Return the labels of figures that lie upon one another, as drawn in the browser's own font.

    Arguments:
        figures, labels: selectors of the figures, and of the labels in each.
    """
    found: list[str] = page.evaluate(
        """([figures, labels]) => [...document.querySelectorAll(figures)].flatMap((svg) => {
          const boxes = [...svg.querySelectorAll(labels)]
            .map((text) => [text.textContent, text.getBoundingClientRect()]);
          return boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
            .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
              Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
            .map(([other]) => `${one} / ${other}`));
        })""",
        [figures, labels],
    )
    return found


def check_described(page: "Page", figures: str, least: int) -> None:
    """Assert that there are more figures than `least`, each with a title and a description."""
    described = page.locator(figures).evaluate_all(
        """(all) => all.map((svg) =>
        ["aria-labelledby", "aria-describedby"].every((name) =>
          document.getElementById(svg.getAttribute(name)).textContent))"""
    )
    assert len(described) > least and all(described)


_TEXTS = """() => [...document.querySelectorAll("main svg[role=img]")].flatMap((svg) => {
  const boxes = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim())
    .map((text) => [text.textContent, text.getBoundingClientRect()])
    .filter(([, box]) => box.width);
  const frame = svg.getBoundingClientRect();
  const title = svg.querySelector("title").textContent;
  const outside = boxes.filter(([, b]) => b.left < frame.left - 2 || b.right > frame.right + 2);
  const upon = boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2)
    .map(([other]) => `${title}: ${one} / ${other}`));
  return [...upon, ...outside.map(([text]) => `${title}: ${text} is cut off`)];
})"""


def texts_upon_texts(page: "Page") -> list[str]:
    """Return the texts of figures that lie upon another text or leave their figure, as drawn."""
    found: list[str] = page.evaluate(_TEXTS)
    return found


PICTURE = ROOT / "docs" / "first-screen.png"


def write_picture(report: Path = ROOT / "out" / "demo" / "report.html") -> None:
    """Write the README's picture: the first screen of the demo's page (`just picture`)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        screen: ViewportSize = {"width": 1440, "height": 800}
        page = browser.new_page(viewport=screen, device_scale_factor=0.8)
        page.goto(report.resolve().as_uri())
        PICTURE.parent.mkdir(exist_ok=True)
        page.screenshot(path=PICTURE)
        browser.close()
