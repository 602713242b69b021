"""Handing the runs of a sweep to a Ray cluster, and taking what comes back."""

import contextlib
import hashlib
import math
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from corpora.errors import InputError
from corpora.files import lock
from scaling.record import SPEC
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.queue import LOCK, Docket, Watch, drive, remove_torn
from scaling.sweep.ray_worker import (
    KEPT,
    Errand,
    Outcome,
    Post,
    Texts,
    forget,
    run_errand,
    version,
    write_files,
)
from scaling.sweep.state import ENDS, SweepState
from scaling.train.machine import MachineSettings
from scaling.train.progress import StopRequest
from tokenize_lab.ray import cluster, has_gpus, on_every_node, slots

_TICK_SECONDS = 0.2
_COUNT_SECONDS = 2.0
_AHEAD = 2  # runs that wait at the cluster, so that one that grows by demand sees some


@dataclass(frozen=True)
class Needs:
    """What runs take.

    Attributes:
        cpus, gpus: of a node, for each run.
        at_once: runs, at most; None for as many as there is room for.
    """

    cpus: float
    gpus: float
    at_once: int | None


@dataclass
class _Flight:
    """A run that was handed to the cluster, with the lock of its folder."""

    run_id: str
    held: contextlib.ExitStack
    begun: bool = False


