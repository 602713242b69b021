"""Counting batches on a Ray cluster, whose nodes may die and need share no disk.

This process reads the corpus and hands each batch out as a task; counts come back in order and are
added here, where the cache is too. A batch whose node died is counted again on another: it is a
function of its text, so the rows are those of one process, to the last digit.
"""

import contextlib
import importlib
import logging
import math
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora.document import Batch
from corpora.errors import InputError, install_hint
from corpora.locks import SCRATCH, scratch_folder
from tokenize_lab.counts.batches import BatchCounter, BatchCounts, CountJob
from tokenize_lab.workers import CountedWork, Work

_CONNECT_SECONDS = 5.0
_ALL_NODES_SECONDS = 10.0
_TOKEN = "if it asks for a token, Ray sends one only where RAY_AUTH_MODE=token is set"
_START = "start one with `ray start --head`, or leave `address` out to have one on this machine"


@contextlib.contextmanager
def cluster(address: str | None, cpus: int | None = None) -> Iterator[Any]:
    """Yield Ray, connected; a process that is connected already stays so.

    Args:
        address: `auto` for the cluster this machine belongs to, or HOST:PORT of its head; None to
            start one here, which ends with this.
        cpus: of one that is started here; None for all of the machine's.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """
    ray = _imported()
    if ray.is_initialized():
        yield ray
        return
    with contextlib.ExitStack() as held:
        temporary = None
        if address is None:
            # Near the root, since Ray puts sockets below it, whose names the system keeps short.
            near = Path(os.environ.get("RAY_TMPDIR", "/tmp"))
            temporary = str(held.enter_context(scratch_folder(near, SCRATCH)))
        with _same_signals():
            _connect(ray, address, cpus, temporary)
        held.callback(ray.shutdown)
        yield ray


def look_for(address: str | None) -> None:
    """See that Ray is installed, and that there is a cluster at the address.

    Raises:
        InputError: it is not, or there is none.
    """
    ray = _imported()
    if address is not None and not ray.is_initialized():
        with _same_signals():
            _connect(ray, address, None, None)
        ray.shutdown()


def slots(ray: Any, cpus_per_run: float, gpus_per_run: float) -> int:
    """Return how many runs the live nodes have room for at once."""
    count = 0
    for node in ray.nodes():
        if node["Alive"]:
            rooms = [node["Resources"].get("CPU", 0.0) / cpus_per_run]
            if gpus_per_run:
                rooms.append(node["Resources"].get("GPU", 0.0) / gpus_per_run)
            count += math.floor(min(rooms) + 1e-9)
    return count


def has_gpus(ray: Any) -> bool:
    """Whether any live node has one."""
    return bool(ray.cluster_resources().get("GPU"))


def on_every_node(ray: Any, task: Callable[[str], object], argument: str) -> None:
    """Have each live node run `task` of the argument, if it does so soon."""
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    near = strategies.NodeAffinitySchedulingStrategy
    remote = ray.remote(num_cpus=0, max_retries=0)(task)
    done = [
        remote.options(scheduling_strategy=near(node["NodeID"], soft=False)).remote(argument)
        for node in ray.nodes()
        if node["Alive"]
    ]
    ray.wait(done, num_returns=len(done), timeout=_ALL_NODES_SECONDS)


def _imported() -> Any:
    # Ray reads both when it is loaded.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise InputError(f"`engine=ray` needs Ray; {install_hint('ray')}") from error


