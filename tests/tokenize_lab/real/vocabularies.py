"""Which vocabularies are tried (vocabularies.toml), where they lie, and what came of each."""

import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpora.errors import InputError
from tests.conftest import ROOT
from tokenize_lab.packages import KeptFile, PackageSpec, kept_file

FOLDER = ROOT / "out" / "real"
COLUMNS = {
    "ids": "V", "engine": "engine", "texts": "same ids", "bytes": "bytes of ids",
    "lossless": "lossless", "exact": "exact texts", "parallel": "38 languages",
    "show": "show", "audit": "audit", "diff": "diff", "vocab-curve": "vocab-curve",
}  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """One entry of vocabularies.toml.

    Attributes:
        name: what it is known as. package: with `npm:` or `pypi:`. file: path inside.
        licence: that the package declares. sha256: of the file.
        library: whose way from text to ids ours must be: tokenizers, tiktoken, mistral-common,
            sentencepiece, trie (RWKV's), clip, or pair (a byte-level vocab.json and merges.txt).
        pattern: of ranks: an encoding of tiktoken's, or the expression itself.
        spec: what follows `@` in our spec, or stands before it as a prefix, where needed.
    """

    name: str
    package: str
    version: str
    file: str
    licence: str
    sha256: str
    library: str
    pattern: str = ""
    encoding: str = ""

    @property
    def spec(self) -> str:
        told = f"@{self.encoding}" if self.encoding else ""
        return f"{self.package}@{self.version}/{self.file}{told}"


def vocabularies() -> list[Vocabulary]:
    """Return the entries, in order of the file."""
    with Path(__file__).with_name("vocabularies.toml").open("rb") as file:
        return [Vocabulary(**entry) for entry in tomllib.load(file)["vocabularies"]]


@contextmanager
def kept_in_out() -> Iterator[None]:
    """Keep what is fetched in out/real for a while."""
    before = os.environ.get("TOKENIZE_LAB_CACHE")
    os.environ["TOKENIZE_LAB_CACHE"] = str(FOLDER)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TOKENIZE_LAB_CACHE"]
        else:
            os.environ["TOKENIZE_LAB_CACHE"] = before


def fetched(vocabulary: Vocabulary) -> KeptFile:
    """Return the vocabulary's file; the test is skipped where no registry answers."""
    registry = vocabulary.package.partition(":")[0]
    if registry == "npm" and shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    prefix, colon, rest = vocabulary.spec.partition(":")
    try:
        return kept_file(PackageSpec.parse(prefix + colon, rest))
    except InputError as error:
        if "does not answer" in str(error):
            pytest.skip(str(error))
        raise


class Notes:
    """What came of one vocabulary's tests, written down as they go."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.path = _row(vocabulary)
        # A run of some tests leaves what the others found.
        self.cells: dict[str, str] = (
            json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}
        )

    def write(self) -> None:
        """Write this row, and the table of all rows there are."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.cells, ensure_ascii=False), "utf-8")
        (FOLDER / "table.md").write_text("".join(table()), "utf-8")


def write_log() -> None:
    """Put the table into LOG.md, in place of the one there: `just tried-with`."""
    log = ROOT / "LOG.md"
    before, head, after = log.read_text("utf-8").partition("\n## Tried with\n")
    assert head, "LOG.md has no section 'Tried with'"
    words, _, rest = after.partition("\n|")
    _, more, beyond = rest.partition("\n\n")
    text = f"{before}{head}{words.rstrip()}\n\n{''.join(table())}{more and chr(10)}{beyond}"
    log.write_text(text, "utf-8")


def _row(vocabulary: Vocabulary) -> Path:
    return FOLDER / "rows" / f"{vocabulary.name.replace('/', ' ')}.json"


def table() -> Iterator[str]:
    """Yield the lines of the table of all that was tried."""
    heads = ["tokenizer", *COLUMNS.values(), "package"]
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n"
    for vocabulary in vocabularies():
        row = _row(vocabulary)
        if row.exists():
            cells = json.loads(row.read_text("utf-8"))
            texts = [vocabulary.name, *(cells.get(column, "-") for column in COLUMNS)]
            texts.append(f"`{vocabulary.spec}`")
            yield f"| {' | '.join(text.replace('|', chr(0x2502)) for text in texts)} |\n"
