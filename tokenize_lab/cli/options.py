"""Options that several commands take, and say in the same words."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import typer

from corpora.corpus import Corpus
from corpora.readers.settings import OnInvalid, Unit

Json = Annotated[bool, typer.Option("--json", help="strict JSON on stdout, nothing else there")]
TextField = Annotated[str, typer.Option(help="field or column that holds the text")]
TxtUnit = Annotated[Unit, typer.Option(help="a .txt document is a line or a file")]
Invalid = Annotated[OnInvalid, typer.Option(help="what to do with invalid UTF-8")]


# Progress on long work: what was counted, MB/s, time left; on stderr, and only to a terminal.


@contextlib.contextmanager
def counting_progress(corpora: Sequence[Corpus]) -> Iterator[Callable[[Corpus, int], None]]:
    """Yield a function to be told of each corpus's bytes as they are counted."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        sizes = [corpus.size_bytes for corpus in corpora]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        task = bar.add_task("measuring", total=total)

        def advance(corpus: Corpus, size: int) -> None:
            bar.update(task, advance=size, description=f"measuring {corpus.name}")

        yield advance
