"""Counts on disk, found again by what they are counts of.

The key is the content: the batch's bytes and the lengths of its texts, what is looked for, and the
tokenizer's hash and engine. A second run therefore encodes nothing, whatever the files are called
now, and an interrupted one goes on after the last whole batch. Each entry is one small file that
takes its name when complete, so any number of processes may share the folder; an entry that does
not match its own checksum is counted afresh.
"""

import hashlib
import importlib.metadata
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora.errors import InputError
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.fields import FIELDS, TextSettings, WordSegmenter
from tokenize_lab.tokenizer import IntArray, Tokenizer

# Part of every key: raise it whenever the meaning of a count changes.
COUNTING_VERSION = 2
_CHECKSUM_BYTES = 32


def content_sha256(text: TextBytes) -> str:
    """Return the hash of a batch's texts: their bytes, and where each ends."""
    digest = hashlib.sha256(text.starts.astype("<i8").tobytes())
    digest.update(text.raw)
    return digest.hexdigest()


def counts_key(content: str, settings: TextSettings, is_code: bool) -> str:
    """Return the name of what is counted in a text, whatever the tokenizer."""
    unicode_rules = settings.graphemes or settings.segmenter is WordSegmenter.UAX29
    library = importlib.metadata.version("regex") if unicode_rules else ""
    return f"{content} {COUNTING_VERSION} {','.join(FIELDS)} {settings} {is_code} {library}"


def tokenizer_key(tokenizer: Tokenizer) -> str:
    """Return the name of a tokenizer in a key: what it is, and which library's version runs it."""
    return f"{tokenizer.sha256} {tokenizer.engine}"


@dataclass(frozen=True)
class CountsCache:
    """A folder of counts.

    Attributes:
        folder: where entries lie; made when first written to.
    """

    folder: Path

    def get(self, *key: str) -> list[IntArray] | None:
        """Return the arrays stored under the key, or None where there are none (whole)."""
        try:
            raw = self._path(key).read_bytes()
        except OSError:
            # Not there, or not to be had: it is counted afresh, and `put` says what is wrong.
            return None
        payload = raw[_CHECKSUM_BYTES:]
        if hashlib.sha256(payload).digest() != raw[:_CHECKSUM_BYTES]:
            return None
        file = io.BytesIO(payload)
        arrays = []
        while file.tell() < len(payload):
            arrays.append(np.load(file, allow_pickle=False).astype(np.int64))
        return arrays

    def put(self, arrays: list[IntArray], *key: str) -> None:
        """Store non-negative arrays under the key, each in the smallest integer type that holds it.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        file = io.BytesIO()
        for array in arrays:
            largest = int(array.max()) if array.size else 0
            np.save(file, array.astype(np.min_scalar_type(largest)), allow_pickle=False)
        payload = file.getvalue()
        path = self._path(key)
        temporary = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".new.", dir=path.parent)
            with os.fdopen(handle, "wb") as out:
                # No fsync: an entry torn in a crash fails its checksum and is counted again.
                out.write(hashlib.sha256(payload).digest() + payload)
            Path(temporary).replace(path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise InputError(
                f"{self.folder}: the cache cannot be written ({error.strerror}); "
                "name another `cache`, or have none (`no_cache`)"
            ) from error

    def _path(self, key: tuple[str, ...]) -> Path:
        name = hashlib.sha256("\n".join(key).encode()).hexdigest()
        return self.folder / name[:2] / name[2:]
