"""Work on text on this machine, on every core: the same results in the same order as on one."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from corpora.arguments import whole
from corpora.corpus import Corpus
from corpora.document import Batch
from corpora.errors import InputError
from tokenize_lab.backends.objects import ObjectTokenizer
from tokenize_lab.counts.batches import BatchCounter, BatchCounts, CountJob
from tokenize_lab.counts.sharing import encoding_plans

if TYPE_CHECKING:
    from concurrent.futures import Future

K = TypeVar("K")
W = TypeVar("W")
R = TypeVar("R")
Work = tuple[Corpus, Batch]
CountedWork = tuple[Corpus, Batch, BatchCounts]
CountBatches = Callable[[Iterable[Work], CountJob], Iterator[CountedWork]]

# Below this much encoding (bytes x tokenizers) starting processes costs more than it saves.
_WORTH_PROCESSES = 24 << 20
# What a tokenizer whose chunks are shared costs, beside one that encodes every text whole; and what
# cutting the text does, once for all of them.
_SHARED, _CUTTING = 0.2, 0.5


def map_here(
    stream: Iterable[tuple[K, W]],
    start: Callable[[], Callable[[W], R]],
    *,
    jobs: int,
    cost: Callable[[W], float],
    tokenizers: Sequence[object] = (),
) -> Iterator[tuple[K, W, R]]:
    """Yield what comes of each piece of work, in order, whatever the number of processes.

    Arguments:
        stream: pieces of work, each beside something that stays in this process.
        start: called once in each process, for what does the work there; sent to workers, as work
            and results are.
        jobs: worker processes, at most; none for little work. 0 for one a core.
        cost: of a piece of work, in bytes encoded by one tokenizer.
        tokenizers: that do the work. An object of another program's may be of a class that no new
            process can find, so that all is done in this one.

    Raises:
        InputError: a worker was killed, or what the work raises.
    """
    jobs = whole("jobs", jobs, 0) or cpu_count()
    if any(isinstance(tokenizer, ObjectTokenizer) for tokenizer in tokenizers):
        jobs = 1
    stream = iter(stream)
    head: list[tuple[K, W]] = []
    total = 0.0
    if jobs > 1:
        for kept, work in stream:
            head.append((kept, work))
            total += cost(work)
            if total > _WORTH_PROCESSES:
                break
    everything = chain(head, stream)
    if total <= _WORTH_PROCESSES:
        act = start()
        for kept, work in everything:
            yield kept, work, act(work)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Spawned, not forked: encoders and array libraries hold threads and locks.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start_worker, (start,))
    waiting: deque[tuple[K, W, Future[R]]] = deque()
    try:
        for kept, work in everything:
            with interrupt_deferred():
                # It may start a process, and one that hears half of its task says so at length.
                future: Future[R] = pool.submit(_work_in_worker, work)
            waiting.append((kept, work, future))
            if len(waiting) > 2 * jobs:
                kept, work, future = waiting.popleft()
                yield kept, work, future.result()
        while waiting:
            kept, work, future = waiting.popleft()
            yield kept, work, future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, most likely for want of memory; run again with `jobs=1`,"
            " which goes on from the cache where there is one"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def count_here(stream: Iterable[Work], counting: CountJob, *, jobs: int) -> Iterator[CountedWork]:
    """Yield the batches with their counts, in order; as `map_here`."""
    each = _cost(counting)
    return map_here(
        stream,
        partial(_batch_counter, counting),
        jobs=jobs,
        cost=lambda batch: characters(batch) * each,
        tokenizers=counting.tokenizers,
    )


def characters(batch: Batch) -> int:
    """Return the length of a batch's texts, about its bytes."""
    return sum(map(len, batch.texts))


def _batch_counter(counting: CountJob) -> Callable[[Batch], BatchCounts]:
    return BatchCounter(counting).count


def _cost(counting: CountJob) -> float:
    """Return about what a byte costs, in units of one tokenizer's plain encoding."""
    plans = encoding_plans(counting.tokenizers, counting.settings) if counting.sharing else ()
    shared = sum(plan.rule is not None for plan in plans)
    return len(counting.tokenizers) - shared + shared * _SHARED + bool(shared) * _CUTTING


_act: Callable[[Any], Any] | None = None


def _start_worker(start: Callable[[], Callable[[Any], Any]]) -> None:
    """Prepare a worker process: one thread, Ctrl-C left to the parent, no life without it."""
    global _act
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _act = start()


def _end_with(parent: int) -> None:
    """End this process once its parent has: killed, it cannot tell its workers."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work_in_worker(work: Any) -> Any:
    """Do a piece of work in a worker process that `_start_worker` has prepared."""
    assert _act is not None
    return _act(work)


@contextmanager
def interrupt_deferred() -> Iterator[None]:
    """Hold back Ctrl-C until the block is done; then it does what it would have done.

    Only the main thread hears signals, so elsewhere there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if held and callable(handler):
        handler(*held[0])


def cpu_count(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many CPUs this process may use: those it is bound to, and no more than what its
    container is given.

    Arguments:
        quota: where Linux says of a control group how many microseconds of how many it may run.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        given, period = quota.read_text().split()
        return max(1, min(bound or 1, -(-int(given) // int(period))))
    except (OSError, ValueError):  # no control group, or one without bound: `max 100000`
        return bound or 1
