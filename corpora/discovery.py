"""Which files a path stands for, and how each is read."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from corpora.document import Batch
from corpora.errors import InputError, one_line
from corpora.languages import is_language_script, language_of
from corpora.paths import existing, names_below, regular_file, status, unreadable
from corpora.readers.blocks import COMPRESSIONS
from corpora.readers.lines import count_lines
from corpora.readers.settings import Reading, ReadSettings, TextFile

DOCUMENT_IDS = "DOCUMENT_IDS.txt"
_TEXT = (".txt",)
_JSON_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet",)

# Files that describe a folder of texts and are none of them.
_ABOUT = ("readme", "license", "licence", "document_ids")


class Aligned(NamedTuple):
    """The files of a parallel corpus, and the document of each line where that is known."""

    files: Sequence[TextFile]
    document_ids: Sequence[str] | None


def text_files(path: Path) -> list[TextFile]:
    """Return the file at `path`, or those below the folder that can be read, in name order.

    A file named by itself may have any suffix (one that is not known is read as text); in a folder
    the suffix decides, and hidden files, README, LICENSE and DOCUMENT_IDS are left out.
    Sources are names as messages and tables can show them.

    Raises:
        InputError: nothing is there, or nothing that can be read; a folder below cannot be
            listed; what is named as a text is a broken link, a pipe or a device.
    """
    if not existing(path).is_dir():
        only = regular_file(path)
        return [TextFile(only, one_line(only.name), language_of(Path(only.name)))]
    files = [
        TextFile(regular_file(path / name), one_line(name.as_posix()), language_of(name))
        for name in sorted(names_below(path))
        if _suffix(name) and not _is_about(name)
    ]
    if not files:
        known = ", ".join((*_TEXT, *_JSON_LINES, *_PARQUET))
        raise InputError(
            f"{path}: no file to read in this folder; it reads {known},"
            f" the first two kinds also with {', '.join(COMPRESSIONS)}"
        )
    return files


def aligned_files(path: Path, parallel: bool | None) -> Aligned | None:
    """Return the folder's files as one parallel corpus if they are one, else None.

    They are one if two or more are named `xxx_Xxxx.txt` and no file of another kind is there.

    Args:
        parallel: False to read the folder as separate files whatever their names; True to insist.

    Raises:
        InputError: the files differ in their number of lines, or `parallel` is True and they are
            no parallel corpus.
    """
    if parallel is False:
        return None
    listed = text_files(path) if path.is_dir() else []
    inside = [f for f in listed if f.path.parent == path]
    files = [f for f in inside if is_language_script(_stem(f.path)) and _suffix(f.path) in _TEXT]
    others = [f for f in listed if _suffix(f.path) not in _TEXT or f.path.parent != path]
    if len(files) < 2 or (others and not parallel):
        if parallel:
            raise InputError(
                f"{path}: not a parallel corpus; it must be a folder of two or more files named"
                " by language and script (eng_Latn.txt, hin_Deva.txt), line by line translations"
            )
        return None
    return Aligned(files, _document_ids(path / DOCUMENT_IDS, common_lines(files)))


def common_lines(files: Sequence[TextFile]) -> int:
    """Return the number of lines that every one of the files has.

    Raises:
        InputError: they differ; both files and their counts are named.
    """
    first, *rest = files
    lines = count_lines(first.path)
    for other in rest:
        found = count_lines(other.path)
        if found != lines:
            raise InputError(
                f"{other.path}: {found} lines, but {first.path} has {lines}; parallel files must"
                " align line by line (to read them as separate texts, say --no-parallel)"
            )
    return lines


def is_text(path: Path) -> bool:
    """Whether the file is read as text, and not as records."""
    return _suffix(path) not in (*_JSON_LINES, *_PARQUET)


def reader_of(file: TextFile, settings: ReadSettings) -> Callable[[Reading], Iterator[Batch]]:
    """Return the reader for the file's kind."""
    suffix = _suffix(file.path)
    if suffix in _PARQUET:
        from corpora.readers.parquet import read_parquet

        return read_parquet
    if suffix in _JSON_LINES:
        from corpora.readers.jsonl import read_jsonl

        return read_jsonl
    from corpora.readers.txt import read_lines, read_whole

    return read_whole if settings.unit == "file" else read_lines


def _document_ids(path: Path, lines: int) -> list[str] | None:
    if status(path) is None:
        return None
    try:
        text = regular_file(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise unreadable(path, error) from error
    ids = text.removesuffix("\n").split("\n")
    if len(ids) != lines:
        raise InputError(
            f"{path}: {len(ids)} lines, but the texts beside it have {lines}; it must name the"
            " document of each line"
        )
    return ids


def _suffix(path: Path) -> str:
    """Return the suffix that says the file's kind, or an empty string where none is known."""
    suffixes = path.suffixes
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
        if suffixes and suffixes[-1] in _PARQUET:
            return ""
    known = (*_TEXT, *_JSON_LINES, *_PARQUET)
    return suffixes[-1] if suffixes and suffixes[-1] in known else ""


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _is_about(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return hidden or _stem(name).lower() in _ABOUT
