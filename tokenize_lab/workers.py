"""What a worker does with one batch: look it up, encode what is missing, keep the counts."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from corpora.corpus import Corpus
from corpora.document import Batch
from corpora.errors import InputError
from tokenize_lab.backends.objects import ObjectTokenizer
from tokenize_lab.counts.cache import CountsCache, content_sha256, counts_key, tokenizer_key
from tokenize_lab.counts.plan import encoding_plans
from tokenize_lab.counts.sharing import ChunkCounter
from tokenize_lab.counts.text import CODE_DOMAIN, AnnotatedText, TextSettings
from tokenize_lab.counts.tokens import (
    SampledPretokens,
    TokenCounts,
    add_pretokens,
    count_encoded,
    pretokens_sampled,
    token_boundaries,
)
from tokenize_lab.patterns import CutRule
from tokenize_lab.tokenizer import Tokenizer


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


@dataclass(frozen=True)
class CountJob:
    """Everything a worker needs, sent to it once.

    Attributes:
        tokenizers: to be counted with, in the order of the results.
        settings: what is looked for in a text.
        cache: where counts are kept, or None.
        sharing: whether distinct chunks of text are counted once for all tokenizers that split text
            alike; counts are the same without.
    """

    tokenizers: Sequence[Tokenizer]
    settings: TextSettings
    cache: CountsCache | None
    sharing: bool = True


@dataclass(frozen=True)
class BatchCounts:
    """Counts of one batch.

    Attributes:
        text: [documents, len(TEXT_FIELDS)] int64.
        tokens: one entry for each tokenizer.
        encode_seconds: [tokenizers] seconds until its tokens were known (where chunks are shared,
            until they were counted; what they share in equal parts); NaN where the cache answered.
        content_sha256: of the batch's texts.
        notices: what a person should know, a line each.
    """

    text: NDArray[np.int64]
    tokens: Sequence[TokenCounts]
    encode_seconds: Sequence[float]
    content_sha256: str
    notices: Sequence[str] = ()


class BatchCounter:
    """Counts batches, one after the other, in one process."""

    def __init__(self, counting: CountJob) -> None:
        self._counting = counting
        self._plans = encoding_plans(counting.tokenizers, counting.settings)
        self._chunk_counter = ChunkCounter(counting.settings)

    def count(self, batch: Batch) -> BatchCounts:
        """Return the batch's counts, from the cache where they are there."""
        text, content, key = self._text(batch)
        text_counts, tokens = self._stored(key)
        if text_counts is None:
            text_counts = text.counts()
            self._keep([text_counts], key)
        seconds = [float("nan")] * len(tokens)
        off = set(self._chunk_counter.switched_off)
        missing = [i for i, counts in enumerate(tokens) if counts is None]
        for i, (counts, taken) in self._counted(text, batch, missing).items():
            tokens[i], seconds[i] = counts, taken
            self._keep_tokens(i, counts, key)
        notices = [
            f"{name}: {why}; it encodes whole texts from here on"
            for name, why in self._chunk_counter.switched_off.items()
            if name not in off
        ]
        return BatchCounts(text_counts, _all_of(tokens), seconds, content, notices)

    def recalled(self, batch: Batch) -> BatchCounts | None:
        """Return the batch's counts if the cache has all of them."""
        if self._counting.cache is None:
            return None
        _, content, key = self._text(batch)
        text_counts, tokens = self._stored(key)
        if text_counts is None or None in tokens:
            return None
        return BatchCounts(text_counts, _all_of(tokens), [float("nan")] * len(tokens), content)

    def remember(self, batch: Batch, counts: BatchCounts) -> None:
        """Put into the cache what was counted elsewhere."""
        if self._counting.cache is None:
            return
        is_code = batch.domain == CODE_DOMAIN
        key = counts_key(counts.content_sha256, self._counting.settings, is_code)
        self._keep([counts.text], key)
        for i, tokens in enumerate(counts.tokens):
            self._keep_tokens(i, tokens, key)

    def _text(self, batch: Batch) -> tuple[AnnotatedText, str, str]:
        """Return the text, its hash, and the name of what is counted in it."""
        settings = self._counting.settings
        text = AnnotatedText(batch.texts, settings, batch.domain == CODE_DOMAIN)
        content = content_sha256(text.text_bytes)
        return text, content, counts_key(content, settings, text.is_code)

    def _stored(self, key: str) -> tuple[NDArray[np.int64] | None, list[TokenCounts | None]]:
        """Return what the cache has of a text's counts, and of each tokenizer's."""
        tokenizers, cache = self._counting.tokenizers, self._counting.cache
        if cache is None:
            return None, [None] * len(tokenizers)
        of_text = cache.get(key)
        tokens: list[TokenCounts | None] = []
        for tokenizer in tokenizers:
            stored = cache.get(key, tokenizer_key(tokenizer))
            if stored is None:
                tokens.append(None)
            else:
                per_text, ids, occurrences = stored
                tokens.append(TokenCounts(per_text, ids.astype(np.uint32), occurrences))
        return None if of_text is None else of_text[0], tokens

    def _keep(self, arrays: list[NDArray[np.int64]], *key: str) -> None:
        if self._counting.cache is not None:
            self._counting.cache.put(arrays, *key)

    def _keep_tokens(self, i: int, counts: TokenCounts, key: str) -> None:
        arrays = [counts.per_text, counts.ids.astype(np.int64), counts.occurrences]
        self._keep(arrays, key, tokenizer_key(self._counting.tokenizers[i]))

    def _counted(
        self, text: AnnotatedText, batch: Batch, wanted: Sequence[int]
    ) -> dict[int, tuple[TokenCounts, float]]:
        """Return the counts of the tokenizers wanted, and the seconds their encoders took."""
        result: dict[int, tuple[TokenCounts, float]] = {}
        samples: dict[tuple[str, ...], SampledPretokens | None] = {}
        for rule in CutRule if self._counting.sharing else ():
            alike = [i for i in wanted if self._may_share(i, rule, batch.texts)]
            if not alike:
                continue
            begin = time.perf_counter()
            shared = self._chunk_counter.begin(text, batch, rule)
            cutting = (time.perf_counter() - begin) / len(alike)
            for i in alike if shared else ():
                assert shared is not None
                begin = time.perf_counter()
                tokenizer = self._counting.tokenizers[i]
                counts = shared.counts(tokenizer, self._plans[i].literals)
                if counts is not None:
                    result[i] = counts, cutting + time.perf_counter() - begin
        for i in wanted:
            tokenizer = self._counting.tokenizers[i]
            if i not in result:
                tokenizer.encode_batch([])  # builds the engine, which is no time of its own
                begin = time.perf_counter()
                encoding = tokenizer.encode_batch(batch.texts)
                taken = time.perf_counter() - begin
                boundaries = token_boundaries(text.text_bytes, encoding, tokenizer)
                result[i] = count_encoded(text, encoding, tokenizer, boundaries), taken
            # Tokenizers that are known to split alike need not all split the sample.
            split = type(tokenizer).__name__, *(self._plans[i].patterns or (tokenizer.name,))
            if split not in samples:
                samples[split] = pretokens_sampled(text, tokenizer)
            add_pretokens(result[i][0], samples[split])
        return result

    def _may_share(self, i: int, rule: CutRule, texts: Sequence[str]) -> bool:
        plan = self._plans[i]
        return plan.rule is rule and not any(
            literal in text for literal in plan.literals for text in texts
        )


