"""The command in tests: one line of words in; exit code, stdout and stderr out.

done = command(f"measure {corpus} -t byte --out {tmp_path}")
rows = answer(f"measure {corpus} -t byte")         # with --json: checked and parsed
line = mistake("scaling train no-such-file")       # exit code 2, a line on stderr
done = process("demo", cwd=tmp_path)               # the same in a process of its own
"""

import functools
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.testing import CliRunner

from corpora.errors import InputError, as_options
from tests.conftest import ROOT
from tokenize_lab.__main__ import build_app, options_of

PLAIN = {"COLUMNS": "200", "NO_COLOR": "1"}


class Done(NamedTuple):
    """What came of a command."""

    exit_code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Return stdout as strict JSON: no NaN, no Infinity, nothing beside it."""
        return json.loads(self.stdout, parse_constant=_refuse)


def command(
    line: str,
    *more: str | Path,
    stdin: str | bytes | None = None,
    env: Mapping[str, str | None] | None = None,
) -> Done:
    """Run `tokenize-lab LINE MORE...` in this process.

    Args:
        line: words as in a shell. more: further words, taken as they are (paths with spaces).
    """
    words = [*shlex.split(line), *map(str, more)]
    result = CliRunner().invoke(_app(), words, input=stdin, env={**PLAIN, **(env or {})})
    error = result.exception
    if isinstance(error, InputError):  # as `tokenize_lab.__main__.main` does
        message = as_options(str(error), options_of(_app(), words))
        return Done(2, result.stdout, f"{result.stderr}error: {message}\n")
    if error is not None and not isinstance(error, SystemExit):
        raise error
    return Done(result.exit_code, result.stdout, result.stderr)


def process(
    line: str,
    *more: str | Path,
    cwd: Path = ROOT,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run `tokenize-lab LINE MORE...` as `command`, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tokenize_lab", *shlex.split(line), *map(str, more)],
        cwd=cwd,
        env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT), **(env or {})},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def answer(line: str, *more: str | Path, stdin: str | bytes | None = None) -> Any:
    """Run a command with --json, require that it succeeds, and return what it printed."""
    done = command(line, *more, "--json", stdin=stdin)
    assert done.exit_code == 0, done.stderr
    return done.json()


def mistake(line: str | Done, *more: str | Path) -> str:
    """Require exit code 2, nothing on stdout and a line of error at the end of stderr; return it.

    Args:
        line: words as `command` takes them, or what has come of a command.
    """
    done = line if isinstance(line, Done) else command(line, *more)
    assert (done.exit_code, done.stdout) == (2, ""), done
    before, error, message = done.stderr.rpartition("error: ")
    assert error and (not before or before.endswith("\n")), done.stderr
    assert message.count("\n") == 1 and message.endswith("\n"), done.stderr
    return message.removesuffix("\n")


@functools.cache
def _app() -> typer.Typer:
    return build_app()


def _refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is not strict JSON")
