"""Counting batches on this machine, on every core."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import FrameType

from corpora.corpus import Corpus
from corpora.document import Batch
from corpora.errors import InputError
from tokenize_lab.backends.objects import ObjectTokenizer
from tokenize_lab.counts.batches import BatchCounter, BatchCounts, CountJob
from tokenize_lab.counts.sharing import encoding_plans

Work = tuple[Corpus, Batch]
CountedWork = tuple[Corpus, Batch, BatchCounts]
CountBatches = Callable[[Iterable[Work], CountJob], Iterator[CountedWork]]

# Below this much encoding (bytes x tokenizers) starting processes costs more than it saves.
_WORTH_PROCESSES = 24 << 20
# What a tokenizer whose chunks are shared costs, beside one that encodes every text whole; and what
# cutting the text does, once for all of them.
_SHARED, _CUTTING = 0.2, 0.5


def count_here(stream: Iterable[Work], counting: CountJob, *, jobs: int) -> Iterator[CountedWork]:
    """Yield the batches with their counts, in order.

    Arguments:
        jobs: worker processes, at most; none for a little text.

    Raises:
        InputError: a worker was killed.
    """
    stream = iter(stream)
    head: list[Work] = []
    work = 0.0
    cost = _cost(counting)
    for corpus, batch in stream:
        head.append((corpus, batch))
        work += sum(map(len, batch.texts)) * cost
        if work > _WORTH_PROCESSES:
            break
    everything = chain(head, stream)
    # An object of another program's may be of a class that no new process can find.
    at_home = any(isinstance(t, ObjectTokenizer) for t in counting.tokenizers)
    if jobs <= 1 or work <= _WORTH_PROCESSES or at_home:
        counter = BatchCounter(counting)
        for corpus, batch in everything:
            yield corpus, batch, counter.count(batch)
        return
    # Spawned, not forked: encoders and array libraries hold threads and locks.
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), start_worker, (counting,)
    )
    waiting: deque[tuple[Corpus, Batch, Future[BatchCounts]]] = deque()
    try:
        for corpus, batch in everything:
            with interrupt_deferred():
                # It may start a process, and one that hears half of its task says so at length.
                future = pool.submit(count_in_worker, batch)
            waiting.append((corpus, batch, future))
            if len(waiting) > 2 * jobs:
                corpus, batch, future = waiting.popleft()
                yield corpus, batch, future.result()
        while waiting:
            corpus, batch, future = waiting.popleft()
            yield corpus, batch, future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, most likely for want of memory; what it had counted is "
            "in the cache: run again with `jobs=1`"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cost(counting: CountJob) -> float:
    """Return about what a byte costs, in units of one tokenizer's plain encoding."""
    plans = encoding_plans(counting.tokenizers, counting.settings) if counting.sharing else ()
    shared = sum(plan.rule is not None for plan in plans)
    return len(counting.tokenizers) - shared + shared * _SHARED + bool(shared) * _CUTTING


_counter: BatchCounter | None = None


def start_worker(counting: CountJob) -> None:
    """Prepare a worker process: one thread, Ctrl-C left to the parent, no life without it."""
    global _counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _counter = BatchCounter(counting)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent has: killed, it cannot tell its workers."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def count_in_worker(batch: Batch) -> BatchCounts:
    """Count a batch in a worker process that `start_worker` has prepared."""
    assert _counter is not None
    return _counter.count(batch)


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