def _all_of(tokens: Sequence[TokenCounts | None]) -> list[TokenCounts]:
    found = [counts for counts in tokens if counts is not None]
    assert len(found) == len(tokens)
    return found


_counter: BatchCounter | None = None


def start_worker(counting: CountJob) -> None:
    """Prepare a worker process: one thread, Ctrl-C left to the parent, no life without it."""
    import signal
    import threading

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


# Moments that Ctrl-C must not break in two.


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


# Counting batches on this machine, on every core.


Work = tuple[Corpus, Batch]
CountedWork = tuple[Corpus, Batch, BatchCounts]
Counted = Callable[[Iterable[Work], CountJob], Iterator[CountedWork]]

# Below this much encoding (bytes x tokenizers) starting processes costs more than it saves.
_WORTH_PROCESSES = 24 << 20
# What a tokenizer whose chunks are shared costs, beside one that encodes every text whole; and what
# cutting the text does, once for all of them.
_SHARED, _CUTTING = 0.2, 0.5


def counted_here(stream: Iterable[Work], counting: CountJob, *, jobs: int) -> Iterator[CountedWork]:
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
            "in the cache: run again with --jobs 1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cost(counting: CountJob) -> float:
    """Return about what a byte costs, in units of one tokenizer's plain encoding."""
    plans = encoding_plans(counting.tokenizers, counting.settings) if counting.sharing else ()
    shared = sum(plan.rule is not None for plan in plans)
    return len(counting.tokenizers) - shared + shared * _SHARED + bool(shared) * _CUTTING
