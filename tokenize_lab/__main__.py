"""The one command: joins the four packages' apps, and turns what goes wrong into exit codes."""

import contextlib
import errno
import importlib.util
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

if TYPE_CHECKING:
    import typer

PACKAGES = ("corpora", "tokenize_lab", "scaling", "reports")
HOME = Path(__file__).resolve().parent.parent  # where all four lie


class Interrupted(BaseException):
    """Ctrl-C, under a name that no library on the way takes for its own."""


# Where each command, and each group of commands, stands; help lists them in this order.
_COMMANDS = {
    "demo": "reports.cli",
    "leaderboard": "reports.leaderboard.command",
    "measure": "tokenize_lab.cli.measure",
    "report": "reports.cli",
    "vocab-curve": "tokenize_lab.cli.vocab_curve",
}
_GROUPS = {
    "cache": "tokenize_lab.cli.cache",
    "corpora": "corpora.cli",
    "tokenizers": "tokenize_lab.cli.tokenizers",
    "scaling": "scaling.cli.app",
}


def build_app(words: Sequence[str] = ()) -> "typer.Typer":
    """Return the `tokenize-lab` command; of it, where the first of `words` names a command or a
    group, no more than that, since building the others takes longer than running some."""
    import typer

    from tokenize_lab.cli.help import plain_help

    app = typer.Typer(
        name="tokenize-lab",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="How many bytes should one token hold? Measure, train, fit, decide.",
    )
    wanted = {*words[:1]} & {*_COMMANDS, *_GROUPS} or {*_COMMANDS, *_GROUPS}
    for name, home in _COMMANDS.items():
        if name in wanted:
            app.command(name)(getattr(import_module(home), name.replace("-", "_")))
    for name, home in _GROUPS.items():
        if name in wanted:
            app.add_typer(import_module(home).app, name=name)

    show_version = typer.Option(
        "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
    )

    @app.callback()
    def every_command(version: Annotated[bool, show_version] = False) -> None:
        pass

    return plain_help(app)


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 a fault, 2 bad input, 130 interrupted."""
    # Before anything slow is imported, so that Ctrl-C is one line at any moment.
    signal.signal(signal.SIGINT, _interrupt)
    prepare_streams()
    notes = logging.StreamHandler()  # what a library notes while it works, on stderr
    logging.getLogger("corpora").addHandler(notes)
    logging.getLogger("corpora").setLevel(logging.INFO)
    # Encoders run one to a process; this also keeps the libraries from warning about it.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        if stranger := foreign_package():
            sys.exit(_refused(stranger))
        from corpora.errors import InputError, as_options, unreadable
        from corpora.output import silence

        app = build_app(sys.argv[1:])
        try:
            app()
        except InputError as error:
            sys.exit(_refused(as_options(str(error), options_of(app, sys.argv[1:]))))
        except OSError as error:
            if error.errno == errno.ENOSPC and error.filename is None:
                # What we write is named where it is written; this is most likely typer's help.
                silence()
                sys.exit(_refused(f"{error.strerror}; make room and run this again"))
            if error.errno == errno.ENAMETOOLONG and error.filename is not None:
                # The system says so of a name that was typed, wherever it was first looked at.
                sys.exit(_refused(unreadable(Path(os.fsdecode(error.filename)), error)))
            raise
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        what = "another project's package of that name lies over tokenize-lab's: install it again"
        sys.exit(_refused(f"{error}; {what}, in a virtual environment of its own"))
    except Interrupted:
        sys.stderr.write("interrupted; what was finished is kept, the same command goes on\n")
        sys.exit(130)


def foreign_package() -> str:
    """Return what is wrong where another project's package is found by one of our names, or ""."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None:
            return f"its package {name} is missing from {HOME}; install it again"
        found = Path((spec.submodule_search_locations or [spec.origin or ""])[0]).resolve()
        if found.parent != HOME:
            asked = os.environ.get("PYTHONPATH", "").split(os.pathsep)
            if found.parent in {Path(folder).resolve() for folder in asked}:
                remedy = f"leave {found.parent} out of PYTHONPATH"
            elif found.parent == Path(sys.path[0]).resolve():
                remedy = f"rename it, or run this from another folder than {found.parent}"
            else:
                remedy = "install tokenize-lab in a virtual environment of its own"
            return f"{found} is found in place of tokenize-lab's own package {name}; {remedy}"
    return ""


def leave_working_folder() -> None:
    """Take the working folder, which `python -m` puts first, off the path that modules are found
    on: a `reports` of the user's own may lie in it. Worker processes inherit the path."""
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != HOME:
        del sys.path[0]


def _refused(message: object) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 2


def _print_version(asked: bool) -> None:
    if not asked:
        return
    import importlib.metadata

    import typer

    from corpora.output import emit

    try:
        version = importlib.metadata.version("tokenize-lab")
    except importlib.metadata.PackageNotFoundError:
        version = "(not installed)"
    emit([f"tokenize-lab {version}\n"])
    raise typer.Exit


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
    leave_working_folder()
    main()
