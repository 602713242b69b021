"""What several scaling commands share: their options, and how they print."""

import importlib.util
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.errors import InputError, install_hint
from corpora.output import emit, json_object
from tokenize_lab.cli import complete

if TYPE_CHECKING:
    from scaling.train.machine import MachineSettings

# Options in panels of the help.
how_option = partial(typer.Option, rich_help_panel="How")
output_option = partial(typer.Option, rich_help_panel="Output")
YES_OR_NO = {True: "yes", False: "no", None: ""}  # in tables

ShowOption = Annotated[bool, typer.Option("--show", help="print the file, do nothing else")]
RunArgument = Annotated[Path, typer.Argument(help="folder of a trained run", show_default=False)]


def named_number(option: str, pair: str, wanted: str) -> tuple[str, float]:
    """Return the name and the number of what an option was given as NAME=X.

    Raises:
        InputError: it is not that; saying what is `wanted`, as `NAME=X, as hin=2`.
    """
    name, _, value = pair.rpartition("=")
    try:
        return name, float(value if name else "")
    except ValueError as error:
        raise InputError(f"--{option} {pair}: give {wanted}") from error


class PrecisionChoice(StrEnum):
    """Of matrix products."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


# The settings of the machine, which `machine_settings` takes.
DeviceOption = Annotated[str, how_option(help="cpu, cuda, cuda:N or auto")]
PrecisionOption = Annotated[
    PrecisionChoice | None, how_option(help="bfloat16 on a GPU, else float32", show_default=False)
]
ThreadsOption = Annotated[int | None, how_option(min=1, max=1 << 10, help="of the CPU")]
CompileOption = Annotated[
    bool | None,
    how_option(
        "--compile/--no-compile",
        help="the model; on a GPU unless told otherwise",
        show_default=False,
    ),
]
ShortcutsOption = Annotated[
    str | None,
    how_option(
        help="flex,stream,graphs,text, some of them, or none; all on a GPU unless told otherwise",
        show_default=False,
    ),
]
MicroRowsOption = Annotated[
    int | None, how_option(min=1, max=1 << 20, help="windows computed at once")
]
TogetherOption = Annotated[
    int | None,
    how_option(
        min=1,
        max=1 << 20,
        help="runs alike that are trained as one model; small ones on a GPU unless told otherwise",
        show_default=False,
    ),
]

# Of `plan` and `sweep`.
SweepFileArgument = Annotated[
    Path,
    typer.Argument(
        help="SWEEP.toml: texts, arms, budgets; `micro` for an example",
        autocompletion=complete.toml_files,
    ),
]
CorpusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--corpus",
        "-c",
        help="read this in place of the file's only text",
        autocompletion=complete.corpora,
    ),
]
MixturesOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=1 << 16, help="design so many mixtures of the file's texts, and train on each"
    ),
]
MixtureSeedOption = Annotated[
    int, typer.Option("--mixture-seed", min=0, max=(1 << 63) - 1, help="of that design")
]
SweepOutOption = Annotated[
    Path | None, output_option(help="folder of the sweep; out/sweep/NAME if left out")
]
WorkersOption = Annotated[
    int | None, how_option(min=1, max=1 << 10, help="for each device; one for each core of a CPU")
]
NoCalibrationOption = Annotated[
    bool, how_option("--no-calibration", help="time nothing beforehand")
]


def machine_settings(
    device: str,
    precision: PrecisionChoice | None = None,
    threads: int | None = None,
    micro_rows: int | None = None,
    compile: bool | None = None,
    shortcuts: str | None = None,
    together: int | None = None,
) -> "MachineSettings":
    """Return the options of the machine as its settings."""
    from scaling.train.machine import MachineSettings, shortcuts_of

    return MachineSettings(
        device=device,
        precision=precision.value if precision else None,
        threads=threads,
        micro_rows=micro_rows,
        compile=compile,
        shortcuts=None if shortcuts is None else shortcuts_of(shortcuts),
        together=together,
    )


def require_torch() -> None:
    """Look for the extra `[train]`, without loading it.

    Raises:
        InputError: it is not installed.
    """
    for name in ("torch", "safetensors"):
        if importlib.util.find_spec(name) is None:
            raise InputError(f"models need {name}; {install_hint('train')}")


def print_json(value: Any) -> None:
    """Write strict JSON to stdout: no NaN, no Infinity."""
    emit(json_object(value))


def shown(value: Any) -> str:
    """Return a number, or a mapping of numbers, for people."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(number)}" for name, number in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
