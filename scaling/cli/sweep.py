"""`tokenize-lab scaling plan` and `sweep`: a grid of runs, priced, then trained."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.errors import InputError
from corpora.output import drawn, emit
from scaling.cli.output import HOW, OUTPUT, AsJson, print_json, require_torch
from scaling.cli.train import Device, MicroRows, Precision
from tokenize_lab.progress import Stage, progress

# Options of `scaling sweep` that say where its runs are trained.


if TYPE_CHECKING:
    from scaling.sweep.folder import Sweep, SweepFolder
    from scaling.sweep.state import SweepState
    from scaling.train.progress import StopRequest


class EngineChoice(StrEnum):
    """Who trains the runs."""

    LOCAL = "local"
    RAY = "ray"


Engine = Annotated[
    EngineChoice, typer.Option(help="this machine, or a Ray cluster", rich_help_panel=HOW)
]
Address = Annotated[
    str | None,
    typer.Option(
        help="of a Ray cluster: auto or HOST:PORT; else one is started here", rich_help_panel=HOW
    ),
]
GpusPerRun = Annotated[
    float | None,
    typer.Option(
        min=0, help="of a node of the Ray cluster; .25 for four runs on one", rich_help_panel=HOW
    ),
]


@dataclass(frozen=True)
class Where:
    """Where runs are trained, as typed.

    Attributes:
        engine, address, gpus_per_run, device: the options of those names.
        workers: at once, on the cluster or on each device; None for as many as there is room for.
    """

    engine: EngineChoice
    address: str | None
    gpus_per_run: float | None
    device: str
    workers: int | None

    def check(self) -> None:
        """See that it can be, before anything is prepared.

        Raises:
            InputError: options contradict one another, Ray is not installed, or nobody listens.
        """
        if self.engine is EngineChoice.RAY:
            from tokenize_lab.ray import look_for

            look_for(self.address)
            return
        for option, value in (("--address", self.address), ("--gpus-per-run", self.gpus_per_run)):
            if value is not None:
                raise InputError(f"{option}: is for --engine ray; give both or neither")

    def run(
        self,
        folder: "SweepFolder",
        sweep: "Sweep",
        many: int,
        settings: "MachineSettings",
        retry_failed: bool,
        watch: "Callable[[SweepState], object]",
        stop: "StopRequest",
    ) -> "SweepState":
        """Train what has not ended; as `run_local` and `run_ray`."""
        if self.engine is EngineChoice.RAY:
            from scaling.sweep.ray import run_ray

            gpus = {"auto": None, "cpu": 0.0}.get(self.device, 1.0)
            return run_ray(
                folder,
                sweep.jobs,
                address=self.address,
                gpus_per_run=gpus if self.gpus_per_run is None else self.gpus_per_run,
                at_once=self.workers,
                settings=settings,
                retry_failed=retry_failed,
                watch=watch,
                stop=stop,
            )
        from scaling.sweep.local import run_local
        from scaling.train.device import device_names

        return run_local(
            folder,
            sweep.jobs,
            devices=device_names(self.device),
            workers_per_device=many,
            settings=settings,
            retry_failed=retry_failed,
            watch=watch,
            stop=stop,
        )


if TYPE_CHECKING:
    from scaling.config.sweep_file import SweepFile
    from scaling.prepare import PreparedText
    from scaling.spec import RunSpec
    from scaling.sweep.plan import PlannedRun
    from scaling.sweep.state import SweepState
    from scaling.train.machine import MachineSettings

_CALIBRATION_SECONDS = 20.0
_LONGEST_NAME = 200  # bytes; file systems take 255

SweepPath = Annotated[
    Path, typer.Argument(help="SWEEP.toml: texts, arms, budgets; `micro` for an example")
]
Corpus = Annotated[
    list[str] | None,
    typer.Option("--corpus", "-c", help="read this in place of the file's only text"),
]
Out = Annotated[
    Path | None,
    typer.Option(help="folder of the sweep; out/sweep/NAME if left out", rich_help_panel=OUTPUT),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="for each device; one for each core of a CPU", rich_help_panel=HOW),
]
Quick = Annotated[
    bool, typer.Option("--no-calibration", help="time nothing beforehand", rich_help_panel=HOW)
]


def plan(
    spec: SweepPath,
    corpus: Corpus = None,
    out: Out = None,
    suggest: Annotated[
        float | None,
        typer.Option(min=0.01, help="hours there are: print budgets that fill them"),
    ] = None,
    device: Device = "auto",
    workers: Workers = None,
    no_calibration: Quick = False,
    as_json: AsJson = False,
) -> None:
    """Price every run of a sweep, and train none.

    Text and tokenizers are prepared, since they say how many bytes a token holds; a few steps of a
    few models are timed for 20 seconds. Entropy patches are taken to be as long as asked for.

    \b
    tokenize-lab scaling plan micro
    tokenize-lab scaling plan sweep.toml --suggest 2
    """
    require_torch()
    from scaling.sweep.plan_text import plan_row, plan_text

    tables, path, folder = _read(spec, corpus, out)
    many = _workers(device, workers)
    with progress(bytes=False) as bars:
        runs, speed = _priced(
            tables, path, folder, device, many, bars.stage, not no_calibration, None
        )
    if suggest is not None:
        _print_suggestion(tables, path, runs, speed, suggest, device, many, as_json)
        return
    if as_json:
        print_json([plan_row(run) for run in runs])
    else:
        emit(drawn(plan_text(tables.name, runs, many)))


def sweep(
    spec: SweepPath,
    corpus: Corpus = None,
    out: Out = None,
    device: Device = "auto",
    precision: Precision = None,
    micro_rows: MicroRows = None,
    workers: Workers = None,
    engine: Engine = EngineChoice.LOCAL,
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="take up again what failed before")
    ] = False,
    no_calibration: Quick = False,
    as_json: AsJson = False,
) -> None:
    """Train every run of a sweep, on this machine or on the nodes of a Ray cluster.

    Stopped by Ctrl-C or killed, the same command goes on where it was; runs that have ended are
    not trained again, and what the file no longer asks for is left as it is.

    \b
    tokenize-lab scaling sweep micro
    tokenize-lab scaling status out/sweep/micro
    tokenize-lab scaling fit out/sweep/micro --law isoflop-surface --out out/sweep/micro
    tokenize-lab report out/sweep/micro
    tokenize-lab scaling sweep gpu --engine ray --address auto --gpus-per-run .25
    """
    require_torch()
    where = Where(engine, address, gpus_per_run, device, workers)
    where.check()
    from rich.console import Console

    from scaling.sweep.folder import SweepFolder
    from scaling.sweep.plan import write_plan
    from scaling.sweep.plan_text import plan_text
    from scaling.sweep.status_text import Told
    from scaling.train.machine import MachineSettings
    from scaling.train.progress import heard

    tables, path, folder = _read(spec, corpus, out)
    many = _workers(device, workers)
    with progress(bytes=False) as bars:
        runs, _ = _priced(
            tables, path, folder, device, many, bars.stage, not no_calibration, _train
        )
    if not as_json:
        # Not what was asked for, but what is about to happen.
        Console(stderr=True).print(*plan_text(tables.name, runs, many), sep="\n", highlight=False)
    sweep_folder = SweepFolder(folder)
    listed = write_plan(sweep_folder, tables.name, runs)
    settings = MachineSettings(
        precision=precision.value if precision else None, micro_rows=micro_rows, threads=1
    )
    with heard() as stop, Told() as told:
        state = where.run(sweep_folder, listed, many, settings, retry_failed, told, stop)
    if stop.signal is not None and not state.ended:
        sys.stderr.write(f"{folder}: saved; run again to go on\n")
        raise typer.Exit(stop.exit_code)
    _print_end(folder, state, as_json)
    if state.counts["failed"] or not state.ended:
        raise typer.Exit(1)


def _read(spec: Path, corpus: list[str] | None, out: Path | None) -> tuple["SweepFile", Path, Path]:
    from corpora.open import corpus_relative_to
    from scaling.config.sweep_file import read_sweep_file
    from scaling.config.toml_file import example

    tables, path = read_sweep_file(spec), example(spec)
    if corpus:  # one typed is relative to where one is, and the file's to its folder
        tables = tables.with_corpus([corpus_relative_to(Path.cwd(), typed) for typed in corpus])
    return tables, path, out if out is not None else Path("out/sweep") / folder_name(tables.name)


def folder_name(name: str) -> str:
    """Return a sweep's name as one of a folder, at most 200 bytes of it."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".") or "sweep"
    # File systems count bytes, and a letter may have four. Two sweeps that are one beyond these
    # are still told apart: a folder takes no other sweep than its own.
    return kept.encode()[:_LONGEST_NAME].decode(errors="ignore")


