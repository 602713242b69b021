"""What a node of a Ray cluster does: trains one run in a folder of its own, and sends files back.

Ray pickles what goes to and fro. That is these functions by name, the small classes of this
package, and bytes of files; of what a corpus holds, only bytes, which are read as files. Texts
travel to each node once.
"""

import contextlib
import importlib.metadata
import os
import platform
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from corpora.errors import InputError
from corpora.files import write_text, written_whole
from corpora.locks import lock
from scaling.data.shards import MANIFEST, open_shards, read_manifest
from scaling.record import RECORD, SPEC, RunOutcome
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.run_folder import CHECKPOINT, WEIGHTS
from scaling.train.machine import MachineSettings
from scaling.train.metrics import METRICS
from scaling.train.progress import StopRequest

# In the order to be written: metrics may run ahead of a checkpoint, and a record comes last.
FILES = (METRICS, CHECKPOINT, WEIGHTS, RECORD)
KEPT = (METRICS, CHECKPOINT)
_PIECE = 1 << 26  # bytes of an object
_TELL_SECONDS = 0.5
_REPLY_SECONDS = 10.0


@dataclass(frozen=True)
class PackedText:
    """A text in the cluster's store of objects: the key of its shards, and references to the pieces
    of each file, by path in the folder."""

    key: str
    files: dict[str, tuple[Any, ...]]


class PackedTexts:
    """The texts of a sweep, put into the store when first asked for, so that each travels once."""

    def __init__(self, ray: Any, folder: SweepFolder) -> None:
        self._ray, self._folder = ray, folder
        self._packed: dict[str, PackedText] = {}

    def get(self, key: str) -> PackedText:
        """Return a text; what is wrong with its files shows where they are unpacked.

        Raises:
            InputError: the text cannot be read.
        """
        if key not in self._packed:
            folder = self._folder.shards / key
            names = [*read_manifest(folder).files, MANIFEST]
            files = {name: self._put(folder / name) for name in names}
            self._packed[key] = PackedText(key, files)
        return self._packed[key]

    def _put(self, path: Path) -> tuple[Any, ...]:
        pieces = []
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    pieces.append(self._ray.put(piece))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        return tuple(pieces)


