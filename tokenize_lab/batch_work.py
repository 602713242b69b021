"""What a worker does with one batch: look it up, encode what is missing, keep the counts."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpora.document import Batch
from tokenize_lab.cache import CountsCache, content_sha256, counts_key, tokenizer_key
from tokenize_lab.counting import TokenCounts, count_tokens
from tokenize_lab.text_counts import CODE_DOMAIN, AnnotatedText, TextSettings
from tokenize_lab.tokenizer import Tokenizer


@dataclass(frozen=True)
class Workbench:
    """Everything a worker needs, sent to it once.

    Attributes:
        tokenizers: to be counted with, in the order of the results.
        settings: what is looked for in a text.
        cache: where counts are kept, or None.
    """

    tokenizers: Sequence[Tokenizer]
    settings: TextSettings
    cache: CountsCache | None


@dataclass(frozen=True)
class BatchCounts:
    """Counts of one batch.

    Attributes:
        text: [documents, len(TEXT_FIELDS)] int64.
        tokens: one entry for each tokenizer.
        encode_seconds: [tokenizers] seconds in the encoder alone; NaN where the cache answered.
        content_sha256: of the batch's texts.
    """

    text: NDArray[np.int64]
    tokens: Sequence[TokenCounts]
    encode_seconds: Sequence[float]
    content_sha256: str


def count_batch(workbench: Workbench, batch: Batch) -> BatchCounts:
    """Return the batch's counts, from the cache where they are there."""
    text = AnnotatedText(batch.texts, workbench.settings, batch.domain == CODE_DOMAIN)
    content = content_sha256(text.text_bytes)
    key = counts_key(content, workbench.settings, text.is_code)
    cache = workbench.cache
    stored = cache.get(key) if cache else None
    if stored is None:
        text_counts = text.counts()
        if cache:
            cache.put([text_counts], key)
    else:
        (text_counts,) = stored
    tokens: list[TokenCounts] = []
    seconds: list[float] = []
    for tokenizer in workbench.tokenizers:
        stored = cache.get(key, tokenizer_key(tokenizer)) if cache else None
        if stored is not None:
            per_text, ids, occurrences = stored
            tokens.append(TokenCounts(per_text, ids.astype(np.uint32), occurrences))
            seconds.append(float("nan"))
            continue
        tokenizer.encode_batch([])  # engines are built when first called: not the encoder's time
        begin = time.perf_counter()
        encoding = tokenizer.encode_batch(batch.texts)
        seconds.append(time.perf_counter() - begin)
        counts = count_tokens(text, encoding, tokenizer)
        if cache:
            arrays = [counts.per_text, counts.ids.astype(np.int64), counts.occurrences]
            cache.put(arrays, key, tokenizer_key(tokenizer))
        tokens.append(counts)
    return BatchCounts(text_counts, tokens, seconds, content)


_workbench: Workbench | None = None


def start_worker(workbench: Workbench) -> None:
    """Prepare a worker process: one thread, Ctrl-C left to the parent, no life without it."""
    import signal
    import threading

    global _workbench
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _workbench = workbench
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent has: killed, it cannot tell its workers."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def count_in_worker(batch: Batch) -> BatchCounts:
    """Count a batch in a worker process that `start_worker` has prepared."""
    assert _workbench is not None
    return count_batch(_workbench, batch)