def _priced(
    tables: "SweepFile",
    path: Path,
    folder: Path,
    device: str,
    workers: int,
    stage: Stage,
    calibrate: bool,
    train_byte_model: Any,
) -> tuple[list["PlannedRun"], Any]:
    from scaling.sweep.cells import cells_of, prepare_texts
    from scaling.sweep.folder import SweepFolder
    from scaling.sweep.plan import calibrated, planned, with_memory_marks

    machine = _machine(device)
    cells = cells_of(tables, path)
    texts = prepare_texts(cells, SweepFolder(folder), stage, train_byte_model)
    runs = with_memory_marks(planned(cells, texts), machine, workers)
    if not calibrate:
        return runs, None
    advance = stage("timing a few steps", round(_CALIBRATION_SECONDS))
    speed = calibrated(runs, machine, _CALIBRATION_SECONDS, advance)
    return speed.timed(runs), speed


def _machine(device: str) -> "MachineSettings":
    from scaling.train.machine import MachineSettings

    # A wrong one shows before the text is read.
    return MachineSettings(device=device, threads=1).checked()


def _train(spec: "RunSpec", text: "PreparedText", folder: Path) -> None:
    """Train a byte model to its end."""
    from scaling.data.shards import open_shards
    from scaling.train.progress import LogWatch, heard
    from scaling.train.run import train

    watch = LogWatch()
    sys.stderr.write(f"training the {spec.name}\n")
    with heard() as stop:
        shards = open_shards(text.shards)
        record = train(spec, shards, folder, _machine("cpu"), watch, stop=stop)
    watch.close()
    if record.status == "interrupted":
        raise typer.Exit(stop.exit_code)
    if record.status != "finished":
        raise InputError(f"{folder}: the byte model {record.status}: {record.reason}")


