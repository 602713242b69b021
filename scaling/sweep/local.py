"""Training the runs of a sweep on this machine, by workers that may die at any time."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.queue import Docket, Watch, drive
from scaling.sweep.state import ENDS, SweepState
from scaling.train.machine import MachineSettings
from scaling.train.progress import StopRequest

# A worker as its driver sees it: a process that takes run ids and tells what becomes of them.


_ROOT = Path(__file__).resolve().parents[2]
_LOG_BYTES = 2000
# Signals that come from the process itself; the others come from outside.
_OWN_FAULTS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


def command(folder: SweepFolder, device: str, settings: MachineSettings) -> list[str]:
    """Return the command line of a worker."""
    words = [sys.executable, "-P", "-m", "scaling.sweep.worker", str(folder.path)]
    return [*words, "--parent", str(os.getpid()), *replace(settings, device=device).words()]


class WorkerProcess:
    """One worker.

    Attributes:
        device: of its runs. ready: whether it has loaded.
        run_id: what it has been given. begun: whether it said that it began with it.
    """

    def __init__(self, folder: SweepFolder, device: str, settings: MachineSettings) -> None:
        # To be started by the thread that drives the sweep: with that thread it ends.
        self.device, self.ready, self.begun, self._leaves = device, False, False, False
        self.run_id: str | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = str(settings.threads)
        self.process = subprocess.Popen(
            command(folder, device, settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": threads},
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        self._rest = b""

    @property
    def free(self) -> bool:
        """Whether it can be given a run."""
        return self.ready and self.run_id is None and not self._leaves

    def fileno(self) -> int:
        """Return what there is to read from when it has said something."""
        return self._stdout.fileno()

    def give(self, run_id: str) -> None:
        """Have it train a run; if it is dead, that shows soon enough."""
        self.run_id, self.begun = run_id, False
        with contextlib.suppress(BrokenPipeError):
            os.write(self._stdin.fileno(), f"{run_id}\n".encode())

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

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def close(self) -> None:
        """Let go of the pipes of a worker that is gone, or on its own from now on."""
        self.dismiss()
        self._stdout.close()
        self._log.close()

    @property
    def killed(self) -> bool:
        """Whether a signal from outside ended it."""
        code = self.process.returncode
        return code == 128 + signal.SIGTERM or (code < 0 and -code not in _OWN_FAULTS)

    @property
    def how_it_ended(self) -> str:
        """How the process ended, in words, with the end of its log."""
        code = self.process.returncode
        how = f"exit code {code}"
        if code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        log = " | ".join(self.log_tail().splitlines()[-5:])
        return f"worker ended by {how}" + (f": {log}" if log else "")

    def log_tail(self) -> str:
        """Return the end of what it wrote to stderr."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_BYTES))
        return self._log.read().decode("utf-8", "replace").strip()


_TICK_SECONDS = 0.2
_MOST_DEAD_ON_ARRIVAL = 5


def run_local(
    folder: SweepFolder,
    jobs: Sequence[Job],
    *,
    devices: Sequence[str] = ("cpu",),
    workers_per_device: int = 1,
    settings: MachineSettings | None = None,
    retry_failed: bool = False,
    watch: Watch | None = None,
    stop: StopRequest | None = None,
) -> SweepState:
    """Train every run that has not ended, the longest first, and return how the sweep stands.

    A run that fails is tried once more, after the others; then its record says why. Killed at any
    moment, the same call goes on. A request to stop has every worker save its run first.

    Args:
        devices: `cpu`, `cuda:0`, ...; each has so many workers, which share its memory.
        retry_failed: whether runs whose record says `failed` are taken up again.
        watch: told how the sweep stands, a few times a second.
        stop: where a request to stop is noted, as by `scaling.train.stop.heard`.

    Raises:
        InputError: another process drives the sweep, a run is there twice, its specification or
            record cannot be read, there is no such device, or the folder cannot be written.
        RuntimeError: workers do not start, for no reason a person could put right.
    """
    if not devices or workers_per_device < 1:
        raise ValueError("no devices, or no workers")
    chosen = replace(settings or MachineSettings(threads=1), processes=workers_per_device)

    def work_off(docket: Docket) -> None:
        driver = _Driver(folder, docket, chosen, watch, stop or StopRequest())
        try:
            driver.run([device for device in devices for _ in range(workers_per_device)])
        except BaseException as error:
            # Whoever asks twice to stop waits for nothing; the workers save by themselves.
            driver.leave(wait=isinstance(error, Exception))
            raise

    return drive(folder, jobs, work_off, retry_failed=retry_failed, watch=watch)