class RayDriver:
    """The runs at the cluster, and what becomes of them."""

    def __init__(
        self,
        ray: Any,
        folder: SweepFolder,
        docket: Docket,
        jobs: Mapping[str, Job],
        needs: Needs,
        settings: MachineSettings,
        stop: StopRequest,
    ) -> None:
        self.ray, self.folder, self.docket, self.jobs = ray, folder, docket, jobs
        self.needs, self.settings, self.stop = needs, settings, stop
        self.texts = Texts(ray, folder)
        self.flights: dict[Any, _Flight] = {}  # by the reference to what will come of it
        self.room, self.counted = 0, -_COUNT_SECONDS
        self.count()
        if not self.room:
            gpus = f" and {needs.gpus:g} GPUs" if needs.gpus else ""
            raise InputError(
                f"no node of the Ray cluster has {needs.cpus:g} CPUs{gpus} for a run; add such a"
                " node, or ask for less"
            )
        self.post = ray.remote(num_cpus=0, max_restarts=-1)(Post).remote()
        # A task that ends with its node is begun again by the docket, which counts.
        task = ray.remote(num_cpus=needs.cpus, num_gpus=needs.gpus, max_retries=0)
        self.begin = task(run_errand).remote
        path = f"{platform.node()}:{folder.path.resolve()}"
        self.name = hashlib.sha256(path.encode()).hexdigest()[:16]
        self.news: Any = None

    def run(self, watch: Watch | None) -> None:
        """Keep the cluster busy until every run has ended, or all that were begun are saved."""
        while self.flights or (self.docket.waiting and self.stop.signal is None):
            if self.stop.signal is None:
                self.count()
                self.send_off()
            else:
                self.call_back()
            if self.flights:
                done, _ = self.ray.wait(list(self.flights), timeout=_TICK_SECONDS)
                for reference in done:
                    self.land(reference, self.flights.pop(reference))
            else:
                time.sleep(_TICK_SECONDS)  # other processes hold what is left
            self.hear()
            if watch is not None:
                watch(self.docket.board.state(sum(one.begun for one in self.flights.values())))
        if not self.docket.waiting:
            on_every_node(self.ray, forget, self.name)

    def count(self) -> None:
        """See how many runs there is room for; nodes come and go."""
        now = time.monotonic()
        if now - self.counted >= _COUNT_SECONDS:
            self.counted = now
            self.room = slots(self.ray, self.needs.cpus, self.needs.gpus)

    def send_off(self) -> None:
        """Hand runs to the cluster, the longest first, as many as it has room for."""
        waiting, busy = self.docket.waiting, []
        most = self.needs.at_once or self.room + _AHEAD
        while waiting and len(self.flights) < most:
            run_id = waiting.popleft()
            held = contextlib.ExitStack()
            try:
                path = self.folder.run(run_id) / LOCK
                if not held.enter_context(lock(path, lambda: True)):
                    busy.append(run_id)
                    continue
                remove_torn(self.folder.run(run_id))
                reference = self.begin(self.errand(run_id), self.post)
            except InputError as error:
                held.close()
                self.docket.failed(run_id, str(error))
                continue
            self.flights[reference] = _Flight(run_id, held)
        waiting.extendleft(reversed(busy))

    def errand(self, run_id: str) -> Errand:
        """Return what a node needs to train a run, or to go on with it."""
        job, run = self.jobs[run_id], self.folder.run(run_id)
        try:
            # The checkpoint first: metrics may run ahead of it, and not fall behind.
            names = [name for name in reversed(KEPT) if (run / name).exists()]
            kept = {name: (run / name).read_bytes() for name in names}
            spec = (run / SPEC).read_text("utf-8")
        except OSError as error:
            raise InputError(f"{run}: cannot be read ({error.strerror})") from error
        return Errand(
            sweep=self.name,
            version=version(),
            job=job,
            spec=spec,
            text=self.texts.packed(job.shards),
            kept=kept,
            device="cuda" if self.needs.gpus else "cpu",
            settings=self.settings,
        )

    def call_back(self) -> None:
        """Have runs that were begun saved, and the others not begun."""
        self.post.stop.remote()
        for reference, flight in self.flights.items():
            if not flight.begun:
                self.ray.cancel(reference)

    def land(self, reference: Any, flight: _Flight) -> None:
        """Take what came of a run."""
        errors, run_id = self.ray.exceptions, flight.run_id
        with flight.held:
            try:
                outcome: Outcome = self.ray.get(reference)
            except errors.TaskCancelledError:
                self.docket.put_back(run_id)
            except errors.RayTaskError as error:
                last = str(error).strip().splitlines()[-1]
                raise InputError(
                    f"a node of the Ray cluster cannot run this program ({last}); each needs the"
                    " same version of it, with the extras [train,ray]"
                ) from error
            except errors.RuntimeEnvSetupError as error:
                raise RuntimeError(f"Ray starts no task: {error}") from error
            except errors.RayError as error:
                what, _, _ = str(error).partition("\n")
                self.lost(run_id, f"{type(error).__name__}: {what}")
            else:
                self.keep(run_id, outcome)

    def lost(self, run_id: str, how: str) -> None:
        """Take a run back whose node, or process there, is gone."""
        if self.stop.signal is not None:
            self.docket.put_back(run_id)
        else:
            self.docket.killed(run_id, f"a node of the cluster lost it: {how}")

    def keep(self, run_id: str, outcome: Outcome) -> None:
        """Write the files of a run, and note how it stands."""
        if outcome.status == "refused":
            raise InputError(outcome.reason)
        try:
            write_files(self.folder.run(run_id), outcome.files)
        except InputError as error:
            self.failed(run_id, str(error))
            return
        if outcome.status in ("finished", "diverged"):
            phase = ENDS[outcome.status]
            self.docket.board.ended(run_id, phase, outcome.reason, outcome.seconds)
        elif outcome.status == "failed":
            self.failed(run_id, outcome.reason)
        else:
            self.docket.put_back(run_id)

    def failed(self, run_id: str, reason: str) -> None:
        """Note a fault of a run's own, unless it only could not be saved when all were stopped."""
        if self.stop.signal is not None:
            self.docket.put_back(run_id, reason)
        else:
            self.docket.failed(run_id, reason)

    def hear(self) -> None:
        """Note what nodes told of their runs."""
        if self.news is not None and self.ray.wait([self.news], timeout=0)[0]:
            with contextlib.suppress(self.ray.exceptions.RayError):
                self.note(self.ray.get(self.news))
            self.news = None
        if self.news is None:
            self.news = self.post.read.remote()

    def note(self, news: dict[str, tuple[str, int, int]]) -> None:
        """Note where runs are, and how far."""
        flying = {flight.run_id: flight for flight in self.flights.values()}
        for run_id, (where, step, steps) in news.items():
            flight = flying.get(run_id)
            if flight is None:
                continue
            if not flight.begun:
                flight.begun = True
                self.docket.board.started(run_id, where)
            if step:
                self.docket.board.progressed(run_id, step, steps)

    def let_go(self) -> None:
        """Open the locks of runs that are still away."""
        for flight in self.flights.values():
            flight.held.close()


# Training the runs of a sweep on a Ray cluster, whose nodes may die and need share no disk.
#
# Each run is one task of Ray. What it needs goes along, its files come back, and only this process
# writes in the sweep's folder: so a run ends exactly once, wherever and however often it was begun.
#
# When the head of a cluster dies, Ray ends this process after a minute; the same call goes on.


def run_ray(
    folder: SweepFolder,
    jobs: Sequence[Job],
    *,
    address: str | None = None,
    gpus_per_run: float | None = None,
    cpus_per_run: float = 1.0,
    at_once: int | None = None,
    settings: MachineSettings | None = None,
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
            processes = math.floor(1 / gpus) if 0 < gpus < 1 else 1
            driver = RayDriver(
                ray,
                folder,
                docket,
                {job.run_id: job for job in jobs},
                Needs(cpus_per_run, gpus, at_once),
                replace(settings or MachineSettings(threads=1), processes=processes),
                stop or StopRequest(),
            )
            try:
                driver.run(watch)
            finally:
                driver.let_go()

    return drive(folder, jobs, work_off, retry_failed=retry_failed, watch=watch)
