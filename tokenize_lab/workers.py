"""Work on text on this machine, on every core: the same results in the same order as on one."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from corpora.arguments import whole
from corpora.corpus import Corpus
from corpora.document import Batch, utf8_length
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
_WORTH_PROCESSES = 64 << 20
# Beside a byte that one tokenizer encodes: what it takes to cut one into chunks, once for all
# tokenizers, and for each of them to add up what it knows of them; what is new is encoded.
_CUTTING, _ADDING = 0.3, 0.1
_SAMPLED_CHARACTERS = 1 << 17  # of a language, for how much of its text is new
# Work of one kind stays in one process until that has more than another by so many pieces of it.
_UNEVEN = 3
_AHEAD = 4  # pieces of work read ahead, for each process


class _Dealing:
    """To which of several processes work goes: evenly, and what is of one kind to the same one."""

    def __init__(self, places: int) -> None:
        self._loads = [0.0] * places
        self._homes: dict[object, int] = {}

    def place(self, kind: object, cost: float) -> int:
        """Return where the next piece of work goes."""
        least = min(range(len(self._loads)), key=self._loads.__getitem__)
        home = self._homes.setdefault(kind, least)
        chosen = least if self._loads[home] - self._loads[least] > _UNEVEN * cost else home
        self._loads[chosen] += cost
        return chosen


@dataclass
class _Piece(Generic[K, W, R]):
    """A piece of work: of another process where it has a future, else of this one."""

    kept: K
    work: W
    future: "Future[R] | None"
    result: R | None = None
    done: bool = False

    def finish(self, act: Callable[[W], R]) -> None:
        """See that there is a result, made here or waited for."""
        if not self.done:
            self.result = act(self.work) if self.future is None else self.future.result()
            self.done = True


def map_here(
    stream: Iterable[tuple[K, W]],
    start: Callable[[], Callable[[W], R]],
    *,
    jobs: int,
    cost: Callable[[W], float],
    tokenizers: Sequence[object] = (),
    kind: Callable[[W], object] = lambda work: None,
) -> Iterator[tuple[K, W, R]]:
    """Yield what comes of each piece of work, in order, whatever the number of processes.

    Arguments:
        stream: pieces of work, each beside something that stays in this process.
        start: called once in each process, for what does the work there; sent to workers, as work
            and results are.
        jobs: processes at most, this one among them, which does its part; for little work it does
            all. 0 for one a core.
        cost: of a piece of work, in bytes encoded by one tokenizer.
        tokenizers: that do the work. An object of another program's may be of a class that no new
            process can find, so that all is done in this one.
        kind: of a piece of work: what one process learns of one helps it with others of that kind.

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
    everything, act = chain(head, stream), start()
    if total <= _WORTH_PROCESSES:
        for kept, work in everything:
            yield kept, work, act(work)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Spawned, not forked: encoders and array libraries hold threads and locks.
    context = multiprocessing.get_context("spawn")
    # One process to a pool, so that work of one kind can be given to the same one.
    pools = [ProcessPoolExecutor(1, context, _start_worker, (start,)) for _ in range(jobs - 1)]
    dealing, waiting = _Dealing(jobs), deque[_Piece[K, W, R]]()

    def first() -> tuple[K, W, R]:
        piece = waiting.popleft()
        own = (other for other in waiting if other.future is None and not other.done)
        while piece.future is not None and not piece.future.done() and (other := next(own, None)):
            other.finish(act)
        piece.finish(act)
        return piece.kept, piece.work, piece.result  # type: ignore[return-value]  # it is done

    try:
        for kept, work in everything:
            place = dealing.place(kind(work), cost(work))
            with interrupt_deferred():
                # It may start a process, and one that hears half of its task says so at length.
                future = pools[place - 1].submit(_work_in_worker, work) if place else None
            waiting.append(_Piece(kept, work, future))
            if len(waiting) > _AHEAD * jobs:
                yield first()
        while waiting:
            yield first()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, most likely for want of memory; run again with `jobs=1`,"
            " which goes on from the cache where there is one"
        ) from error
    finally:
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)


def count_here(stream: Iterable[Work], counting: CountJob, *, jobs: int) -> Iterator[CountedWork]:
    """Yield the batches with their counts, in order; as `map_here`."""
    return map_here(
        stream,
        partial(_batch_counter, counting),
        jobs=jobs,
        cost=_Costs(counting).of,
        tokenizers=counting.tokenizers,
        kind=attrgetter("language"),
    )


def characters(batch: Batch) -> int:
    """Return the length of a batch's texts, about its bytes."""
    return sum(map(len, batch.texts))


def _batch_counter(counting: CountJob) -> Callable[[Batch], BatchCounts]:
    return BatchCounter(counting).count


class _Costs:
    """About what batches cost, in bytes that one tokenizer encodes plainly.

    What tokenizers share follows from how much of a language's text is new.
    """

    def __init__(self, counting: CountJob) -> None:
        plans = encoding_plans(counting.tokenizers, counting.settings) if counting.sharing else ()
        self._shared = sum(plan.rule is not None for plan in plans)
        self._alone = len(counting.tokenizers) - self._shared
        self._new: dict[str, float] = {}

    def of(self, batch: Batch) -> float:
        """Return what a batch costs."""
        size = sum(map(utf8_length, batch.texts))
        if not self._shared:
            return size * self._alone
        if batch.language not in self._new:
            self._new[batch.language] = _share_new(batch.texts)
        each = _ADDING + self._new[batch.language]
        return size * (self._alone + _CUTTING + self._shared * min(each, 1))


def _share_new(texts: Sequence[str]) -> float:
    """Return which share of the first characters are words not seen before."""
    words: list[str] = []
    left = _SAMPLED_CHARACTERS
    for text in texts:
        words += text[:left].split()
        left -= len(text)
        if left <= 0:
            break
    return sum(map(len, set(words))) / max(1, sum(map(len, words)))


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