def _workers(device: str, workers: int | None) -> int:
    if workers is not None:
        return workers
    from scaling.train.device import device_names

    if device_names(device) != ["cpu"]:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print_suggestion(
    tables: "SweepFile",
    path: Path,
    runs: Sequence["PlannedRun"],
    speed: Any,
    hours: float,
    device: str,
    workers: int,
    as_json: bool,
) -> None:
    from scaling.sweep.cells import cells_of
    from scaling.sweep.plan import planned, suggest, with_memory_marks

    if speed is None:
        raise InputError("--suggest needs the machine's speed; leave out --no-calibration")
    texts = {run.cell.tokenization: run.text for run in runs}
    machine = _machine(device)

    def price(budgets: Sequence[float]) -> list["PlannedRun"]:
        other = tables.with_budgets(budgets)
        others = planned(cells_of(other, path), texts)
        timed: list[PlannedRun] = speed.timed(with_memory_marks(others, machine, workers))
        return timed

    found = suggest(tables.compute_flops, price, 3600 * hours, workers)
    if as_json:
        print_json(found._asdict())
        return
    budgets = ", ".join(f"{budget:.2g}" for budget in found.compute_flops)
    short = f"; {found.short} runs would be too short for fits" if found.short else ""
    emit(
        [
            f"compute_flops = [{budgets}]\n# about {found.seconds / 3600:.2g} hours with {workers}"
            f" worker{'s' if workers > 1 else ''}{short}\n"
        ]
    )


def _print_end(folder: Path, state: "SweepState", as_json: bool) -> None:
    if as_json:
        counts = {str(phase): count for phase, count in state.counts.items()}
        print_json({**counts, "folder": str(folder), "seconds": state.seconds})
    for run_id, cell in state.runs.items():
        if cell.phase in ("failed", "diverged"):
            sys.stderr.write(f"{folder / 'runs' / run_id}: {cell.phase}: {cell.reason}\n")
    for run_id, why in state.unwritten.items():
        sys.stderr.write(f"{folder / 'runs' / run_id}: no record could be written: {why}\n")
    if not as_json:
        emit(
            [
                f"{folder}: {state.counts['finished']} of {len(state.runs)} runs finished\n",
                f"see it:  tokenize-lab scaling status {folder}\n",
                f"fit it:  tokenize-lab scaling fit {folder} --law isoflop-surface"
                f" --out {folder}\n",
                f"show it: tokenize-lab report {folder}\n",
            ]
        )
