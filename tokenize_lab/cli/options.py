"""Options that several commands take, and say in the same words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.errors import InputError
from corpora.readers.settings import OnInvalid, Unit

if TYPE_CHECKING:
    from corpora.corpus import ReadCorpus

INPUT, OUTPUT, HOW = "What is measured", "What comes out", "How it is done"
_DONE = {"replace": "bad bytes replaced", "skip": "skipped"}

TextField = Annotated[str, typer.Option(help="field or column that holds the text")]
TxtUnit = Annotated[Unit, typer.Option(help="a .txt document is a line or a file")]
Invalid = Annotated[OnInvalid, typer.Option(help="what to do with invalid UTF-8")]
CacheFolder = Annotated[
    Path, typer.Option(help="folder of counts already made", rich_help_panel=HOW)
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="count everything afresh", rich_help_panel=HOW)
]
Jobs = Annotated[int, typer.Option(min=0, help="processes; 0 for one a core", rich_help_panel=HOW)]
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

    def open(self, specs: Sequence[str]) -> "list[ReadCorpus]":
        """Open corpora, under names that tell them apart.

        Raises:
            InputError: as `open_corpora`.
        """
        from corpora.open import open_corpora

        return open_corpora(specs, **asdict(self))

    def remarks(self, corpora: "Sequence[ReadCorpus]") -> Iterator[str]:
        """Yield a line for each corpus that has been read and held text that is not UTF-8."""
        for corpus in corpora:
            if corpus.invalid.documents:
                yield (
                    f"{corpus.name}: {corpus.invalid.documents} documents are not valid UTF-8 "
                    f"({_DONE[self.on_invalid]}; the first: {corpus.invalid.first})"
                )


def say(lines: Iterable[str]) -> None:
    """Write lines for people to stderr."""
    for line in lines:
        typer.echo(line, err=True)
