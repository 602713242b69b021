"""A page opened in a real browser, and all that it said or asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Dialog, ViewportSize

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
