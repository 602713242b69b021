"""Counting batches on this machine, on every core."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain

from corpora.corpus import Corpus
from corpora.document import Batch
from corpora.errors import InputError
from tokenize_lab.batch_work import (
    BatchCounter,
    BatchCounts,
    Workbench,
    count_in_worker,
    start_worker,
)
from tokenize_lab.interrupts import interrupt_deferred
from tokenize_lab.pretokens.serving import servings

Work = tuple[Corpus, Batch]
CountedWork = tuple[Corpus, Batch, BatchCounts]
Counted = Callable[[Iterable[Work], Workbench], Iterator[CountedWork]]

# Below this much encoding (bytes x tokenizers) starting processes costs more than it saves.
_WORTH_PROCESSES = 24 << 20
# What a tokenizer whose chunks are shared costs, beside one that encodes every text whole; and what
# cutting the text does, once for all of them.
_SHARED, _CUTTING = 0.2, 0.5


def counted_here(
    stream: Iterable[Work], workbench: Workbench, *, jobs: int
) -> Iterator[CountedWork]:
    """Yield the batches with their counts, in order.

    Arguments:
        jobs: worker processes, at most; none for a little text.

    Raises:
        InputError: a worker was killed.
    """
    stream = iter(stream)
    head: list[Work] = []
    work = 0.0
    cost = _cost(workbench)
    for corpus, batch in stream:
        head.append((corpus, batch))
        work += sum(map(len, batch.texts)) * cost
        if work > _WORTH_PROCESSES:
            break
    everything = chain(head, stream)
    if jobs <= 1 or work <= _WORTH_PROCESSES:
        counter = BatchCounter(workbench)
        for corpus, batch in everything:
            yield corpus, batch, counter.count(batch)
        return
    # Spawned, not forked: encoders and array libraries hold threads and locks.
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), start_worker, (workbench,)
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
            "in the cache: run again with --jobs 1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cost(workbench: Workbench) -> float:
    """Return about what a byte costs, in units of one tokenizer's plain encoding."""
    plans = servings(workbench.tokenizers, workbench.settings) if workbench.sharing else ()
    shared = sum(plan.rule is not None for plan in plans)
    return len(workbench.tokenizers) - shared + shared * _SHARED + bool(shared) * _CUTTING
