"""What a node of a Ray cluster does: trains one run in a folder of its own, and sends files back.

Ray pickles what goes to and fro. That is these functions by name, the small classes of this
package, and bytes of files; of what a corpus holds, only bytes, which are read as files.
"""

import contextlib
import importlib.metadata
import platform
import shutil
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from corpora.errors import InputError
from corpora.files import lock, write_text, written_whole
from scaling.data.shards import MANIFEST, open_shards, read_manifest
from scaling.record import RECORD, SPEC, RunOutcome
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.queue import CHECKPOINT, WEIGHTS
from scaling.sweep.worker import fault_line
from scaling.train.machine import MachineSettings
from scaling.train.metrics import METRICS
from scaling.train.progress import StopRequest

# Texts travel to each node of a cluster once, as the bytes of their files.


_PIECE = 1 << 26  # bytes of an object


@dataclass(frozen=True)
class PackedText:
    """A text in the cluster's store of objects.

    Attributes:
        key: of its shards. files: references to the pieces of each file, by path in the folder.
    """

    key: str
    files: dict[str, tuple[Any, ...]]


class Texts:
    """The texts of a sweep, put into the store when first asked for."""

    def __init__(self, ray: Any, folder: SweepFolder) -> None:
        self._ray, self._folder = ray, folder
        self._packed: dict[str, PackedText] = {}

    def packed(self, key: str) -> PackedText:
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
                _write(torn / _inside(name), ray, pieces)
            _verify(torn)
            torn.rename(whole)
        except OSError as error:
            raise InputError(f"{torn}: cannot be written ({error.strerror})") from error
    return True


def _verify(folder: Path) -> None:
    try:
        open_shards(folder, verify=True)
    except InputError as error:
        # Where the driver has it, and where a person can put it right.
        raise InputError(str(error).replace(str(folder), f"shards/{folder.name}")) from error


def _write(path: Path, ray: Any, pieces: tuple[Any, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(ray.get(piece))


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{name!r}: leads out of the folder of its text; plan the sweep again")
    return path


# In the order to be written: metrics may run ahead of a checkpoint, and a record comes last.
FILES = (METRICS, CHECKPOINT, WEIGHTS, RECORD)
KEPT = (METRICS, CHECKPOINT)
_TELL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A run to be trained.

    Attributes:
        sweep: names the sweep on a node, whatever else runs there.
        version: of this program, at the driver.
        job: of the run. spec: the text of its specification.
        text: that it reads. kept: files of an earlier start, by name: checkpoint and metrics.
        device: `cpu` or `cuda`. settings: of the machine.
    """

    sweep: str
    version: str
    job: Job
    spec: str
    text: PackedText
    kept: dict[str, bytes]
    device: str
    settings: MachineSettings


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an errand.

    Attributes:
        status: of the record; `failed` for a fault of the run's own, `refused` for one of the node.
        reason: why, unless it finished. seconds: it took.
        files: of the run, by name.
        node: id of it. unpacked: whether the text had to come for this run.
    """

    status: RunOutcome | Literal["refused"]
    reason: str = ""
    seconds: float = 0.0
    files: dict[str, bytes] = field(default_factory=dict)
    node: str
    unpacked: bool = False


class Post:
    """An actor through which nodes tell how far they are, and learn that they are to stop.

    It may die with its node and be started anew: the driver repeats itself, and so do nodes.
    """

    def __init__(self) -> None:
        self.news: dict[str, tuple[str, int, int]] = {}
        self.stopping = False

    def tell(self, run_id: str, where: str, step: int, steps: int) -> bool:
        """Note how far a run is; return whether it is to stop."""
        self.news[run_id] = (where, step, steps)
        return self.stopping

    def read(self) -> dict[str, tuple[str, int, int]]:
        """Return node, step and steps of the runs that told of themselves since last asked."""
        news, self.news = self.news, {}
        return news

    def stop(self) -> None:
        """Have every run saved."""
        self.stopping = True


class _Telling:
    """Tells the post how a run stands, and never waits for it."""

    def __init__(self, ray: Any, post: Any, run_id: str, stop: StopRequest) -> None:
        self._ray, self._post, self._run_id, self._stop = ray, post, run_id, stop
        self._told = 0.0
        self._reply: Any = None

    def __call__(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if self._reply is not None and self._ray.wait([self._reply], timeout=0)[0]:
            with contextlib.suppress(self._ray.exceptions.RayError):
                if self._ray.get(self._reply) and self._stop.signal is None:
                    self._stop.signal = signal.SIGTERM
            self._reply = None
        if self._reply is None and now - self._told >= _TELL_SECONDS:
            self._told = now
            self._reply = self._post.tell.remote(self._run_id, platform.node(), step, steps)


def version() -> str:
    """Return this program's version; empty where it is not installed as a package."""
    try:
        return importlib.metadata.version("tokenize-lab")
    except importlib.metadata.PackageNotFoundError:
        return ""


def run_errand(errand: Errand, post: Any) -> Outcome:
    """Train a run on this node, as a task of Ray."""
    import ray

    begun, node = time.monotonic(), ray.get_runtime_context().get_node_id()
    if errand.version != version():
        reason = f"node {platform.node()}: has tokenize-lab {version()}, not {errand.version}"
        return Outcome(status="refused", reason=reason, node=node)
    folder, run_id = _folder(ray, errand.sweep), errand.job.run_id
    run, unpacked = folder.run(run_id), False
    status: RunOutcome | Literal["refused"]
    try:
        folder.shards.mkdir(parents=True, exist_ok=True)
        folder.runs.mkdir(parents=True, exist_ok=True)
        # Whoever had it before, for a driver that is gone, is about to end.
        with lock(folder.runs / f"{run_id}.lock"):
            try:
                unpacked = unpack(ray, errand.text, folder.shards)
                status, reason = _train(ray, errand, folder, post)
            except InputError as error:
                status, reason = "failed", str(error)
            except Exception as error:
                status, reason = "failed", fault_line(error)
            files = {name: (run / name).read_bytes() for name in FILES if (run / name).exists()}
            shutil.rmtree(run, ignore_errors=True)
    except (OSError, InputError) as error:
        return Outcome(status="refused", reason=f"node {platform.node()}: {error}", node=node)
    seconds = time.monotonic() - begun
    return Outcome(
        status=status, reason=reason, seconds=seconds, files=files, node=node, unpacked=unpacked
    )


def forget(sweep: str) -> None:
    """Remove what this node holds of a sweep, as a task of Ray."""
    import ray

    shutil.rmtree(_folder(ray, sweep).path, ignore_errors=True)


def _train(
    ray: Any, errand: Errand, folder: SweepFolder, post: Any
) -> tuple[RunOutcome | Literal["refused"], str]:
    from scaling.sweep.worker import train_cell
    from scaling.train.progress import Report

    job, run = errand.job, folder.run(errand.job.run_id)
    machine = replace(errand.settings, device=errand.device)
    try:
        machine.torch_device()
    except InputError as error:
        return "refused", f"node {platform.node()}: {error}"
    write_text(run / SPEC, errand.spec)
    if not (run / CHECKPOINT).exists() and not (run / RECORD).exists():
        write_files(run, errand.kept)
    stop = StopRequest()
    telling = _Telling(ray, post, job.run_id, stop)
    telling(0, 0)

    def watch(report: Report) -> None:
        telling(report.step, report.steps)

    # Verified when it was unpacked.
    record = train_cell(folder, job, machine, verified={job.shards}, watch=watch, stop=stop)
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
