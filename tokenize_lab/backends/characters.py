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
from typing import Any

# What a case-insensitive expression takes for a letter of a contraction in some libraries: a long
# s. (What they take for an i or a k, as Turkish letters, stands in none.)
_FOLDED = "\u017f"
_RECLASSED = "\u0295"  # a letter without case since Unicode 4.0, a small one again in 17
_KNOWN = 0x10000  # beyond it, much is new
_CLASSES = (r"\p{Lu}", r"\p{Ll}", r"\p{Lt}", r"\p{Lm}", r"\p{Lo}", r"\p{M}", r"\p{N}", r"\s")

_alike: dict[str, bool] = {}
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
    return text.isascii() or _unsure().search(text) is None or _asked(text)


def ask_anew() -> None:
    """Forget what the libraries said, once there is another."""
    global _last
    _libraries.cache_clear()
    _alike.clear()
    _last = (), []


def _asked(text: str) -> bool:
    """Ask the libraries about every character that is not known to be alike."""
    unsure = [character for character in {*text} if _unsure().match(character)]
    new = "".join(sorted(character for character in unsure if character not in _alike))
    if new:
        members = [[library(new) for library in libraries] for libraries in _libraries()]
        differ = {c for found in members for one in found[1:] for c in {*found[0]} ^ {*one}}
        _alike.update((c, c not in differ and c not in _FOLDED) for c in new)
    return all(map(_alike.__getitem__, unsure))


@cache
def _unsure() -> re.Pattern[str]:
    old = unicodedata.ucd_3_2_0
    ranges: list[list[int]] = []
    for point in range(0x80, _KNOWN):
        character = chr(point)
        if old.category(character) != "Cn" and character not in _FOLDED + _RECLASSED:
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    ranges.append([_KNOWN, 0x10FFFF])
    return re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in ranges) + "]")


_Members = Callable[[str], str]  # the characters of a text that are of a class, in order


@cache
def _libraries() -> list[list[_Members]]:
    """Return for each class what each library that is there takes for its members."""
    makes = [_by_hugging_face, _by_tiktoken, _by_regex]
    if "fastokens" in sys.modules:  # it takes 40 MB, and is asked once it serves
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
    return lambda text: bytes(engine.encode(text).ids).decode()
