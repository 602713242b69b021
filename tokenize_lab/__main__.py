"""The one command: joins the four packages' apps, and turns what goes wrong into exit codes."""

import contextlib
import errno
import io
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

# Standard streams on which nothing that is said can break what is being done.


class Unfailing(io.TextIOWrapper):
    """A stderr whose full disk or vanished reader costs messages, and not the work they are of."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError):
            super().flush()


def prepare_streams() -> None:
    """See to it that there is a stderr, that it never fails, and that any name can be shown.

    What stdout or stderr has no sign for is shown by its number.
    """
    if sys.stderr is None:
        # Closed (`2>&-`). What would be said there is said to nobody, here and in worker processes;
        # otherwise the next file that is opened would be file 2, and take what they say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.set_inheritable(2, True)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  # as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr.fileno() == 2:
        encoding = sys.stderr.encoding
        raw = open(2, "wb", closefd=False)  # noqa: SIM115  # as long as the process
        sys.stderr = Unfailing(raw, encoding, "backslashreplace", line_buffering=True)


if TYPE_CHECKING:
    import typer


class Interrupted(BaseException):
    """Ctrl-C, under a name that no library on the way takes for its own."""


def build_app() -> "typer.Typer":
    """Return the `tokenize-lab` command."""
    import typer

    from corpora.cli import app as corpora
    from reports.cli import demo, report
    from scaling.cli.app import app as scaling
    from tokenize_lab.cli.measure import measure
    from tokenize_lab.cli.tokenizers import app as tokenizers
    from tokenize_lab.cli.vocab_curve import vocab_curve

    app = typer.Typer(
        name="tokenize-lab",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="How many bytes should one token hold? Measure, train, fit, decide.",
    )
    app.command()(demo)
    app.command()(measure)
    app.command()(report)
    app.command()(vocab_curve)
    app.add_typer(corpora, name="corpora")
    app.add_typer(tokenizers, name="tokenizers")
    app.add_typer(scaling, name="scaling")
    return app


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 a fault, 2 bad input, 130 interrupted."""
    # Before anything slow is imported, so that Ctrl-C is one line at any moment.
    signal.signal(signal.SIGINT, _interrupt)
    prepare_streams()
    # Encoders run one to a process; this also keeps the libraries from warning about it.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from corpora.errors import InputError, as_options, unreadable
        from corpora.output import silence

        app = build_app()
        try:
            app()
        except InputError as error:
            sys.stderr.write(f"error: {as_options(str(error), options_of(app, sys.argv[1:]))}\n")
            sys.exit(2)
        except OSError as error:
            if error.errno == errno.ENOSPC and error.filename is None:
                # What we write is named where it is written; this is most likely typer's help.
                silence()
                sys.stderr.write(f"error: {error.strerror}; make room and run this again\n")
            elif error.errno == errno.ENAMETOOLONG and error.filename is not None:
                # The system says so of a name anybody gave, wherever it was first looked at.
                line = unreadable(Path(os.fsdecode(error.filename)), error)
                sys.stderr.write(f"error: {line}\n")
            else:
                raise
            sys.exit(2)
    except Interrupted:
        sys.stderr.write("interrupted; what was finished is kept, the same command goes on\n")
        sys.exit(130)


def options_of(app: "typer.Typer", words: list[str]) -> dict[str, str]:
    """Return the options of the command that words run, by the name of the argument they set."""
    from typer.main import get_command

    command = get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    options = {}
    for parameter in command.params:
        long = [text for text in parameter.opts if text.startswith("--")]
        if parameter.name and long:
            options[parameter.name] = long[0]
            options.update({f"{parameter.name}=False": off for off in parameter.secondary_opts})
    return options


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: a second one must not break off the clearing up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Interrupted


if __name__ == "__main__":
    main()
