"""Training the runs of a sweep on a Ray cluster, whose nodes may die and need share no disk.

Each run is one task of Ray. What it needs goes along, its files come back, and only this process
writes in the sweep's folder: so a run ends exactly once, wherever and however often it was begun,
and the folder says at any time how far each is.

When the head of a cluster dies, Ray ends this process after a minute; the same call goes on.
"""

import contextlib
import hashlib
import itertools
import math
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from corpora.files import written_whole
from corpora.locks import lock
from scaling.cluster.node import (
    KEPT,
    Outcome,
    PackedTexts,
    ProgressActor,
    Task,
    forget,
    run_task,
    version,
    write_files,
)
from scaling.record import SPEC
from scaling.sweep.folder import SweepFolder, branches_of
from scaling.sweep.queue import RunQueue, WatchSweep, drive
from scaling.sweep.run_folder import CHECKPOINT, LOCK, remove_torn
from scaling.sweep.status import SweepStatus
from scaling.train.machine import MachineSettings
from scaling.train.metrics import METRICS
from scaling.train.progress import StopRequest
from tokenize_lab.ray import cluster, has_gpus, on_every_node, slots

_TICK_SECONDS = 0.2
_COUNT_SECONDS = 2.0
_AHEAD = 2  # runs that wait at the cluster, so that one that grows by demand sees some


def run_ray(
    folder: SweepFolder,
    *,
    address: str | None = None,
    gpus_per_run: float | None = None,
    cpus_per_run: float = 1.0,
    at_once: int | None = None,
    settings: MachineSettings | None = None,
    retry_failed: bool = False,
    watch: WatchSweep | None = None,
    stop: StopRequest | None = None,
) -> SweepStatus:
    """Train every run that has not ended, the longest first, and return how the sweep stands.

    As `run_local`, with the same bits on CPUs: a run that fails is tried once more, one whose node
    died is trained again elsewhere, and a request to stop has every run saved and fetched first.

    Args:
        address: `auto` or HOST:PORT of a cluster; None to start one on this machine.
        gpus_per_run: of a node, also a part of one; 0 for CPUs; None for one where there are any.
        cpus_per_run: of a node.
        at_once: runs, at most; None for as many as there is room for.
        retry_failed, watch, stop: as of `run_local`.

    Raises:
        InputError: Ray or the cluster is not there, or a node lacks this program or a device;
            another process drives the sweep, a run is there twice, its specification or record
            cannot be read, or the folder cannot be written.
        RuntimeError: tasks do not start, for no reason a person could put right.
    """
    if cpus_per_run <= 0 or (gpus_per_run or 0) < 0 or (at_once is not None and at_once < 1):
        raise ValueError("a run needs some of a CPU, and no less than no GPU")

    def train(queue: RunQueue) -> None:
        with cluster(address, at_once) as ray:
            gpus = float(has_gpus(ray)) if gpus_per_run is None else gpus_per_run
            machine = replace(
                settings or MachineSettings(threads=1),
                device="cuda" if gpus else "cpu",
                # How many runs a node's CPUs hold at once is Ray's to decide.
                processes=math.floor(1 / gpus) if 0 < gpus < 1 else 1,
            )
            driver = RayDriver(ray, queue, machine, cpus_per_run, gpus, at_once)
            try:
                driver.run()
            finally:
                driver.release()

    return drive(folder, train, retry_failed=retry_failed, watch=watch, stop=stop)


@dataclass
class InFlight:
    """A run that was handed to the cluster as a task, with the lock of its folder."""

    run_id: str
    task: int
    lock: contextlib.ExitStack
    begun: bool = False


