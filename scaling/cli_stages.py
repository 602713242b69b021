"""Progress of commands that work in stretches: a bar for each, on stderr, only on a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator

Stage = Callable[[str, int | None], Callable[[int], object]]


@contextlib.contextmanager
def stages() -> Iterator[Stage]:
    """Yield a function that begins a stretch: given its name and bytes, if known, it returns a
    function to be told of bytes done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:

        def stage(name: str, size: int | None) -> Callable[[int], object]:
            task = bar.add_task(name, total=size)
            return lambda done: bar.advance(task, done)

        yield stage
