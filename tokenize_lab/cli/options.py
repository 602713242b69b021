"""Options that several commands take, and say in the same words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.errors import InputError, as_options
from corpora.readers.settings import (
    LEAST_DOCUMENT_BYTES,
    MAX_DOCUMENT_BYTES,
    OnInvalid,
    Unit,
)
from tokenize_lab.cli import complete

if TYPE_CHECKING:
    from corpora.corpus import ReadCorpus

INPUT, OUTPUT, HOW = "What is measured", "What comes out", "How it is done"
_OPTIONS = {"language": "--language", "language_field": "--language-field", "glob": "--glob"}
_DONE = {"replace": "bad bytes replaced", "skip": "skipped"}

TextField = Annotated[str, typer.Option(help="field or column that holds the text")]
LanguageField = Annotated[
    str | None,
    typer.Option(
        help="field or column that holds each record's language",
        show_default="language, lang or locale",
        rich_help_panel=INPUT,
    ),
]
Globs = Annotated[
    list[str] | None,
    typer.Option(
        "--glob",
        metavar="PATTERN",
        help="which files of a folder to read, e.g. '*.md'; may be repeated",
        show_default="those of known kinds",
        rich_help_panel=INPUT,
    ),
]
TxtUnit = Annotated[Unit, typer.Option(help="a .txt document is a line or a file")]
Invalid = Annotated[OnInvalid, typer.Option(help="what to do with invalid UTF-8")]
MaxDocumentBytes = Annotated[
    int,
    typer.Option(
        min=LEAST_DOCUMENT_BYTES,
        help="a longer line, record or file is refused; it takes twice as much memory",
        rich_help_panel=INPUT,
    ),
]
Corpora = Annotated[
    list[str],
    typer.Argument(
        metavar="CORPUS",
        autocompletion=complete.corpora,
        help="a file or folder (.txt, .jsonl, .csv, .tsv, each also .gz, .zst or .xz; .parquet), "
        "FOLDER:de,hin_Deva for some of its languages, - for standard input, a declared corpus "
        "(tokenize-lab corpora list), or hub:NAME for a Hugging Face set; as many as you like",
    ),
]
CorporaIfAny = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CORPUS",
        autocompletion=complete.corpora,
        help="text, as for measure, as many as you like; none to look at vocabularies alone",
    ),
]
CacheFolder = Annotated[
    Path, typer.Option(help="folder of counts already made", rich_help_panel=HOW)
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="count everything afresh", rich_help_panel=HOW)
]
Jobs = Annotated[
    int,
    typer.Option(min=0, help="processes for the text; 0 for one a core", rich_help_panel=HOW),
]
RowsAsJson = Annotated[
    bool, typer.Option("--json", help="rows as strict JSON on stdout", rich_help_panel=OUTPUT)
]
RowsAsCsv = Annotated[
    bool, typer.Option("--csv", help="rows as CSV on stdout", rich_help_panel=OUTPUT)
]
Columns = Annotated[
    str,
    typer.Option(
        metavar="A,B,...",
        help="only these columns, in a table, --csv or --json",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Replicates = Annotated[
    int,
    typer.Option(
        min=0, max=100_000, help="bootstrap resamples; 0 for no intervals", rich_help_panel=HOW
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="of the resamples", rich_help_panel=HOW)]
Language = Annotated[
    str | None,
    typer.Option(help="language of all the text, whatever files say", rich_help_panel=INPUT),
]


def one_format(*, as_json: bool, as_csv: bool) -> None:
    """Refuse two formats at once.

    Raises:
        InputError: both are asked for.
    """
    if as_json and as_csv:
        raise InputError("--json and --csv both write to stdout; give one of them")


@dataclass(frozen=True)
class ReadOptions:
    """How a command reads text; see `corpora.open.open_corpus`."""

    text_field: str = "text"
    unit: Unit = "line"
    on_invalid: OnInvalid = "refuse"
    language: str | None = None
    domain: str | None = None
    parallel: bool | None = None
    language_field: str | None = None
    glob: Sequence[str] | None = None
    max_document_bytes: int = MAX_DOCUMENT_BYTES

    def open(self, specs: Sequence[str]) -> "list[ReadCorpus]":
        """Open corpora, under names that tell them apart.

        Raises:
            InputError: as `open_corpora`.
        """
        from corpora.open import open_corpora

        return open_corpora(specs, **{**asdict(self), "glob": list(self.glob or ())})

    def remarks(
        self, corpora: "Sequence[ReadCorpus]", *, by_language: bool = True
    ) -> Iterator[str]:
        """Yield what a person should know of corpora that have been read, a line each.

        Arguments:
            by_language: whether results are by language, so that text without one is worth a line.
        """
        from corpora.document import UNKNOWN_LANGUAGE
        from corpora.file_corpus import AlignedCorpus, FileCorpus
        from corpora.open import STDLIB

        for corpus in corpora:
            if corpus.invalid.documents:
                yield (
                    f"{corpus.name}: {corpus.invalid.documents} documents are not valid UTF-8 "
                    f"({_DONE[self.on_invalid]}; the first: {corpus.invalid.first})"
                )
        files = [corpus for corpus in corpora if isinstance(corpus, FileCorpus | AlignedCorpus)]
        for read in files:
            for line in read.seen.notes():
                yield as_options(f"{read.name}: {line}", _OPTIONS)
        languages = {language for read in files for language in read.languages_read}
        plain = len(files) == len(corpora) and all(read.name != STDLIB for read in files)
        if by_language and plain and languages == {UNKNOWN_LANGUAGE} and self.domain != "code":
            yield (
                "warning: no file or record says its language, so all is counted as und; name "
                "files by language (de.txt, hin_Deva.txt), or give --language or --language-field"
            )
        elif by_language and plain and UNKNOWN_LANGUAGE in languages:
            yield "note: text of which no name or field says the language is counted as und"


def say(lines: Iterable[str]) -> None:
    """Write lines for people to stderr."""
    for line in lines:
        typer.echo(line, err=True)