def _connect(ray: Any, address: str | None, cpus: int | None, temporary: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    with _one_line(address):
        if address is None:
            ray.init("local", num_cpus=cpus, include_dashboard=False, _temp_dir=temporary, **quiet)
            return
        if address == "auto":
            address = os.environ.get("RAY_ADDRESS", address)
        if address != "auto":
            _knock(address)
        ray.init(address, **quiet)


@contextlib.contextmanager
def _one_line(address: str | None) -> Iterator[None]:
    """Say in one line why there is no cluster."""
    try:
        yield
    except (ConnectionError, OSError, ValueError, RuntimeError, SystemExit) as error:
        # Ray asks the process to end when a cluster does not answer.
        why = f" ({_why(error)})" if _why(error) else ""
        if address is None:
            raise InputError(f"no Ray cluster could be started here{why}") from error
        raise InputError(f"`address` {address}: no Ray cluster there{why}; {_START}") from error


def _why(error: BaseException) -> str:
    """Return what is behind an error, the first sentence of it."""
    if isinstance(error, SystemExit):
        return ""
    while error.__cause__ is not None:
        error = error.__cause__
    why = str(error).strip().partition("\n")[0].partition(". ")[0]
    refused = type(error).__name__ == "AuthenticationError" or why.startswith("Failed to connect")
    if refused and os.environ.get("RAY_AUTH_MODE") != "token":
        # To an address that was written out, Ray sends no token unless told to.
        return f"{why}; {_TOKEN}"
    return why


def _knock(address: str) -> None:
    """See at once whether anyone listens there, which Ray finds out in minutes.

    Raises:
        ValueError: it is no address.
        OSError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdigit():
        raise ValueError("not auto, nor HOST:PORT; run this on a machine of the cluster")
    socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()


@contextlib.contextmanager
def _same_signals() -> Iterator[None]:
    """Keep the handlers that Ray would replace."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


_COUNT_SECONDS = 2.0
_AHEAD = 2  # batches that wait at the cluster for each CPU, and those whose counts wait here
_MOST_TRIES = 8  # of a batch whose node or process dies: one that kills them must not go round


def count_on_ray(
    stream: Iterable[Work], counting: CountJob, *, address: str | None, cpus: int | None
) -> Iterator[CountedWork]:
    """Yield the batches with their counts, in order.

    Arguments:
        address: `auto` or HOST:PORT of a cluster; None to start one on this machine.
        cpus: of one that is started here; None for all of the machine's.

    Raises:
        InputError: Ray or the cluster is not there, no node has a CPU, a node lacks this program,
            or a batch was lost again and again.
    """
    counter = BatchCounter(counting)
    with cluster(address, cpus) as ray:
        task = ray.remote(num_cpus=1, max_retries=_MOST_TRIES)(_count)
        job = ray.put(replace(counting, cache=None))
        waiting: deque[tuple[Work, Any]] = deque()
        room, looked = 0, -_COUNT_SECONDS
        for corpus, batch in stream:
            if time.monotonic() - looked > _COUNT_SECONDS:
                room, looked = _AHEAD * slots(ray, 1.0, 0.0), time.monotonic()
                if not room and not waiting:
                    raise InputError("no node of the Ray cluster has a CPU; add one that has")
            known = counter.cached(batch)
            # In a list, a reference is sent as it is; a process fetches the job once.
            found = known or task.remote([job], batch)
            waiting.append(((corpus, batch), found))
            if len(waiting) > max(room, _AHEAD):
                yield _collected(ray, counter, *waiting.popleft())
        while waiting:
            yield _collected(ray, counter, *waiting.popleft())


def _collected(ray: Any, counter: BatchCounter, work: Work, found: Any) -> CountedWork:
    """Return a batch with its counts, once they are there."""
    if isinstance(found, BatchCounts):
        return *work, found
    errors = ray.exceptions
    try:
        counts: BatchCounts = ray.get(found)
    except errors.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise InputError(str(error.cause)) from error
        last = str(error).strip().splitlines()[-1]
        raise InputError(
            f"a node of the Ray cluster cannot run this program ({last}); each needs the same"
            " version of it, with the extra [ray]"
        ) from error
    except errors.RayError as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"a batch was lost {_MOST_TRIES + 1} times ({type(error).__name__}: {first}); what had"
            " been counted is in the cache: run again"
        ) from error
    counter.put_into_cache(work[1], counts)
    return *work, counts


_here: tuple[str, BatchCounter] | None = None


def _count(job: list[Any], batch: Batch) -> BatchCounts:
    """Count a batch on a node, as a task of Ray."""
    import os

    import ray

    global _here
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    name = job[0].hex()
    if _here is None or _here[0] != name:
        _here = name, BatchCounter(ray.get(job[0]))
    return _here[1].count(batch)
