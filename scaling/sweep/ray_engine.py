"""Training the runs of a sweep on a Ray cluster, whose nodes may die and need share no disk.

Each run is one task of Ray. What it needs goes along, its files come back, and only this process
writes in the sweep's folder: so a run ends exactly once, wherever and however often it was begun.

When the head of a cluster dies, Ray ends this process after a minute; the same call goes on.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from scaling.sweep.docket import Docket
from scaling.sweep.driving import Watch, drive
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.ray_driver import Needs, RayDriver
from scaling.sweep.state import SweepState
from scaling.sweep.worker_process import WorkerSettings
from scaling.train.stop import StopRequest
from tokenize_lab.ray_cluster import cluster, has_gpus


def run_ray(
    folder: SweepFolder,
    jobs: Sequence[Job],
    *,
    address: str | None = None,
    gpus_per_run: float | None = None,
    cpus_per_run: float = 1.0,
    at_once: int | None = None,
    settings: WorkerSettings | None = None,
    retry_failed: bool = False,
    watch: Watch | None = None,
    stop: StopRequest | None = None,
) -> SweepState:
    """Train every run that has not ended, the longest first, and return how the sweep stands.

    As `run_local`, with the same bits on CPUs: a run that fails is tried once more, one whose node
    died is trained again elsewhere, and a request to stop has every run saved and fetched first.

    Args:
        address: `auto` or HOST:PORT of a cluster; None to start one on this machine.
        gpus_per_run: of a node, also a part of one; 0 for CPUs; None for one where there are any.
        cpus_per_run: of a node.
        at_once: runs, at most; None for as many as there is room for.
        retry_failed: whether runs whose record says `failed` are taken up again.
        watch: told how the sweep stands, a few times a second.
        stop: where a request to stop is noted, as by `scaling.train.stop.heard`.

    Raises:
        InputError: Ray or the cluster is not there, or a node lacks this program or a device;
            another process drives the sweep, a run is there twice, its specification or record
            cannot be read, or the folder cannot be written.
        RuntimeError: tasks do not start, for no reason a person could put right.
    """
    if cpus_per_run <= 0 or (gpus_per_run or 0) < 0 or (at_once is not None and at_once < 1):
        raise ValueError("a run needs some of a CPU, and no less than no GPU")

    def work_off(docket: Docket) -> None:
        if not docket.waiting:
            return
        with cluster(address, at_once) as ray:
            gpus = float(has_gpus(ray)) if gpus_per_run is None else gpus_per_run
            # How many runs a node's CPUs hold at once is Ray's to decide.
            sharers = math.floor(1 / gpus) if 0 < gpus < 1 else 1
            driver = RayDriver(
                ray,
                folder,
                docket,
                {job.run_id: job for job in jobs},
                Needs(cpus_per_run, gpus, at_once),
                replace(settings or WorkerSettings(), sharers=sharers),
                stop or StopRequest(),
            )
            try:
                driver.run(watch)
            finally:
                driver.let_go()

    return drive(folder, jobs, work_off, retry_failed=retry_failed, watch=watch)
