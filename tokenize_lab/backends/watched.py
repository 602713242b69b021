"""Text under a pattern of a stranger's, which is encoded in a process apart, with a time limit.

A matcher that goes back can take longer than anyone waits for over a few letters, and none can be
stopped from within. Published patterns (`patterns.PUBLISHED`) go over a text once, and are matched
here, as ever. With any other, texts are sent to `backends.apart` some at a time; if they take too
long, one by one, so that the one to blame can be named. Where texts are split here all the same,
`matcher` has a time limit of its own, and `after_encoding` lets through what the library came to an
end with.
"""

import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from corpora.errors import InputError
from tokenize_lab.backends import apart
from tokenize_lab.patterns import PUBLISHED
from tokenize_lab.tokenizer import Encoding, Tokenizer

T = TypeVar("T")

TEXTS, BYTES = 64, 1 << 20  # sent at once, unless one text is longer
_SECONDS, _BYTES_FOR_SECOND = 10, 50_000  # the slowest library encodes a megabyte in one or two
_MEMORY, _MEMORY_FOR_BYTE = 1 << 30, 256
_SHOWN = 40
_SENT = "_sent_apart"
_WANDERS = frozenset("*+?{|")  # without these a pattern has one way to match at a place
_LONGEST_WRITTEN = 8  # characters that a normaliser may put in another's place, or before a text
_MOST_GROWING = 2  # of its steps that make a text longer


class TextError(InputError):
    """A text that cannot be encoded.

    Attributes:
        index: of the text among those to encode.
    """

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index

    def __reduce__(self) -> tuple[type["TextError"], tuple[str, int]]:
        """Go from one process to another with both."""
        return TextError, (str(self), self.index)


def is_strange(*parts: Mapping[str, Any] | None) -> bool:
    """Whether a tokenizer.json's normaliser or pre-tokenizer could take for ever over a text: it
    matches a pattern that is not published, or makes a text many times as long."""
    growing = 0
    for part in _all_parts(parts):
        pattern = part.get("pattern")
        pattern = pattern if isinstance(pattern, Mapping) else {}
        expression = pattern.get("Regex")
        if expression and expression not in PUBLISHED and _WANDERS.intersection(str(expression)):
            return True
        written = str(part.get("content") or part.get("prepend") or "")
        if len(written) > _LONGEST_WRITTEN:
            return True
        growing += len(written) > len(pattern.get("String", " "))
    return growing > _MOST_GROWING


def _all_parts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        value = value.values()
    elif not isinstance(value, Sequence) or isinstance(value, str):
        return
    for inner in value:
        yield from _all_parts(inner)


def encode_apart(tokenizer: Tokenizer, texts: Sequence[str]) -> Encoding:
    """Encode each text in a process apart.

    Raises:
        TextError: one takes too long, too much memory, or its library fails.
    """
    ids, lengths = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    for first, group in _groups(texts):
        for encoding in _encoded(tokenizer, first, group):
            ids.append(encoding.ids)
            lengths.append(encoding.lengths)
    return Encoding(np.concatenate(ids), np.concatenate(lengths))


def pieces_apart(tokenizer: Tokenizer, text: str) -> int | None:
    """Return a text's `pretoken_count`, found in a process apart; raises as `encode_apart`."""
    count: int | None = _asked(tokenizer, "pieces", 0, [text]).facts["pieces"]
    return count


def matcher(pattern: str, spec: str) -> Callable[[str], list[str]]:
    """Return what lists a pattern's matches in a text, by `regex`.

    It raises InputError, which names `spec`, if a pattern that is no published one takes too long.
    """
    import regex

    compiled = regex.compile(pattern)

    def matches(text: str, timeout: float | None = None) -> list[str]:
        return [match[0] for match in compiled.finditer(text, timeout=timeout)]

    find = matches if compiled.groups else compiled.findall  # no groups: a list of strings
    if pattern in PUBLISHED:
        return find

    def limited(text: str) -> list[str]:
        seconds = _SECONDS + len(text) // _BYTES_FOR_SECOND
        try:
            return find(text, timeout=seconds)
        except TimeoutError as error:
            how = f"took more than {seconds} seconds"
            raise InputError(_blamed(spec, "splitting", text, how)) from error

    return limited


def after_encoding(tokenizer: Any, use: Callable[[str], T]) -> Callable[[str], T]:
    """Return `use`, of a text under a strange tokenizer.json's library, which is only begun once
    the library has encoded the text in a process apart; raises as `encode_apart`."""
    if not tokenizer.strange:
        return use
    plain = replace(tokenizer, fast="its library is what is asked")

    def used(text: str) -> T:
        encode_apart(plain, [text])
        return use(text)

    return used


def _groups(texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield texts some at a time, each time with the place of the first."""
    group: list[str] = []
    first = size = 0
    for place, text in enumerate(texts):
        if group and (size + len(text) > BYTES or len(group) == TEXTS):
            yield first, group
            group, first, size = [], place, 0
        group.append(text)
        size += len(text)
    if group:
        yield first, group


def _encoded(tokenizer: Tokenizer, first: int, group: list[str]) -> Iterator[Encoding]:
    try:
        answer = _asked(tokenizer, "encode", first, group)
    except TextError:
        if len(group) == 1:
            raise
        for place, text in enumerate(group, start=first):
            yield from _encoded(tokenizer, place, [text])
        return
    ids = np.frombuffer(answer.payload, "<u4").astype(np.uint32)
    yield Encoding(ids, np.array(answer.facts["lengths"], np.int64))


def _pickled(tokenizer: Tokenizer) -> tuple[str, bytes]:
    """Return a tokenizer as it is sent, and a key of just that; kept beside its fields."""
    beside = vars(tokenizer)
    if _SENT not in beside:
        payload = pickle.dumps(tokenizer)
        beside[_SENT] = hashlib.sha256(payload).hexdigest(), payload
    sent: tuple[str, bytes] = beside[_SENT]
    return sent


def _asked(tokenizer: Tokenizer, do: str, first: int, texts: Sequence[str]) -> apart.Answer:
    key, pickled = _pickled(tokenizer)
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    size = sum(map(len, raw))
    seconds, memory = _SECONDS + size // _BYTES_FOR_SECOND, _MEMORY + _MEMORY_FOR_BYTE * size
    process = apart.shared()
    facts = {"do": do, "key": key, "lengths": [len(part) for part in raw]}
    why = ""
    try:
        if key not in process.given:
            room = memory + _MEMORY_FOR_BYTE * len(pickled)
            process.ask({"do": "take", "key": key}, pickled, seconds=60, memory=room)
            process.given.add(key)
        answer = process.ask(facts, b"".join(raw), seconds=seconds, memory=memory)
    except apart.EndedError as error:
        why = str(error)
    else:
        why = answer.facts.get("refused") or answer.facts.get("failed", "")
        why = why and f"failed ({why})"
        if not why:
            return answer
    raise TextError(_blamed(tokenizer.spec, "encoding", texts[0], why), first)


def _blamed(spec: str, doing: str, text: str, why: str) -> str:
    return (
        f"{spec}: {doing} the text that begins {text[:_SHOWN]!r} {why}; its pattern is no"
        " published one, and not made for such text"
    )
