"""`tokenize-lab scaling sweep`: a grid of runs, trained here or on a Ray cluster."""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.output import drawn, emit
from scaling.cli.options import (
    CompileOption,
    CorpusOption,
    DeviceOption,
    MicroRowsOption,
    MixtureSeedOption,
    MixturesOption,
    NoCalibrationOption,
    PrecisionOption,
    ShortcutsOption,
    ShowOption,
    SweepFileArgument,
    SweepOutOption,
    TogetherOption,
    WorkersOption,
    how_option,
    machine_settings,
    print_json,
    require_torch,
)
from scaling.cli.plan import read_sweep

if TYPE_CHECKING:
    from scaling.config.sweep_file import SweepFile
    from scaling.sweep.folder import SweepFolder
    from scaling.sweep.plan import SweepPlan
    from scaling.sweep.status import SweepStatus
    from scaling.train.machine import MachineSettings
    from scaling.tune.rates import RateCheck


elsewhere_option = partial(typer.Option, rich_help_panel="Elsewhere")


class SweepEngine(StrEnum):
    """Who trains the runs."""

    LOCAL = "local"
    RAY = "ray"


def sweep(
    spec: SweepFileArgument,
    corpus: CorpusOption = None,
    mixtures: MixturesOption = None,
    mixture_seed: MixtureSeedOption = 0,
    out: SweepOutOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    micro_rows: MicroRowsOption = None,
    compile: CompileOption = None,
    shortcuts: ShortcutsOption = None,
    workers: WorkersOption = None,
    together: TogetherOption = None,
    engine: Annotated[
        SweepEngine, how_option(help="this machine, or a Ray cluster")
    ] = SweepEngine.LOCAL,
    address: Annotated[
        str | None, how_option(help="of a Ray cluster: auto or HOST:PORT; else one is started here")
    ] = None,
    gpus_per_run: Annotated[
        float | None,
        how_option(min=0, help="of a node of the Ray cluster; .25 for four runs on one"),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="take up again what failed before")
    ] = False,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="first train the grid's ends at 1/4 to 4 times their rate"),
    ] = False,
    prepare_only: Annotated[
        bool, elsewhere_option("--prepare-only", help="make all that the runs need, train none")
    ] = False,
    pack: Annotated[
        Path | None,
        elsewhere_option(help="prepare, and pack it as this .tar.gz", show_default=False),
    ] = None,
    pack_limit: Annotated[
        float | None, elsewhere_option(min=0.001, help="MiB of that file", show_default="64")
    ] = None,
    unpack: Annotated[
        Path | None,
        elsewhere_option(help="take the records out of this .tar.gz", show_default=False),
    ] = None,
    show: ShowOption = False,
    no_calibration: NoCalibrationOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train every run of a sweep, on this machine or on the nodes of a Ray cluster.

    Stopped by Ctrl-C or killed, the same command goes on where it was; runs that have ended are
    not trained again, and what the file no longer asks for is left as it is.

    A machine that has Python, NumPy, PyTorch, safetensors and this folder of source trains what
    was packed here, by `python -m scaling.sweep`, and packs its records for the way back.

    \b
    tokenize-lab scaling sweep micro
    tokenize-lab scaling sweep micro --show > sweep.toml
    tokenize-lab scaling status out/sweep/micro
    tokenize-lab scaling fit out/sweep/micro --law isoflop-surface --out out/sweep/micro
    tokenize-lab report out/sweep/micro
    tokenize-lab scaling sweep micro --tune
    tokenize-lab scaling sweep mix.toml --mixtures 64
    tokenize-lab scaling sweep gpu --engine ray --address auto --gpus-per-run .25
    tokenize-lab scaling sweep gpu --pack sweep.tar.gz
    python -m scaling.sweep SWEEP --unpack sweep.tar.gz --pack records.tar.gz
    tokenize-lab scaling sweep gpu --unpack records.tar.gz
    """
    if show:
        from corpora.toml_file import read_text

        _, path, _ = read_sweep(spec, corpus, out, mixtures, mixture_seed)
        emit([read_text(path)])
        return
    if unpack is not None:
        _, _, folder = read_sweep(spec, corpus, out, mixtures, mixture_seed)
        _unpack(unpack, folder, as_json)
        return
    require_torch()
    _check_engine(engine, address, gpus_per_run)
    prepare_only = prepare_only or pack is not None
    _check_preparing(prepare_only, pack, pack_limit, tune)
    file, path, folder = read_sweep(spec, corpus, out, mixtures, mixture_seed)
    here = _Machine(
        path=path,
        device=device,
        settings=machine_settings(device, precision, 1, micro_rows, compile, shortcuts, together),
        workers=workers,
        calibrate=not no_calibration and not prepare_only,
        elsewhere=prepare_only,
        on_ray={"address": address, "gpus_per_run": gpus_per_run}
        if engine is SweepEngine.RAY
        else None,
        retry_failed=retry_failed,
        as_json=as_json,
    )
    if prepare_only:
        from scaling.sweep.pack import PACK_LIMIT, pack_sweep

        runs = here.prepared(file, folder).runs
        size = None
        if pack is not None:
            size = pack_sweep(folder, pack, limit=pack_limit or PACK_LIMIT)
        _print_prepared(spec, folder, len(runs), pack, size, as_json)
        return
    checks, failed = here.checked(file, folder) if tune else ([], 0)
    status = here.train(file, folder)
    law = "mixture" if file.mixtures else "isoflop-surface"
    _print_end(folder.path, status, time.monotonic() - here.begun, checks, law, as_json)
    if failed or status.counts["failed"] or not status.ended:
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """Where a sweep is prepared or trained, and how; attributes as the command's options.

    Attributes:
        path: of the sweep's file. elsewhere: whether it is trained on another machine.
        on_ray: how on a Ray cluster; None for this machine.
    """

    path: Path
    device: str
    settings: "MachineSettings"
    workers: int | None
    calibrate: bool
    elsewhere: bool
    on_ray: dict[str, Any] | None
    retry_failed: bool
    as_json: bool
    begun: float = field(default_factory=time.monotonic)

    def prepared(self, file: "SweepFile", folder: "SweepFolder") -> "SweepPlan":
        """Plan a sweep, and write what is to be run; one that was told to stop exits."""
        from scaling.sweep.plan import (
            PlanningStoppedError,
            plan_sweep,
            train_byte_model,
            write_plan,
        )
        from scaling.sweep.text import plan_text
        from tokenize_lab.progress import progress

        try:
            with progress(bytes=False) as bars:
                plan = plan_sweep(
                    file,
                    self.path,
                    folder,
                    bars.stage,
                    settings=self.settings,
                    workers=self.workers,
                    calibrate=self.calibrate,
                    elsewhere=self.elsewhere,
                    train_byte_model=partial(train_byte_model, device=self.device),
                )
        except PlanningStoppedError as stopped:
            raise typer.Exit(stopped.exit_code) from None
        if not self.as_json:
            # Not what was asked for, but what is about to happen.
            typer.echo("".join(drawn(plan_text(plan), stderr=True)), nl=False, err=True)
        write_plan(folder, file.name, plan.runs)
        return plan

    def train(self, file: "SweepFile", folder: "SweepFolder") -> "SweepStatus":
        """Train a sweep, and return how it stands; one that was told to stop exits."""
        from scaling.sweep.queue import status_line
        from scaling.train.progress import ProgressPrinter, stop_on_signal

        def live_line(status: "SweepStatus") -> str:
            return status_line(status, time.monotonic() - self.begun)

        plan = self.prepared(file, folder)
        with stop_on_signal() as stop, ProgressPrinter(live_line) as printer:
            status = self._trained(folder, plan.workers, watch=printer, stop=stop)
            printer.write(status)
        if stop.signal is not None and not status.ended:
            sys.stderr.write(f"{folder.path}: saved; run again to go on\n")
            raise typer.Exit(stop.exit_code)
        return status

    def _trained(self, folder: "SweepFolder", workers: int, **watched: Any) -> "SweepStatus":
        """Train the runs of a folder, `workers` at once on a device."""
        shared = {"settings": self.settings, "retry_failed": self.retry_failed, **watched}
        if self.on_ray is not None:
            from scaling.cluster.driver import run_ray

            gpus = {"auto": None, "cpu": 0.0}.get(self.device, 1.0)
            asked = self.on_ray["gpus_per_run"]
            shared["gpus_per_run"] = gpus if asked is None else asked
            return run_ray(folder, address=self.on_ray["address"], at_once=self.workers, **shared)
        from scaling.sweep.local import run_local
        from scaling.sweep.status import StatusReader
        from scaling.train.device import device_names
        from scaling.train.memory import refuse_what_does_not_fit

        devices, left = device_names(self.device), StatusReader(folder).specs_left()
        refuse_what_does_not_fit(left, self.settings, devices, workers)
        return run_local(folder, devices=devices, workers_per_device=workers, **shared)

    def checked(
        self, file: "SweepFile", folder: "SweepFolder"
    ) -> tuple[Sequence["RateCheck"], int]:
        """Train the grid's ends at several learning rates.

        Returns:
            What came of it, and how many of its runs failed.
        """
        from scaling.tune.rates import check_file, make_check_folder, rate_checks

        beside = make_check_folder(folder)
        status = self.train(check_file(file), beside)
        _tell_faults(beside.path, status)
        checks = rate_checks(beside)
        if not self.as_json:
            _print_checks(checks)
        return checks, status.counts["failed"]


def _print_checks(checks: Sequence["RateCheck"]) -> None:
    from scaling.tune.rates import check_rows
    from tokenize_lab.cli.tables import text_table

    headings, rows = check_rows(checks)
    title = "Bits per byte of the grid's ends, at times their learning rate"
    table = text_table(title, headings, rows, left=("patches", "size"), lines=False)
    emit(drawn([table]))


def _check_engine(engine: SweepEngine, address: str | None, gpus_per_run: float | None) -> None:
    """See that the engine can be used, before anything is prepared."""
    if engine is SweepEngine.RAY:
        from tokenize_lab.ray import look_for

        look_for(address)
    for option, value in (("address", address), ("gpus_per_run", gpus_per_run)):
        if engine is SweepEngine.LOCAL and value is not None:
            raise InputError(f'`{option}` is for `engine="ray"`; give both or neither')


def _check_preparing(
    prepare_only: bool, pack: Path | None, pack_limit: float | None, tune: bool
) -> None:
    if pack is None and pack_limit is not None:
        raise InputError("`pack_limit` is for `pack`; give both or neither")
    if prepare_only and tune:
        what = "`tune` trains, and `prepare_only` or `pack` trains nothing"
        raise InputError(f"{what}; leave out one of them")


def _print_prepared(
    spec: Path, folder: "SweepFolder", runs: int, pack: Path | None, size: int | None, as_json: bool
) -> None:
    """Print what is there, and how to go on where it is to be trained."""
    from scaling.train.progress import size_text

    if as_json:
        where = None if pack is None else str(pack)
        print_json({"folder": str(folder.path), "runs": runs, "pack": where, "pack_bytes": size})
        return
    emit([f"{folder.path}: {runs:,} runs prepared\n"])
    there = f"python -m scaling.sweep {folder.path}"
    if pack is not None and size is not None:
        emit([f"{pack}: packed, {size_text(size)}\n"])
        there = f"python -m scaling.sweep SWEEP --unpack {pack.name} --pack records.tar.gz"
    emit([f"train it there:    {there}\n"])
    emit([f"take its records:  tokenize-lab scaling sweep {spec} --unpack records.tar.gz\n"])


def _unpack(archive: Path, folder: "SweepFolder", as_json: bool) -> None:
    """Take what was trained elsewhere, and print how the sweep now stands."""
    from scaling.sweep.pack import unpack_sweep
    from scaling.sweep.status import sweep_status

    found = unpack_sweep(archive, folder)
    status = sweep_status(folder)
    if as_json:
        counts = {str(phase): count for phase, count in status.counts.items()}
        print_json({**counts, "folder": str(folder.path), **asdict(found)})
        return
    kept = f", {found.kept:,} left as they are here" if found.kept else ""
    finished = f"{status.counts['finished']} of {len(status.runs)} runs finished"
    emit([f"{folder.path}: {found.taken:,} runs taken{kept}; {finished}\n"])
    emit([f"see it:  tokenize-lab scaling status {folder.path}\n"])


def _print_end(
    folder: Path,
    status: "SweepStatus",
    seconds: float,
    checks: Sequence["RateCheck"],
    law: str,
    as_json: bool,
) -> None:
    """Print what became of the runs, and how to go on with the law that is likeliest asked for."""
    if as_json:
        counts = {str(phase): count for phase, count in status.counts.items()}
        rates = {"rates": [check.to_json() for check in checks]} if checks else {}
        print_json({**counts, "folder": str(folder), "seconds": seconds, **rates})
    _tell_faults(folder, status)
    if not as_json:
        fit = f"tokenize-lab scaling fit {folder} --law {law} --out {folder}"
        emit([f"{folder}: {status.counts['finished']} of {len(status.runs)} runs finished\n"])
        emit([f"see it:  tokenize-lab scaling status {folder}\nfit it:  {fit}\n"])
        emit([f"show it: tokenize-lab report {folder}\n"])


def _tell_faults(folder: Path, status: "SweepStatus") -> None:
    for run in status.runs:
        if run.phase in ("failed", "diverged"):
            sys.stderr.write(f"{folder / 'runs' / run.job.run_id}: {run.phase}: {run.reason}\n")
