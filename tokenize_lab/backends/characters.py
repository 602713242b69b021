"""Characters that all libraries class alike, so that their expressions split a text alike.

A pattern asks whether a character is a capital, a small letter, a mark, a number or white space,
and each library answers by its own version of Unicode. What Unicode 3.2 has, no version has changed
since that any of them holds; of any other character the libraries are asked when it is first met.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from tokenize_lab.backends.kept import kept
from tokenize_lab.tokenizer import BoolArray, IntArray

# What a case-insensitive expression takes for a contraction in some libraries: one with a long s.
# (What they take for an i or a k, as Turkish letters, stands in none.)
_FOLDED = "'\u017f"
_RECLASSED = "\u0295"  # a letter without case since Unicode 4.0, a small one again in 17
_KNOWN = 0x10000  # beyond it, much is new
_CLASSES = (r"\p{Lu}", r"\p{Ll}", r"\p{Lt}", r"\p{Lm}", r"\p{Lo}", r"\p{M}", r"\p{N}", r"\s")

_POINTS = 0x110000
_BLOCK = 1024  # of characters that lie together, which are asked about at once

_asked_blocks: set[int] = set()
# Of a batch, every tokenizer asks in turn.
_last: tuple[tuple[str, ...], list[bool]] = ((), [])


def read_alike_each(texts: Sequence[str]) -> list[bool]:
    """Return `read_alike` of each text; at once where the last ones asked about were the same."""
    global _last
    if _last[0] != (texts := tuple(texts)):
        _last = texts, [read_alike(text) for text in texts]
    return _last[1]


def read_alike(text: str) -> bool:
    """Whether the text holds only characters that all libraries class alike."""
    if text.isascii():
        return True
    return _FOLDED not in text and (_unsure().search(text) is None or _asked(text))


def ask_anew() -> None:
    """Forget what the libraries said, once there is another."""
    global _last
    for found in (_libraries, _unsure_points, _unsure):
        found.cache_clear()
    _asked_blocks.clear()
    _last = (), []


def _asked(text: str) -> bool:
    """Ask the libraries about every character that is not known to be alike, and its neighbours."""
    found = {ord(character) // _BLOCK for character in _unsure().findall(text)}
    if new := sorted(found - _asked_blocks):
        unsure = _unsure_points().reshape(-1, _BLOCK)
        points = np.concatenate([block * _BLOCK + np.flatnonzero(unsure[block]) for block in new])
        asked = "".join(map(chr, points.tolist()))
        members = [[library(asked) for library in libraries] for libraries in _libraries()]
        differ = {c for of in members for one in of[1:] for c in {*of[0]} ^ {*one}}
        unsure[new] = False
        _unsure_points()[[ord(c) for c in asked if c in differ]] = True
        _asked_blocks.update(new)
        _unsure.cache_clear()
    return _unsure().search(text) is None


@cache
def _unsure_points() -> BoolArray:
    """Return which characters are not known to be alike: [code points] bool, to be changed."""
    old = unicodedata.ucd_3_2_0
    unsure = np.ones(_POINTS, np.bool_)
    unsure[:_KNOWN] = [old.category(chr(point)) == "Cn" for point in range(_KNOWN)]
    unsure[:0x80] = False
    unsure[ord(_RECLASSED)] = True
    return unsure


@cache
def _unsure() -> re.Pattern[str]:
    edges = np.flatnonzero(np.diff(_unsure_points(), prepend=False, append=False)).tolist()
    ranges = zip(edges[::2], edges[1::2], strict=True)
    return re.compile("[" + "".join(f"{chr(a)}-{chr(b - 1)}" for a, b in ranges) + "]")


_Members = Callable[[str], str]  # the characters of a text that are of a class, in order


@cache
def _libraries() -> list[list[_Members]]:
    """Return for each class what each library that is there takes for its members."""
    makes = [_by_hugging_face, _by_tiktoken, _by_regex]
    if "fastokens" in sys.modules:  # it is asked once it serves
        makes.append(_by_fastokens)
    return [[make(expression) for make in makes] for expression in _CLASSES]


def _by_hugging_face(expression: str) -> _Members:
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(expression), behavior="removed", invert=True)
    return lambda text: "".join(piece for piece, _ in split.pre_tokenize_str(text))


def _by_tiktoken(expression: str) -> _Members:
    import tiktoken

    ranks = {bytes([byte]): byte for byte in range(256)}
    encoding: Any = tiktoken.Encoding(
        "class", pat_str=expression, mergeable_ranks=ranks, special_tokens={}
    )
    return lambda text: bytes(encoding.encode_ordinary(text)).decode()


def _by_regex(expression: str) -> _Members:
    import regex

    find = regex.compile(expression).findall
    return lambda text: "".join(find(text))


def _by_fastokens(expression: str) -> _Members:
    # Each of its engines takes 20 MB, so all characters are asked about, and the answers kept.
    asked = ("characters", version("fastokens"), expression)
    members: IntArray = kept(b"", asked, (), lambda: _classed_by_fastokens(expression), least=0)

    def of(text: str) -> str:
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
        places = np.minimum(np.searchsorted(members, points), len(members) - 1)
        return "".join(map(chr, points[members[places] == points].tolist()))

    return of


def _classed_by_fastokens(expression: str) -> IntArray:
    """Return the members of a class among all characters: code points, ascending."""
    import fastokens

    from tokenize_lab.backends.simple import byte_to_character

    vocab = {character: byte for byte, character in byte_to_character().items()}
    split = {
        "type": "Split",
        "pattern": {"Regex": expression},
        "behavior": "Removed",
        "invert": True,
    }
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    content = {
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes_only]},
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    }
    engine: Any = fastokens._native.Tokenizer.from_json_str(json.dumps(content))
    every = "".join(chr(point) for point in range(_POINTS) if not 0xD800 <= point < 0xE000)
    return np.array([ord(c) for c in bytes(engine.encode(every).ids).decode()], np.int64)
