"""Which files a path stands for, and how each is read."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from corpora.document import UNKNOWN_LANGUAGE, Batch
from corpora.errors import (
    InputError,
    existing,
    names_below,
    names_in,
    regular_file,
    sanitize,
    status,
    unreadable,
)
from corpora.files import read_bounded
from corpora.languages import is_language_script, language_of
from corpora.readers.bytes import count_lines
from corpora.readers.decompressed import COMPRESSIONS
from corpora.readers.settings import InvalidText, Reading, ReadSettings, TextFile

DOCUMENT_IDS = "DOCUMENT_IDS.txt"
_IDS, _MOST_IDS = "it must name the document of each line", 256 << 20
_TEXT = (".txt",)
_JSON_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet",)
_TABLES = (".csv", ".tsv")
_KNOWN = (*_TEXT, *_JSON_LINES, *_PARQUET, *_TABLES)
_ON_REQUEST = "'*.md'"  # an example of files that are read only where they are asked for

# Files that describe a folder of texts and are none of them.
_ABOUT = ("readme", "license", "licence", "document_ids")
_MOST_NAMES = 6  # that are listed in a line
_HEAD_BYTES = 1 << 13  # looked at to tell a file of bytes from one of text
_PATTERN = re.compile(r"[*?[]")


class Aligned(NamedTuple):
    """The files of a parallel corpus, and the document of each line where that is known."""

    files: Sequence[TextFile]
    document_ids: Sequence[str] | None


class FoundFiles(NamedTuple):
    """The files of a path that are read, and those of a folder that are not, relative to it."""

    files: list[TextFile]
    left_out: list[str]


def text_files(path: Path, globs: Sequence[str] = ()) -> FoundFiles:
    """Return the file at `path`, or those below the folder that can be read, in name order.

    A file named by itself may have any suffix (one that is not known is read as text). In a folder
    the suffix decides; hidden files, README, LICENSE and DOCUMENT_IDS are left out, and so are
    tables (.csv, .tsv) that lie beside files of other kinds. Where `globs` are given, they decide
    instead, and a file that one of them spells out is never left out; one of bytes always is.
    Sources are names as messages and tables can show them.

    Args:
        globs: patterns of names (`*.md`), or of paths below the folder where one has a slash.

    Raises:
        InputError: nothing is there, or nothing that can be read; a folder below cannot be
            listed; what is named as a text is a broken link, a pipe or a device.
    """
    if not existing(path).is_dir():
        only = regular_file(path)
        folder = "" if only.parent == Path() else only.parent.name
        name, source = Path(folder, only.name), sanitize(only.name)
        return FoundFiles(
            [TextFile(only, source, language_of(name, among_languages=_beside(only)))], []
        )
    names = sorted(names_below(path))
    if globs:
        asked = [name for name in names if any(_matches(name, glob) for glob in globs)]
        spelt = {glob for glob in globs if not _PATTERN.search(glob)}
        kept = [
            name
            for name in asked
            if name.name in spelt or not (_is_about(name) or _is_binary(path / name))
        ]
        left_out = [name for name in asked if name not in kept]
        if not asked:
            raise InputError(
                f"{path}: no file in this folder is called {' or '.join(globs)}; `glob` takes"
                f" patterns such as {_ON_REQUEST}"
            )
    else:
        kept = [name for name in names if _suffix(name) and not _is_about(name)]
        texts = [name for name in kept if _suffix(name) not in _TABLES]
        kept = texts or kept
        left_out = [name for name in names if name not in set(kept)]
    if not kept:
        raise InputError(
            f"{path}: no file to read in this folder; it reads {', '.join(_KNOWN)},"
            f" the texts among them also with {', '.join(COMPRESSIONS)}, and of other kinds of text"
            f" what `glob` names, such as {_ON_REQUEST}"
        )
    beside = _named_by_languages(name.name for name in kept)
    private = _named_by_languages(part for name in kept for part in name.parts[:-1])
    root = Path(path.resolve().name)
    files = [
        TextFile(
            regular_file(path / name),
            sanitize(name.as_posix()),
            language_of(root / name, among_languages=beside, private_tags=private),
        )
        for name in kept
    ]
    shown = [sanitize(name.as_posix()) for name in left_out if name.name != DOCUMENT_IDS]
    return FoundFiles(files, shown)


def enumerated(names: Sequence[str]) -> str:
    """Return the first few names, and how many others there are."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} others" if more > 0 else "")


