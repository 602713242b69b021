"""Training the runs of a sweep on this machine, by workers that may die at any time."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from scaling.sweep.folder import SweepFolder
from scaling.sweep.queue import RunQueue, WatchSweep, drive
from scaling.sweep.status import SweepStatus
from scaling.train.groups import most_members
from scaling.train.machine import MachineSettings
from scaling.train.progress import StopRequest

_ROOT = Path(__file__).resolve().parents[2]
_LOG_BYTES = 2000
# Signals that come from the process itself; the others come from outside.
_OWN_FAULTS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_TICK_SECONDS = 0.2
_MOST_DEAD_ON_ARRIVAL = 5


def run_local(
    folder: SweepFolder,
    *,
    devices: Sequence[str] = ("cpu",),
    workers_per_device: int = 1,
    settings: MachineSettings | None = None,
    retry_failed: bool = False,
    watch: WatchSweep | None = None,
    stop: StopRequest | None = None,
) -> SweepStatus:
    """Train every run that has not ended, the longest first, and return how the sweep stands.

    A run that fails is tried once more, after the others; then its record says why. Killed at any
    moment, the same call goes on. A request to stop has every worker save its run first.

    Args:
        devices: `cpu`, `cuda:0`, ...; each has so many workers, which share its memory.
        retry_failed: whether runs whose record says `failed` are taken up again.
        watch: told how the sweep stands, now and then and at the end.
        stop: where a request to stop is noted, as by `scaling.train.progress.stop_on_signal`.

    Raises:
        InputError: another process drives the sweep, a run is there twice, its specification or
            record cannot be read, there is no such device, or the folder cannot be written.
        RuntimeError: workers do not start, for no reason a person could put right.
    """
    if not devices or workers_per_device < 1:
        raise ValueError("no devices, or no workers")
    chosen = replace(settings or MachineSettings(threads=1), processes=workers_per_device)

    def train(queue: RunQueue) -> None:
        driver = _LocalDriver(queue, chosen)
        try:
            driver.run([device for device in devices for _ in range(workers_per_device)])
        except BaseException as error:
            # After a second Ctrl-C there is no waiting: the workers save by themselves.
            driver.shutdown(wait=isinstance(error, Exception))
            raise

    return drive(folder, train, retry_failed=retry_failed, watch=watch, stop=stop)


def command(folder: SweepFolder, settings: MachineSettings) -> list[str]:
    """Return the command line of a worker."""
    words = [sys.executable, "-P", "-m", "scaling.sweep.worker", str(folder.path)]
    return [*words, *settings.words()]


class WorkerProcess:
    """A worker as its driver sees it: a process that takes run ids and says what becomes of them.

    Its input ends with the driver, however that ends, and with its input the worker does.

    Attributes:
        device: of its runs. ready: whether it has loaded.
        run_ids: what it has been given and has not ended. begun: whether it said that it began.
    """

    def __init__(self, folder: SweepFolder, device: str, settings: MachineSettings) -> None:
        self.device, self.ready, self.begun, self._leaves = device, False, False, False
        self.run_ids: list[str] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        if settings.threads is not None:
            environment["OMP_NUM_THREADS"] = str(settings.threads)
        words, pipe = command(folder, replace(settings, device=device)), subprocess.PIPE
        self.process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=self._log, env=environment
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        self._rest = b""

    @property
    def free(self) -> bool:
        """Whether it can be given a run."""
        return self.ready and not self.run_ids and not self._leaves

    def fileno(self) -> int:
        """Return what there is to read from when it has said something."""
        return self._stdout.fileno()

    def give(self, *run_ids: str) -> None:
        """Have it train a run, or several together; if it is dead, that shows soon enough."""
        self.run_ids, self.begun = list(run_ids), False
        with contextlib.suppress(BrokenPipeError):
            os.write(self._stdin.fileno(), f"{' '.join(run_ids)}\n".encode())

    def events(self) -> list[dict[str, Any]]:
        """Return what it has said since it was last asked."""
        chunks = [self._rest]
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.fileno(), 1 << 16):
                chunks.append(chunk)
        *lines, self._rest = b"".join(chunks).split(b"\n")
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """Tell it to save what it has and end."""
        if self.process.poll() is None:
            self.process.terminate()

    def dismiss(self) -> None:
        """Let it end once it has nothing to do."""
        self._leaves = True
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def close(self) -> None:
        """Close the pipes of a worker that is gone, or that goes on by itself."""
        self.dismiss()
        self._stdout.close()
        self._log.close()

    @property
    def killed(self) -> bool:
        """Whether a signal from outside ended it."""
        code = self.process.returncode
        return code == 128 + signal.SIGTERM or (code < 0 and -code not in _OWN_FAULTS)

    def how_it_ended(self) -> str:
        """Return how the process ended, in words, with the end of its log."""
        code = self.process.returncode
        how = f"exit code {code}"
        with contextlib.suppress(ValueError):  # no signal has that number
            how = signal.Signals(-code).name
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_BYTES))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        log = " | ".join(lines[-5:])
        return f"worker ended by {how}" + (f": {log}" if log else "")


class _LocalDriver:
    """The workers of a sweep, and what they are given."""

    def __init__(self, queue: RunQueue, settings: MachineSettings) -> None:
        self.queue, self.settings, self.stop = queue, settings, queue.stop
        self.workers: list[WorkerProcess] = []
        self.at_once = 1
        self.selector = selectors.DefaultSelector()
        self.dead_on_arrival = 0

    def run(self, devices: Sequence[str]) -> None:
        """Keep workers on the devices busy until every run has ended, or all are told to stop."""
        idle, stopping, self.at_once = list(devices), False, len(devices)
        while self.workers or (self.queue.waiting and not stopping):
            if self.stop.signal is not None and not stopping:
                stopping = True
                for worker in self.workers:
                    worker.stop()
            if not stopping:
                self.start_workers(idle)
            for key, _ in self.selector.select(_TICK_SECONDS):
                assert isinstance(key.fileobj, WorkerProcess)
                self.hear(key.fileobj)
            for worker in list(self.workers):
                if worker.process.poll() is not None:
                    idle.append(worker.device)
                    self.reap(worker)
                elif worker.free and not stopping:
                    self.assign(worker)
            self.queue.tell()
        self.selector.close()

    def start_workers(self, idle: list[str]) -> None:
        """Start workers on idle devices while there are runs for them."""
        starting = sum(not worker.ready for worker in self.workers)
        while idle and len(self.queue.waiting) > starting:
            worker = WorkerProcess(self.queue.folder, idle.pop(0), self.settings)
            self.workers.append(worker)
            self.selector.register(worker, selectors.EVENT_READ)
            starting += 1

    def assign(self, worker: WorkerProcess) -> None:
        """Give a free worker the next run, with those that are trained together with it, or its
        leave; where all that are left wait for the checkpoints of others, it waits, too."""
        most = partial(most_members, device=worker.device, asked=self.settings.together)
        if run_ids := self.queue.take_together(most, self.at_once):
            worker.give(*run_ids)
            for run_id in run_ids:
                self.queue.started(run_id)
        elif not self.queue.waiting:
            worker.dismiss()

    def hear(self, worker: WorkerProcess) -> None:
        """Act on what a worker has said."""
        for event in worker.events():
            match event["event"]:
                case "ready":
                    worker.ready, self.dead_on_arrival = True, 0
                case "refused":
                    raise InputError(event["reason"])
                case "started":
                    worker.begun = True
                case "ended":
                    worker.run_ids.remove(event["run_id"])
                    self.queue.released(event["run_id"])
                case "failed":
                    worker.run_ids.remove(event["run_id"])
                    if event["leaves"]:
                        worker.dismiss()
                    self.queue.failed(event["run_id"], event["reason"])

    def reap(self, worker: WorkerProcess) -> None:
        """Take what a worker said last, and its run back if it had not ended."""
        self.selector.unregister(worker)
        self.workers.remove(worker)
        try:
            self.hear(worker)
            how = worker.how_it_ended()
        finally:
            worker.close()
        for run_id in worker.run_ids:
            self.take_back(worker, run_id, how)
        if not worker.run_ids and not worker.ready and self.stop.signal is None:
            self.dead_on_arrival += 1
            if not worker.killed or self.dead_on_arrival > _MOST_DEAD_ON_ARRIVAL:
                raise RuntimeError(how)

    def take_back(self, worker: WorkerProcess, run_id: str, how: str) -> None:
        """See what a dead worker left of a run."""
        if self.queue.has_ended(run_id):
            self.queue.released(run_id)
        elif worker.killed and not worker.begun:
            self.queue.requeue(run_id)
        elif worker.killed:
            self.queue.killed(run_id, how)
        else:
            self.queue.failed(run_id, how)

    def shutdown(self, *, wait: bool) -> None:
        """Tell every worker to stop; one that still has a run saves it, and ends by itself."""
        self.selector.close()
        for worker in self.workers:
            worker.stop()
            worker.close()
        if wait:
            for worker in self.workers:
                worker.process.wait()
