"""Which files a path stands for, and how each is read."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from corpora.document import UNKNOWN_LANGUAGE, Batch
from corpora.errors import (
    InputError,
    existing,
    names_below,
    regular_file,
    sanitize,
    status,
    unreadable,
)
from corpora.readers.bytes import COMPRESSIONS, count_lines
from corpora.readers.settings import Reading, ReadSettings, TextFile

_LANGUAGE_SCRIPT = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")

# A bare three-letter name (`eng.jsonl.xz`) is taken for a language only if it is one of these, so
# that `raw.jsonl` or `log.txt` are not: the ISO 639-3 codes of the languages of FLORES-200 and
# NTREX-128, and the macrolanguage codes in common use, but for `run`, `sun` and `war`, which are
# words that files are named by.
_CODES = frozenset(
    """
    ace acm acq aeb afr ajp aka als amh apc ara arb ars ary arz asm ast awa ayr aze azb azj bak bam
    ban bel bem ben bho bjn bod bos bug bul cat ceb ces cjk ckb cmn crh cym dan deu dik div dyu dzo
    ekk ell eng epo est eus ewe fao fas fij fil fin fon fra fuc fur fuv gaz gla gle glg grn guj hat
    hau heb hin hmn hne hrv hun hye ibo ilo ind isl ita jav jpn kab kac kam kan kas kat kaz kbp kea
    khk khm kik kin kir kmb kmr knc kon kor kur lao lav lij lim lin lit lmo ltg ltz lua lug luo lus
    lvs mag mai mal mar mey min mkd mlg mlt mni mon mos mri msa mya nde nep nld nno nob npi nso nus
    nya oci ori orm ory pag pan pap pbt pes plt pol por prs pus quy ron rus sag san sat scn shi
    shn sin slk slv smo sna snd som sot spa sqi srd srp ssw swa swe swh szl tah tam taq tat tel
    tgk tgl tha tir ton tpi tsn tso tuk tum tur twi tzm uig ukr umb urd uzb uzn vec ven vie wol
    xho ydd yor yue zho zsm zul
    """.split()  # noqa: SIM905 - two hundred codes read better without quotes and commas
)


def is_language_script(name: str) -> bool:
    """Whether `name` is an ISO 639-3 code with an ISO 15924 script, such as `hin_Deva`."""
    return _LANGUAGE_SCRIPT.fullmatch(name) is not None


def language_of(path: PurePath) -> str:
    """Return the language that the file's name, or else its nearest folder's, says; or `und`.

    Any part of the file's name between dots may say it (`hin_Deva.txt`, `eng.jsonl.xz`,
    `newstest2019-ref.hin.txt`); of a folder only the whole name, with its script, counts.
    """
    for part in path.name.split("."):
        if is_language_script(part) or part in _CODES:
            return part
    for folder in path.parents:
        if is_language_script(folder.name):
            return folder.name
    return UNKNOWN_LANGUAGE


DOCUMENT_IDS = "DOCUMENT_IDS.txt"
_TEXT = (".txt",)
_JSON_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet",)
_KNOWN = (*_TEXT, *_JSON_LINES, *_PARQUET)

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
        return [TextFile(only, sanitize(only.name), language_of(Path(only.name)))]
    files = [
        TextFile(regular_file(path / name), sanitize(name.as_posix()), language_of(name))
        for name in sorted(names_below(path))
        if _suffix(name) and not _is_about(name)
    ]
    if not files:
        raise InputError(
            f"{path}: no file to read in this folder; it reads {', '.join(_KNOWN)},"
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
        if (found := count_lines(other.path)) != lines:
            raise InputError(
                f"{other.path}: {found} lines, but {first.path} has {lines}; parallel files must"
                " align line by line (to read them as separate texts, say `parallel=False`)"
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
    return suffixes[-1] if suffixes and suffixes[-1] in _KNOWN else ""


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _is_about(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return hidden or _stem(name).lower() in _ABOUT
