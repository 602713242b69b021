"""fastokens' engine (the extra `fast`) in place of tiktoken's, where there is much text.

It encodes several times as fast and hands over whole arrays, but takes longer to be built, so it is
built once a tokenizer has encoded so much text that it pays. Whether it gives the same ids is tried
before: on every token by itself, on the embedded corpus, on texts that tokenizers trip over and on
random ones; what came of that is kept by the vocabulary's hash. What it refuses, and whatever it
fails at, is encoded as before.
"""

import base64
import contextlib
import ctypes
import hashlib
import random
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np

from corpora.errors import InputError
from corpora.locks import SCRATCH, scratch_folder
from corpora.panics import is_panic
from tokenize_lab.backends.characters import ask_anew, read_alike, read_alike_each
from tokenize_lab.backends.common import PROBES, interleaved, message_of
from tokenize_lab.backends.kept import kept
from tokenize_lab.tokenizer import Encoding, TokenBytes, TokenKind

# Building takes about 6 us a token, and a character is encoded 30 ns faster.
CHARACTERS_PER_TOKEN = 200
MOST_ENGINES = 2  # at a time within a process
MOST_TOKENS = 150_000  # of all of them, where there are several: one of 131,072 takes 60 to 100 MB
_RANDOM_TEXTS = 1000
_LONGEST = 20  # parts of a random text
_ODD = " \t\n\r\u00a0\u3000'’.,;-_0123456789aZéßжΩשع\u0301अมက漢か한😀\u200d"

_Encode = Callable[[Sequence[str]], Encoding]
_built_here: WeakSet["SwiftEngine"] = WeakSet()  # those that have, or share, an engine


class SwiftEngine:
    """Encodes for one vocabulary of ranks, by its usual engine until another pays.

    Attributes:
        enough: characters after which it does.
    """

    def __init__(self, table: TokenBytes, pattern: str, usual: _Encode) -> None:
        """`table`: bytes of each rank. `pattern`: splits a text. `usual`: gives the ranks."""
        self._table, self._pattern, self._usual = table, pattern, usual
        self.enough = CHARACTERS_PER_TOKEN * len(table)
        self._left = self.enough
        self._off = find_spec("fastokens") is None
        self._native: Any = None

    @property
    def name(self) -> str:
        """The library with its version."""
        return f"fastokens {version('fastokens')}"

    @property
    def obstacle(self) -> str:
        """Why it does not serve, or nothing; it is tried where that is not known yet."""
        if find_spec("fastokens") is None:
            return "it is not installed (the extra `fast`)"
        content = self._table.data + self._table.starts.tobytes() + self._table.kinds.tobytes()
        try:
            asked = ("swift", self.name, self._pattern)
            found: str = kept(content, asked, (), self._tried, least=0)
        except (OSError, InputError) as error:  # of the disk, and so not to be kept
            return message_of(error)
        return found

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text."""
        if self._off:
            return self._usual(texts)
        if self._left > 0:
            self._left -= sum(map(len, texts))
            return self._usual(texts)
        if self._native is None and not self._has_room:
            self._off = True
            return self._usual(texts)
        _imported()
        alike = read_alike_each(texts)
        if all(alike):
            return self._tried_swiftly(texts)
        return interleaved(
            alike,
            self._tried_swiftly([t for t, one in zip(texts, alike, strict=True) if one]),
            self._usual([t for t, one in zip(texts, alike, strict=True) if not one]),
        )

    def release(self) -> None:
        """Forget the engine, until there is much text once more."""
        self._forget()
        self._left = self.enough

    def _forget(self) -> None:
        """Forget the engine, and the memory it takes where no other shares it."""
        self._native = None
        _built_here.discard(self)

    @cached_property
    def _encodes(self) -> bytes:
        """What the ids follow from: engines of the same are one."""
        digest = hashlib.sha256(self._pattern.encode() + b"\0" + self._table.data)
        digest.update(self._table.starts.tobytes() + self._table.kinds.tobytes())
        return digest.digest()

    @property
    def _has_room(self) -> bool:
        tokens = {other._encodes: len(other._table) for other in _built_here}
        if not tokens or self._encodes in tokens:
            return True
        return len(tokens) < MOST_ENGINES and sum(tokens.values()) + len(self._table) <= MOST_TOKENS

    def _tried_swiftly(self, texts: Sequence[str]) -> Encoding:
        try:
            if self._native is not None or not self.obstacle:
                return self._swiftly(texts)
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
        self._off = True
        self._forget()
        return self._usual(texts)

    def _swiftly(self, texts: Sequence[str]) -> Encoding:
        if self._native is None:
            alike = (other for other in _built_here if other._encodes == self._encodes)
            shared = next(alike, None)
            self._native = shared._native if shared else _built(self._table, self._pattern)
            _built_here.add(self)
            _give_back()
        ids, ends = self._native.encode_batch_flat(list(texts), split_special_tokens=True)
        lengths = np.diff(np.frombuffer(ends, np.uint64)).astype(np.int64)
        return Encoding(np.frombuffer(ids, np.uint32), lengths)

    def _tried(self) -> str:
        """Return why the two engines do not give the same ids, or nothing where they do."""
        _imported()
        texts = _battery(self._table)
        try:
            ours, theirs = self._usual(texts), self._swiftly(texts)
        except (OSError, InputError):
            raise
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            return f"it fails: {message_of(error)}"
        finally:
            self._forget()
        same = np.array_equal(ours.ids, theirs.ids) and np.array_equal(ours.lengths, theirs.lengths)
        return "" if same else "it gives other ids on a trial"


@cache
def _imported() -> None:
    import_module("fastokens")
    ask_anew()


def release_engines() -> None:
    """Forget what has been built, and give back its memory; whoever encodes much again builds it
    anew."""
    for engine in [*_built_here]:
        engine.release()
    _give_back()


def _give_back() -> None:
    """Give memory that is free back to the system, where the C library would keep it (glibc):
    building takes as much as what is built, and what comes next may take its memory elsewhere."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _built(table: TokenBytes, pattern: str) -> Any:
    import fastokens

    ranks = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
    lines = (b"%s %d\n" % (base64.b64encode(table[rank]), rank) for rank in ranks)
    with scratch_folder(Path(tempfile.gettempdir()), SCRATCH) as folder:
        path = folder / "own.tiktoken"
        path.write_bytes(b"".join(lines))
        return fastokens._native.Tokenizer.from_tiktoken(
            str(path), pattern=pattern, special_tokens={}
        )


def _battery(table: TokenBytes) -> list[str]:
    """Return the texts of the trial: only such as come to the engine."""
    from corpora.open import open_corpus

    tokens = []
    for token in range(len(table)):
        try:
            tokens.append(table[token].decode())
        except UnicodeDecodeError:
            continue
    draw = random.Random(0)
    parts = [*_ODD, *draw.sample(tokens, min(len(tokens), 5000))]
    mixed = (
        "".join(draw.choices(parts, k=draw.randint(1, _LONGEST))) for _ in range(_RANDOM_TEXTS)
    )
    embedded = (text for batch in open_corpus("embedded").batches() for text in batch.texts)
    texts = [*PROBES, *tokens, *mixed, *embedded]
    return [text for text in texts if read_alike(text)]
