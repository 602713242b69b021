"""A process that trains runs of a sweep, one after the other or several together, as it is told.

    python -m scaling.sweep.worker SWEEP --device cpu

Run ids come in as lines, on one line those of runs that are trained together; what becomes of them
goes out as lines of JSON, each with an `event`:
`ready`, or `refused` with a reason; then of a run `started`, `ended`, or `failed` with a reason,
and whether the worker `leaves` because of it. The end of the input, which comes with that of the
driver, or a SIGTERM: the run under way is saved, and the worker ends.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from corpora.errors import InputError
from corpora.locks import lock
from scaling.data.shards import Shards, open_shards
from scaling.record import SPEC, RunRecord, read_spec
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, SweepFolder, branches_of, read_sweep
from scaling.sweep.run_folder import LOCK, remove_torn
from scaling.train.machine import MachineSettings
from scaling.train.progress import StopRequest
from scaling.train.run import RunUnderWay, ended_record, train
from scaling.train.together import train_together

_FAULT_LINES = 5


def train_job(
    folder: SweepFolder,
    job: Job,
    machine: MachineSettings,
    stop: StopRequest,
    verified: set[str],
    branches: Mapping[Path, int] | None = None,
) -> RunRecord | None:
    """Train the run of `job`, or go on with it; None if told to stop while another process had it.

    Args:
        verified: texts whose every byte was compared before; this one is added.
        branches: as of `train`.

    Raises:
        InputError: the run's folder or its text is not what was planned, or as `train` does.
    """
    with _held(folder, job, stop, verified) as found:
        if found is None:
            return None
        run = folder.run(job.run_id)
        return train(*found, run, machine, None, job.patching_flops, stop, branches)


@contextlib.contextmanager
def _held(
    folder: SweepFolder, job: Job, stop: StopRequest, verified: set[str]
) -> Iterator[tuple[RunSpec, Shards] | None]:
    """Hold a run's folder, and give its specification and text; None if told to stop before."""
    run = folder.run(job.run_id)
    if not run.is_dir():
        raise InputError(f"{run}: there is no such folder; plan the sweep again")
    with lock(run / LOCK, lambda: stop.signal is not None) as held:
        if not held:
            yield None
            return
        remove_torn(run)
        spec = read_spec(run / SPEC)
        if spec.run_id != job.run_id:
            raise InputError(f"{run}: holds run {spec.run_id}; plan the sweep again")
        shards = open_shards(folder.shards / job.shards, verify=job.shards not in verified)
        verified.add(job.shards)
        yield spec, shards


def train_jobs(
    folder: SweepFolder,
    jobs: Sequence[Job],
    machine: MachineSettings,
    stop: StopRequest,
    verified: set[str],
    branches: Mapping[str, Mapping[Path, int]],
    tell: Callable[[str, RunRecord | InputError | None], object],
) -> None:
    """Train the runs of several jobs together, or go on with them.

    Args:
        verified: as of `train_job`. branches: by run id, as of `train`.
        tell: told the id of each run and how it ended; None of one that another process had when
            told to stop.

    Raises:
        InputError: together they do not fit into memory.
    """
    # Each is to find room for all.
    shared = replace(machine, processes=machine.processes * len(jobs))
    runs = []
    with contextlib.ExitStack() as locks:
        for job in jobs:
            try:
                found = locks.enter_context(_held(folder, job, stop, verified))
                if found is None:
                    tell(job.run_id, None)
                    continue
                run = folder.run(job.run_id)
                if (ended := ended_record(*found, run)) is not None:
                    tell(job.run_id, ended)
                    continue
                own = branches.get(job.run_id)
                runs.append(RunUnderWay(*found, run, shared, job.patching_flops, stop, own))
            except InputError as error:
                tell(job.run_id, error)
        train_together(runs, lambda run, end: tell(run.spec.run_id, end))


def fault_line(error: Exception) -> str:
    """Return the last lines of a traceback as one line, for where there is room for no more."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return " | ".join(line.strip() for line in lines[-_FAULT_LINES:] if line.strip(" ^~"))


class DriverPipe:
    """The pipes to the driver: run ids come in, events go out; their end is a request to stop."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.stop = StopRequest()
        self.terminated = False
        # What libraries print goes to the log; only events go to the driver.
        self._out = os.dup(1)
        os.dup2(2, 1)
        signal.signal(signal.SIGTERM, self._on_signal)
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        """Finish the step under way, save, and take no other run."""
        self.stop.signal = signal.SIGTERM
        self.inbox.put(None)

    def send(self, event: str, **values: Any) -> None:
        """Send an event."""
        data = f"{json.dumps({'event': event, **values}, allow_nan=False)}\n".encode()
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            self.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.terminated = True
        self.close()

    def _read(self) -> None:
        # Not by sys.stdin, whose lock a thread that is still reading would keep from the exit.
        rest = b""
        while chunk := os.read(0, 4096):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.inbox.put(line.decode("ascii", "replace"))
        self.close()


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0, 1 after a fault, 2 for bad input, 143 if told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to hear
    parser = argparse.ArgumentParser(prog="python -m scaling.sweep.worker", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("sweep", type=Path, help="folder of the sweep")
    MachineSettings.add_options(parser)
    asked = parser.parse_args(arguments)
    faulthandler.enable()
    return _work(SweepFolder(asked.sweep), MachineSettings.parsed(asked), DriverPipe())


def _work(folder: SweepFolder, machine: MachineSettings, driver: DriverPipe) -> int:
    try:
        machine.checked()
        jobs = {job.run_id: job for job in read_sweep(folder).jobs}
    except InputError as error:
        driver.send("refused", reason=str(error))
        return 2
    verified: set[str] = set()
    driver.send("ready")
    while (line := driver.inbox.get()) is not None:
        code = _train(line.split(), folder, jobs, machine, driver, verified)
        if code is not None:
            return code
    return 143 if driver.terminated else 0


def _train(
    run_ids: list[str],
    folder: SweepFolder,
    jobs: Mapping[str, Job],
    machine: MachineSettings,
    driver: DriverPipe,
    verified: set[str],
) -> int | None:
    """Train what a line names, and say what becomes of it; return the exit code, if it ends so."""
    left, stopped = list(run_ids), False

    def tell(run_id: str, end: RunRecord | InputError | None) -> None:
        nonlocal stopped
        if isinstance(end, InputError):
            driver.send("failed", run_id=run_id, reason=str(end), leaves=False)
        elif end is None or end.status == "interrupted":
            stopped = True
        else:
            driver.send("ended", run_id=run_id)
        left.remove(run_id)

    for run_id in run_ids:
        driver.send("started", run_id=run_id)
    for run_id in set(run_ids) - set(jobs):
        tell(run_id, InputError(f"{folder.file}: has no run {run_id}"))
    asked = [jobs[run_id] for run_id in left]
    branches = {
        job.run_id: {
            folder.run(branch): step
            for branch, step in branches_of(jobs.values(), job.run_id).items()
        }
        for job in asked
    }
    try:
        if len(asked) == 1:
            (job,) = asked
            own = branches[job.run_id]
            tell(job.run_id, train_job(folder, job, machine, driver.stop, verified, own))
        elif asked:
            train_jobs(folder, asked, machine, driver.stop, verified, branches, tell)
    except InputError as error:
        for run_id in list(left):
            tell(run_id, error)
    except Exception as error:
        # Whatever broke, memory or a device's state, goes with the process.
        for run_id in left:
            driver.send("failed", run_id=run_id, reason=fault_line(error), leaves=True)
        return 1
    return 143 if stopped else None


if __name__ == "__main__":
    sys.exit(main())
