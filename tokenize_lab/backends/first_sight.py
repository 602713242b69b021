"""Files that are seen for the first time are opened in a process apart before they are here.

What passed is remembered under `kept_folder` by its hash, with the versions of the libraries that
opened it, so that a known file costs a hash. Vocabularies that the installed packages bring along,
and those trained here, are known.
"""

import contextlib
import hashlib
import importlib.metadata
import platform
from pathlib import Path

from corpora.errors import InputError, is_file, unreadable
from corpora.files import keep_newest
from tokenize_lab.backends import apart
from tokenize_lab.backends.forms import partner_of
from tokenize_lab.packages import kept_folder

# A tokenizer.json takes 20 to 42 times its size while it is loaded and proven, and a third of a
# second of computing a megabyte. No file may make this more than a process of a gigabyte: one of
# 262,145 tokens in 32 MiB takes 754 MiB (Gemma 3), one of a million and as many merges 1.9 GiB.
_MEMORY, _MEMORY_FOR_BYTE, _MOST_MEMORY = 512 << 20, 64, 896 << 20
_SECONDS, _BYTES_FOR_SECOND, _MOST_SECONDS = 20, 1 << 20, 50
_MOST_BYTES = 128 << 20  # of a tokenizer's file
_GGUF, _HEAD_BYTES = (
    b"GGUF",
    64 << 20,
)  # of a GGUF the front alone is read, which has the vocabulary
_BLOCK = 1 << 20
_MOST_REMEMBERED = 4096
_LIBRARIES = ("sentencepiece", "tiktoken", "tokenizers")


def look_first(spec: str, file: Path, pattern: Path = Path()) -> None:
    """Open what a spec names in a process apart, unless it is known.

    Args:
        file: that it is read from; a partner beside it is looked for.
        pattern: another file that it is read by, if there is such a file.

    Raises:
        InputError: it cannot be opened, or not in reasonable time and memory.
    """
    if apart.inside:
        return
    mark, size = _mark(file, pattern)
    with contextlib.suppress(InputError):  # the folder may not be searched: it is opened again
        if is_file(mark):
            return
    memory = min(_MEMORY + _MEMORY_FOR_BYTE * size, _MOST_MEMORY)
    seconds = min(_SECONDS + size // _BYTES_FOR_SECOND, _MOST_SECONDS)
    try:
        facts, _ = apart.shared().ask({"do": "open", "spec": spec}, seconds=seconds, memory=memory)
    except apart.EndedError as error:
        raise apart.refused(spec, "opening it", error) from error
    if "refused" in facts:
        raise InputError(facts["refused"])
    if "failed" in facts:
        raise InputError(f"{spec}: its library cannot open it ({facts['failed']}); fetch it again")
    _remember(mark)


def trust(file: Path) -> None:
    """Remember a file that was made here."""
    _remember(_mark(file)[0])


def _mark(file: Path, pattern: Path = Path()) -> tuple[Path, int]:
    """Return the file that says that this one is known, and how much of it is read, in bytes."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES]
    digest = hashlib.sha256(" ".join((platform.python_version(), *versions, file.name)).encode())
    beside, total = partner_of(file) or Path(), 0
    for path in (file, *filter(is_file, (beside, pattern))):
        part, size = _digest(path)
        digest.update(part)
        total += size
    return kept_folder("opened") / digest.hexdigest(), total


def _digest(path: Path) -> tuple[bytes, int]:
    try:
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            head = file.read(_BLOCK)
            if head.startswith(_GGUF):
                size = min(size, _HEAD_BYTES)
            elif size > _MOST_BYTES:
                raise InputError(
                    f"{path}: {size:,} bytes, and no tokenizer's file has over"
                    f" {_MOST_BYTES >> 20} MiB; give another"
                )
            read = 0
            while head and read < size:
                digest.update(head)
                read += len(head)
                head = file.read(_BLOCK)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.digest(), size


def _remember(mark: Path) -> None:
    with contextlib.suppress(OSError):  # it is opened once more the next time
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch(exist_ok=False)  # a link is not followed
        keep_newest(mark.parent.iterdir(), _MOST_REMEMBERED)
