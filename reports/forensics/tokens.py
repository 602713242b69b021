"""Tokens as a page can show them: their characters, and bytes of no character in hexadecimal."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from reports.html import visible

_LONGEST = 60  # characters


def token(one: dict[str, Any]) -> Markup:
    """Return a token of a finding, by its bytes."""
    return piece(bytes.fromhex(one["hex"]).decode("utf-8", "surrogateescape"))


def piece(text: str) -> Markup:
    """Return a piece of text as a token: spaces at its ends can be seen, and so can all that would
    act on the page; bytes of no character are written `‹E2›`."""
    shown = "".join(_byte(character) for character in text)
    inner = shown.strip(" ")
    if inner:
        before = len(shown) - len(shown.lstrip(" "))
        shown = "␣" * before + inner + "␣" * (len(shown) - before - len(inner))
    else:
        shown = "␣" * len(shown)
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    return Markup('<bdi><code class="token">{}</code></bdi>').format(visible(shown))


def tokens(several: Sequence[dict[str, Any]], most: int) -> Markup:
    """Return the first few tokens, side by side."""
    return Markup(" ").join(token(one) for one in several[:most])


def _byte(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"‹{ord(character) - 0xDC00:02X}›"
    return character
