"""Options of `scaling sweep` that say where its runs are trained."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.errors import InputError
from scaling.cli_output import HOW

if TYPE_CHECKING:
    from scaling.sweep.folder import Sweep, SweepFolder
    from scaling.sweep.state import SweepState
    from scaling.sweep.worker_process import WorkerSettings
    from scaling.train.stop import StopRequest


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
            from tokenize_lab.ray_cluster import look_for

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
        settings: "WorkerSettings",
        retry_failed: bool,
        watch: "Callable[[SweepState], object]",
        stop: "StopRequest",
    ) -> "SweepState":
        """Train what has not ended; as `run_local` and `run_ray`."""
        if self.engine is EngineChoice.RAY:
            from scaling.sweep.ray_engine import run_ray

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
        from scaling.train.machine import device_names

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