def aligned_files(
    path: Path, found: FoundFiles, parallel: bool | None, settings: ReadSettings
) -> tuple[Aligned, list[str]] | None:
    """Return a folder's files as one parallel corpus if they are one, and those that are left out
    of it; else None.

    They are one if two or more are named by languages (`xxx_Xxxx.txt`, `de.txt`), no file of
    another kind is there, and all have as many lines.

    Args:
        parallel: False to read the folder as separate files whatever their names; True to insist.
        settings: how they will be read.

    Raises:
        InputError: files called `xxx_Xxxx.txt` differ in their number of lines, or `parallel` is
            True and they are no parallel corpus.
    """
    if parallel is False:
        return None
    listed = found.files if path.is_dir() else []
    texts = [f for f in listed if f.path.parent == path and _suffix(f.path) in _TEXT]
    files = [f for f in texts if is_language_script(_stem(f.path))]
    are_sure = parallel or len(files) > 1
    if len(files) < 2:
        files = [f for f in texts if f.language != UNKNOWN_LANGUAGE]
    if len(files) < 2 or (len(listed) > len(texts) and not parallel):
        if parallel:
            raise InputError(
                f"{path}: not a parallel corpus; it must be a folder of two or more files named"
                " by language (eng_Latn.txt, hin_Deva.txt or en.txt, hi.txt), line by line"
                " translations"
            )
        return None
    if not are_sure and (len(files) < len(texts) or not _as_many_lines(files, settings)):
        return None
    left_out = [f.source for f in texts if f not in files]
    return Aligned(
        files, _document_ids(path / DOCUMENT_IDS, common_lines(files, settings))
    ), left_out


def _as_many_lines(files: Sequence[TextFile], settings: ReadSettings) -> bool:
    """Whether all have the same number of lines, and more than one."""
    lines = _lines_of(files[0], settings)
    return lines > 1 and all(_lines_of(file, settings) == lines for file in files[1:])


def _lines_of(file: TextFile, settings: ReadSettings) -> int:
    return count_lines(Reading(file, settings, InvalidText()))


def common_lines(files: Sequence[TextFile], settings: ReadSettings) -> int:
    """Return the number of lines that every one of the files has.

    Raises:
        InputError: they differ; both files and their counts are named.
    """
    first, *rest = files
    lines = _lines_of(first, settings)
    for other in rest:
        if (found := _lines_of(other, settings)) != lines:
            raise InputError(
                f"{other.path}: {found} lines, but {first.path} has {lines}; parallel files must"
                " align line by line (to read them as separate texts, say `parallel=False`)"
            )
    return lines


def is_text(path: Path) -> bool:
    """Whether the file is read as text, and not as records."""
    return _suffix(path) not in (*_JSON_LINES, *_PARQUET, *_TABLES)


def reader_of(file: TextFile, settings: ReadSettings) -> Callable[[Reading], Iterator[Batch]]:
    """Return the reader for the file's kind."""
    suffix = _suffix(file.path)
    if suffix in _PARQUET:
        from corpora.readers.parquet import read_parquet

        return read_parquet
    if suffix in _JSON_LINES:
        from corpora.readers.jsonl import read_jsonl

        return read_jsonl
    if suffix in _TABLES:
        from corpora.readers.table import read_table

        return read_table
    from corpora.readers.txt import read_lines, read_whole

    return read_whole if settings.unit == "file" else read_lines


def _document_ids(path: Path, lines: int) -> list[str] | None:
    if status(path) is None:
        return None
    content = read_bounded(path, _MOST_IDS, _IDS).removesuffix(b"\n")
    found = content.count(b"\n") + 1
    if found != lines:
        raise InputError(f"{path}: {found} lines, but the texts beside it have {lines}; {_IDS}")
    return content.decode("utf-8", errors="replace").split("\n")


def _suffix(path: Path) -> str:
    """Return the suffix that says the file's kind, or an empty string where none is known."""
    suffixes = path.suffixes
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
        if suffixes and suffixes[-1] in _PARQUET:
            return ""
    return suffixes[-1] if suffixes and suffixes[-1] in _KNOWN else ""


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _is_about(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return hidden or _stem(name).lower() in _ABOUT


def _matches(name: Path, glob: str) -> bool:
    return fnmatchcase(name.as_posix() if "/" in glob else name.name, glob)


def _is_binary(path: Path) -> bool:
    """Whether a file of no known kind holds bytes that no text has."""
    if _suffix(path):
        return False
    try:
        with regular_file(path).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error
    # Text in UTF-16 has null bytes too; reading it says how to convert it.
    return b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))


def _beside(path: Path) -> bool:
    return _named_by_languages(name for name in names_in(path.parent) if name != path.name)


def _named_by_languages(names: Iterable[str]) -> bool:
    """Whether a name says a language that is no word besides."""
    return any(language_of(Path(name)) != UNKNOWN_LANGUAGE for name in names)
