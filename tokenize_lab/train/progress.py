"""Progress of a training: what is being read; on stderr, and only to a terminal."""

import contextlib
import sys
from collections.abc import Iterator

from corpora.corpus import Corpus
from tokenize_lab.train.text import Progress as Report


@contextlib.contextmanager
def training_progress(corpus: Corpus) -> Iterator[Report]:
    """Yield a function to be told what is being done and the bytes just read for it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:

        def report(doing: str, size: int) -> None:
            if doing not in tasks:
                tasks[doing] = bar.add_task(doing, total=corpus.size_bytes)
            bar.update(tasks[doing], advance=size)

        yield report