def unpack(ray: Any, text: PackedText, shards: Path) -> bool:
    """Have a text in the folder `shards` of this node; return whether it had to come.

    Of the processes of a node one unpacks it and the others wait. Every byte is compared before
    the folder takes its name.

    Raises:
        InputError: the files are not what their manifest says, or cannot be written.
    """
    whole, torn = shards / text.key, shards / "unpacking" / text.key
    with lock(shards / f"{text.key}.lock"):
        if whole.is_dir():
            return False
        try:
            shutil.rmtree(torn, ignore_errors=True)
            for name, pieces in text.files.items():
                path = torn / _inside(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    file.writelines(ray.get(piece) for piece in pieces)
            try:
                open_shards(torn, verify=True)
            except InputError as error:
                # Where the driver has it, and where a person can put it right.
                raise InputError(str(error).replace(str(torn), f"shards/{text.key}")) from error
            torn.rename(whole)
        except OSError as error:
            raise InputError(f"{torn}: cannot be written ({error.strerror})") from error
    return True


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{name!r}: leads out of the folder of its text; plan the sweep again")
    return path


@dataclass(frozen=True, kw_only=True)
class Task:
    """A run to be trained.

    Attributes:
        number: of the task; a run that is trained anew is another one.
        sweep: names the sweep on a node, whatever else runs there.
        version: of this program, at the driver.
        job: of the run. spec: the text of its specification.
        text: that it reads. kept: files of an earlier start, by name: checkpoint and metrics.
        machine: how to train it.
        branches: the step at which each run goes on from it, and the text of its specification, by
            run id.
    """

    number: int
    sweep: str
    version: str
    job: Job
    spec: str
    text: PackedText
    kept: dict[str, bytes]
    machine: MachineSettings
    branches: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task.

    Attributes:
        status: of the record; `failed` for a fault of the run, `refused` for one of the node.
        reason: why, unless it finished. files: of the run, by name.
        branches: the same of runs that go on from it, by run id.
        node: id of it. unpacked: whether the text had to come for this run.
    """

    status: RunOutcome | Literal["refused"]
    reason: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    branches: dict[str, dict[str, bytes]] = field(default_factory=dict)
    node: str
    unpacked: bool = False


class ProgressActor:
    """An actor that takes the metrics of runs under way, and tells nodes that they are to stop.

    It may die with its node and be started anew: nodes then send their metrics from the beginning,
    and the driver repeats itself.
    """

    def __init__(self) -> None:
        self.received: dict[int, int] = {}  # bytes of a task's metrics
        self.news: dict[int, tuple[int, bytes]] = {}
        self.stopping = False

    def tell(self, number: int, begin: int, lines: bytes) -> tuple[bool, int]:
        """Take a task's metrics from byte `begin`; return whether it is to stop, and what is had.

        Metrics that begin anew, as those cut back to a checkpoint, take the place of the others.
        """
        received = self.received.get(number, 0)
        if begin in (0, received):
            first, before = self.news.get(number, (begin, b"")) if begin else (0, b"")
            self.news[number] = first, before + lines
            self.received[number] = received = begin + len(lines)
        return self.stopping, received

    def read(self) -> dict[int, tuple[int, bytes]]:
        """Return what came since last asked, by task: where it begins in the metrics, and bytes."""
        news, self.news = self.news, {}
        return news

    def stop(self) -> None:
        """Have every run saved."""
        self.stopping = True


@contextlib.contextmanager
def _reported(ray: Any, actor: Any, number: int, path: Path, stop: StopRequest) -> Iterator[None]:
    """Send a task's metrics to the actor while the block runs, and pass on a request to stop."""
    over = threading.Event()

    def report() -> None:
        begin, inode = 0, 0
        while True:
            lines = b""
            with contextlib.suppress(OSError), path.open("rb") as file:
                if os.fstat(file.fileno()).st_ino != inode:  # it was cut back to a checkpoint
                    begin, inode = 0, os.fstat(file.fileno()).st_ino
                file.seek(begin)
                lines = file.read()
            with contextlib.suppress(ray.exceptions.RayError):
                reply = actor.tell.remote(number, begin, lines)
                stopping, begin = ray.get(reply, timeout=_REPLY_SECONDS)
                if stopping and stop.signal is None:
                    stop.signal = signal.SIGTERM
            if over.wait(_TELL_SECONDS):
                return

    threading.Thread(target=report, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def version() -> str:
    """Return this program's version; empty where it is not installed as a package."""
    try:
        return importlib.metadata.version("tokenize-lab")
    except importlib.metadata.PackageNotFoundError:
        return ""


def run_task(task: Task, actor: Any) -> Outcome:
    """Train a run on this node, as a task of Ray."""
    import ray

    from scaling.sweep.worker import fault_line

    node = ray.get_runtime_context().get_node_id()
    if task.version != version():
        reason = f"node {platform.node()}: has tokenize-lab {version()}, not {task.version}"
        return Outcome(status="refused", reason=reason, node=node)
    folder, run_id = _folder(ray, task.sweep), task.job.run_id
    run, unpacked = folder.run(run_id), False
    status: RunOutcome | Literal["refused"]
    try:
        folder.shards.mkdir(parents=True, exist_ok=True)
        folder.runs.mkdir(parents=True, exist_ok=True)
        # A task of a driver that is gone may still have it, and is about to end.
        with lock(folder.runs / f"{run_id}.lock"):
            try:
                unpacked = unpack(ray, task.text, folder.shards)
                status, reason = _train(ray, task, folder, actor)
            except InputError as error:
                status, reason = "failed", str(error)
            except Exception as error:
                status, reason = "failed", fault_line(error)
            files = _files(run)
            left = {branch: _files(_left(folder, run_id) / branch) for branch in task.branches}
            for path in (run, _left(folder, run_id)):
                shutil.rmtree(path, ignore_errors=True)
    except (OSError, InputError) as error:
        return Outcome(status="refused", reason=f"node {platform.node()}: {error}", node=node)
    return Outcome(
        status=status, reason=reason, files=files, branches=left, node=node, unpacked=unpacked
    )


def _files(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in FILES if (run / name).exists()}


def _left(folder: SweepFolder, run_id: str) -> Path:
    """Return where a run leaves what others go on from: those may be under way on this node."""
    return folder.path / "left" / run_id


def forget(sweep: str) -> None:
    """Remove what this node holds of a sweep, as a task of Ray."""
    import ray

    shutil.rmtree(_folder(ray, sweep).path, ignore_errors=True)


def _train(
    ray: Any, task: Task, folder: SweepFolder, actor: Any
) -> tuple[RunOutcome | Literal["refused"], str]:
    from scaling.sweep.worker import train_job

    job, run = task.job, folder.run(task.job.run_id)
    try:
        task.machine.checked()
    except InputError as error:
        return "refused", f"node {platform.node()}: {error}"
    write_text(run / SPEC, task.spec)
    if not (run / CHECKPOINT).exists() and not (run / RECORD).exists():
        write_files(run, task.kept)
    branches = {}
    for branch, (step, spec) in task.branches.items():
        left = _left(folder, job.run_id) / branch
        write_text(left / SPEC, spec)
        branches[left] = step
    stop = StopRequest()
    with _reported(ray, actor, task.number, run / METRICS, stop):
        # The text was verified when it was unpacked.
        record = train_job(folder, job, task.machine, stop, {job.shards}, branches)
    assert record is not None
    return record.status, record.reason


def write_files(run: Path, files: dict[str, bytes]) -> None:
    """Write what is there of a run's files, each whole or not at all.

    Raises:
        InputError: the folder cannot be written.
    """
    for name in FILES:
        if name in files:
            with written_whole(run / name) as temporary:
                temporary.write_bytes(files[name])


def _folder(ray: Any, sweep: str) -> SweepFolder:
    """Return the sweep's folder on this node; nodes that share a disk have one each."""
    context = ray.get_runtime_context()
    below = Path(context.get_temp_dir()) / "tokenize-lab"
    return SweepFolder(below / context.get_node_id() / sweep)
