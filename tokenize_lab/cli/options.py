"""Options that several commands take, and say in the same words."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.readers.settings import OnInvalid, Unit

if TYPE_CHECKING:
    from corpora.corpus import ReadCorpus

TEXT_FIELD_HELP = "field or column that holds the text"
_DONE = {"replace": "bad bytes replaced", "skip": "skipped"}

TextField = Annotated[str, typer.Option(help=TEXT_FIELD_HELP)]
TxtUnit = Annotated[Unit, typer.Option(help="a .txt document is a line or a file")]
Invalid = Annotated[OnInvalid, typer.Option(help="what to do with invalid UTF-8")]
CacheFolder = Annotated[Path, typer.Option(help="folder of counts already made")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="count everything afresh")]
Jobs = Annotated[int, typer.Option(min=0, help="processes; 0 for one a core")]


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


def say(lines: Iterator[str] | Sequence[str]) -> None:
    """Write lines for people to stderr."""
    for line in lines:
        typer.echo(line, err=True)