class _Driver:
    """The workers of a sweep, and what they are given."""

    def __init__(
        self,
        folder: SweepFolder,
        docket: Docket,
        settings: MachineSettings,
        watch: Watch | None,
        stop: StopRequest,
    ) -> None:
        self.folder, self.docket, self.settings = folder, docket, settings
        self.watch, self.stop = watch, stop
        self.workers: list[WorkerProcess] = []
        self.selector = selectors.DefaultSelector()
        self.dead_on_arrival = 0
        self.told = -1.0

    def run(self, devices: Sequence[str]) -> None:
        """Keep workers on the devices busy until every run has ended, or all are told to stop."""
        idle, stopping = list(devices), False
        while self.workers or (self.docket.waiting and not stopping):
            if self.stop.signal is not None and not stopping:
                stopping = True
                for worker in self.workers:
                    worker.stop()
            if not stopping:
                self.hire(idle)
            for key, _ in self.selector.select(_TICK_SECONDS):
                assert isinstance(key.fileobj, WorkerProcess)
                self.hear(key.fileobj)
            for worker in list(self.workers):
                if worker.ended():
                    idle.append(worker.device)
                    self.bury(worker)
                elif worker.free and not stopping:
                    self.employ(worker)
            self.tell()
        self.selector.close()

    def hire(self, idle: list[str]) -> None:
        """Start workers on idle devices while there are runs for them."""
        starting = sum(not worker.ready for worker in self.workers)
        while idle and len(self.docket.waiting) > starting:
            worker = WorkerProcess(self.folder, idle.pop(0), self.settings)
            self.workers.append(worker)
            self.selector.register(worker, selectors.EVENT_READ)
            starting += 1

    def employ(self, worker: WorkerProcess) -> None:
        """Give a free worker the next run, or its leave."""
        if not self.docket.waiting:
            worker.dismiss()
            return
        run_id = self.docket.waiting.popleft()
        worker.give(run_id)
        self.docket.board.started(run_id, worker.device)

    def hear(self, worker: WorkerProcess) -> None:
        """Act on what a worker says."""
        for event in worker.events():
            self.act(worker, event)

    def act(self, worker: WorkerProcess, event: dict[str, Any]) -> None:
        """Act on one event."""
        board = self.docket.board
        match event["event"]:
            case "ready":
                worker.ready, self.dead_on_arrival = True, 0
            case "refused":
                raise InputError(event["reason"])
            case "started":
                worker.begun = True
            case "progress":
                board.progressed(event["run_id"], event["step"], event["steps"])
            case "ended":
                worker.run_id = None
                phase = ENDS[event["status"]]
                board.ended(event["run_id"], phase, event["reason"], event["seconds"])
            case "failed":
                worker.run_id = None
                if event["leaves"]:
                    worker.dismiss()
                self.failed(event["run_id"], event["reason"])

    def failed(self, run_id: str, reason: str) -> None:
        """Note a fault of a run's own, unless it only could not be saved when all were stopped."""
        if self.stop.signal is not None:
            self.docket.put_back(run_id, reason)
        else:
            self.docket.failed(run_id, reason)

    def bury(self, worker: WorkerProcess) -> None:
        """Take what a worker said last, and its run back if it had not ended."""
        self.selector.unregister(worker)
        self.workers.remove(worker)
        try:
            self.hear(worker)
            how = worker.how_it_ended
        finally:
            worker.close()
        if worker.run_id is not None:
            self.take_back(worker, worker.run_id, how)
        elif not worker.ready and self.stop.signal is None:
            self.dead_on_arrival += 1
            if not worker.killed or self.dead_on_arrival > _MOST_DEAD_ON_ARRIVAL:
                raise RuntimeError(how)

    def take_back(self, worker: WorkerProcess, run_id: str, how: str) -> None:
        """See what a dead worker left of a run."""
        if self.docket.has_ended(run_id):
            return
        if self.stop.signal is not None or (worker.killed and not worker.begun):
            self.docket.put_back(run_id)
        elif worker.killed:
            self.docket.killed(run_id, how)
        else:
            self.failed(run_id, how)

    def tell(self) -> None:
        """Tell whoever watches, if it is time."""
        now = time.monotonic()
        if self.watch is not None and now - self.told >= _TICK_SECONDS:
            self.told = now
            self.watch(self.docket.board.state(len(self.workers)))

    def leave(self, *, wait: bool) -> None:
        """Let go of every worker; one that still has a run saves it, and ends by itself."""
        self.selector.close()
        for worker in self.workers:
            worker.stop()
            worker.close()
        if wait:
            for worker in self.workers:
                worker.process.wait()