class RayDriver:
    """The runs at the cluster, and what becomes of them; each takes so many CPUs and GPUs."""

    def __init__(
        self,
        ray: Any,
        queue: RunQueue,
        machine: MachineSettings,
        cpus: float,
        gpus: float,
        at_once: int | None,
    ) -> None:
        self.ray, self.queue, self.folder, self.machine = ray, queue, queue.folder, machine
        self.cpus, self.gpus, self.at_once = cpus, gpus, at_once
        self.texts = PackedTexts(ray, self.folder)
        self.in_flight: dict[Any, InFlight] = {}  # by the reference to what will come of it
        self.numbers = itertools.count()
        self.room, self.counted = 0, -_COUNT_SECONDS
        self.count()
        if not self.room:
            also = f" and {gpus:g} GPUs" if gpus else ""
            raise InputError(
                f"no node of the Ray cluster has {cpus:g} CPUs{also} for a run; add such a node, or"
                " ask for less"
            )
        self.actor = ray.remote(num_cpus=0, max_restarts=-1)(ProgressActor).remote()
        # A task that ends with its node is begun again by the queue, which counts.
        remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)
        self.begin = remote(run_task).remote
        path = f"{platform.node()}:{self.folder.path.resolve()}"
        self.name = hashlib.sha256(path.encode()).hexdigest()[:16]
        self.news: Any = None

    def run(self) -> None:
        """Keep the cluster busy until every run has ended, or all that were begun are saved."""
        queue = self.queue
        while self.in_flight or (queue.waiting and queue.stop.signal is None):
            if queue.stop.signal is None:
                self.count()
                self.submit()
            else:
                self.cancel()
            if self.in_flight:
                done, _ = self.ray.wait(list(self.in_flight), timeout=_TICK_SECONDS)
                for reference in done:
                    self.collect(reference, self.in_flight.pop(reference))
            else:
                time.sleep(_TICK_SECONDS)  # other processes hold what is left
            self.hear()
            queue.tell()
        if not queue.waiting:
            on_every_node(self.ray, forget, self.name)

    def count(self) -> None:
        """See how many runs there is room for; nodes come and go."""
        now = time.monotonic()
        if now - self.counted >= _COUNT_SECONDS:
            self.counted = now
            self.room = slots(self.ray, self.cpus, self.gpus)

    def submit(self) -> None:
        """Hand runs to the cluster, the longest first, as many as it has room for."""
        busy = []
        most = self.at_once or self.room + _AHEAD
        while len(self.in_flight) < most and (run_id := self.queue.take()):
            held = contextlib.ExitStack()
            try:
                path = self.folder.run(run_id) / LOCK
                if not held.enter_context(lock(path, lambda: True)):
                    busy.append(run_id)
                    continue
                remove_torn(self.folder.run(run_id))
                task = self.task(run_id)
                reference = self.begin(task, self.actor)
            except InputError as error:
                held.close()
                self.queue.failed(run_id, str(error))
                continue
            self.in_flight[reference] = InFlight(run_id, task.number, held)
        self.queue.waiting.extendleft(reversed(busy))

    def task(self, run_id: str) -> Task:
        """Return what a node needs to train a run, or to go on with it."""
        job, run = self.queue.jobs[run_id], self.folder.run(run_id)
        try:
            # The checkpoint first: metrics may run ahead of it, and not fall behind.
            names = [name for name in reversed(KEPT) if (run / name).exists()]
            kept = {name: (run / name).read_bytes() for name in names}
            spec = (run / SPEC).read_text("utf-8")
            branches = {
                branch: (step, (self.folder.run(branch) / SPEC).read_text("utf-8"))
                for branch, step in branches_of(self.queue.jobs.values(), run_id).items()
            }
        except OSError as error:
            raise InputError(f"{run}: cannot be read ({error.strerror})") from error
        return Task(
            number=next(self.numbers),
            sweep=self.name,
            version=version(),
            job=job,
            spec=spec,
            text=self.texts.get(job.shards),
            kept=kept,
            machine=self.machine,
            branches=branches,
        )

    def cancel(self) -> None:
        """Have runs that were begun saved, and the others not begun."""
        self.actor.stop.remote()
        for reference, flight in self.in_flight.items():
            if not flight.begun:
                self.ray.cancel(reference)

    def collect(self, reference: Any, flight: InFlight) -> None:
        """Take what came of a run."""
        errors, run_id = self.ray.exceptions, flight.run_id
        with flight.lock:
            try:
                outcome: Outcome = self.ray.get(reference)
            except errors.TaskCancelledError:
                self.queue.requeue(run_id)
            except errors.RayTaskError as error:
                last = str(error).strip().splitlines()[-1]
                what = f"a node of the Ray cluster cannot run this program ({last})"
                way = "each needs the same version of it, with the extras [train,ray]"
                raise InputError(f"{what}; {way}") from error
            except errors.RuntimeEnvSetupError as error:
                raise RuntimeError(f"Ray starts no task: {error}") from error
            except errors.RayError as error:
                what, _, _ = str(error).partition("\n")
                how = f"a node of the cluster lost it: {type(error).__name__}: {what}"
                self.queue.killed(run_id, how)
            else:
                self.keep(run_id, outcome)

    def keep(self, run_id: str, outcome: Outcome) -> None:
        """Write the files of a run, and note what became of it."""
        if outcome.status == "refused":
            raise InputError(outcome.reason)
        try:
            write_files(self.folder.run(run_id), outcome.files)
            for branch, files in outcome.branches.items():
                self.leave(branch, files)
        except InputError as error:
            self.queue.failed(run_id, str(error))
            return
        if outcome.status == "failed":
            self.queue.failed(run_id, outcome.reason)
        elif outcome.status == "interrupted":
            self.queue.requeue(run_id)
        else:
            self.queue.released(run_id)

    def leave(self, branch: str, files: dict[str, bytes]) -> None:
        """Write what a run left for one that goes on from it, unless that has done so before."""
        run = self.folder.run(branch)
        if not (run / CHECKPOINT).exists() and not self.queue.has_ended(branch):
            first = {name: content for name, content in files.items() if name != CHECKPOINT}
            write_files(run, first)
            write_files(run, files)

    def hear(self) -> None:
        """Write the metrics that came of runs under way."""
        if self.news is not None and self.ray.wait([self.news], timeout=0)[0]:
            with contextlib.suppress(self.ray.exceptions.RayError):
                self.note(self.ray.get(self.news))
            self.news = None
        if self.news is None:
            self.news = self.actor.read.remote()

    def note(self, news: dict[int, tuple[int, bytes]]) -> None:
        """Note which runs have begun, and write how far they are where their status is read."""
        for flight in self.in_flight.values():
            if flight.task not in news:
                continue
            if not flight.begun:
                flight.begun = True
                self.queue.started(flight.run_id)
            add_metrics(self.folder.run(flight.run_id) / METRICS, *news[flight.task])

    def release(self) -> None:
        """Open the locks of runs that are still away."""
        for flight in self.in_flight.values():
            flight.lock.close()


def add_metrics(path: Path, begin: int, lines: bytes) -> None:
    """Add to a run's metrics what a node has sent of them, beginning at a byte.

    What does not follow what is there, or cannot be written, comes with the end of the run.
    """
    with contextlib.suppress(OSError, InputError):
        if path.is_symlink():
            return  # nothing is written where it leads
        if not lines:
            path.touch()
        elif begin == 0:
            with written_whole(path) as temporary:
                temporary.write_bytes(lines)
        elif path.stat().st_size == begin:
            with path.open("ab") as file:
                file.write(lines)
