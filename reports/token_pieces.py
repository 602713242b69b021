"""Where tokens end in a text, as far as it can be drawn without tearing what is written.

A token may end inside a character (between its UTF-8 bytes) or inside a written cluster (between a
letter and its vowel sign). Neither place can be drawn: half a character is not a character. So text
is cut only where a token's end is also the end of a cluster, and a piece that holds several tokens
says so.
"""

from collections.abc import Sequence
from typing import NamedTuple

import regex

from reports.html import visible

_CLUSTER = regex.compile(r"\X")


class Piece(NamedTuple):
    """A stretch of text between two boundaries that can be drawn.

    Attributes:
        text: as it is to be shown; empty for a token that stands for no bytes.
        tokens: how many it holds, at least 1.
        in_character: how many of them end between the bytes of one character.
        in_cluster: how many of them end between the characters of one cluster.
    """

    text: str
    tokens: int
    in_character: int = 0
    in_cluster: int = 0


def pieces(raw: bytes, sizes: Sequence[int]) -> list[Piece]:
    """Lay tokens of `sizes` bytes over `raw` and return what can be drawn, in order."""
    assert sum(sizes) == len(raw), "tokens cover the bytes"
    clusters, characters = _ends(raw)
    result: list[Piece] = []
    held: list[str] = []
    position = 0
    tokens = in_character = in_cluster = 0
    shown = iter(clusters.items())
    for size in sizes:
        if size == 0 and tokens == 0:
            result.append(Piece("", 1))
            continue
        tokens += 1
        position += size
        if position in clusters:
            for end, text in shown:
                held.append(text)
                if end == position:
                    break
            result.append(Piece("".join(held), tokens, in_character, in_cluster))
            held, tokens, in_character, in_cluster = [], 0, 0, 0
        elif position in characters:
            in_cluster += 1
        else:
            in_character += 1
    return result


def _ends(raw: bytes) -> tuple[dict[int, str], set[int]]:
    """Return the clusters as they are shown, by the byte each ends before; and such bytes of
    characters. A byte that belongs to no character is a cluster, shown as `‹E2›`."""
    clusters: dict[int, str] = {}
    characters: set[int] = set()
    at = 0
    for match in _CLUSTER.finditer(raw.decode("utf-8", "surrogateescape")):
        shown = []
        for character in match[0]:
            if "\udc80" <= character <= "\udcff":
                at += 1
                shown.append(f"‹{ord(character) - 0xDC00:02X}›")
            else:
                at += len(character.encode())
                # A line break or tab is shown, and still does its work.
                shown.append(visible(character) + (character if character in "\n\t" else ""))
            characters.add(at)
        clusters[at] = "".join(shown)
    return clusters, characters
