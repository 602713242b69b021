"""Two runs asked for the same bytes, and their average, whatever each cuts text into.

A model of bytes says what the next byte is; of a model of tokens it follows exactly, from the sums
over all encodings (`scaling.evaluate.exact_bytes`): P(b | s) = P(s b) / P(s). So models of
different tokenizers have a common ground, on which their probabilities can be averaged byte by
byte; two of them that err in different places are better together than either.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from corpora.bootstrap import DocumentBootstrap
from corpora.errors import InputError
from scaling.data.shards import Stream
from scaling.evaluate.exact_bytes import FEWEST_BYTES, ExactBytes
from scaling.evaluate.latent_reader import CachedBytes, next_starts
from scaling.evaluate.score import bits_interval
from scaling.evaluate.trained_run import TrainedRun
from scaling.model.blt import ByteLatentTransformer


@dataclass(frozen=True)
class AverageScores:
    """What the beginnings of documents cost two runs, and their average.

    Attributes:
        document_bytes: int64 [documents], bytes of each beginning.
        nats: float64 [documents, 3], of the first run, of the second, of the average.
        languages: uint16 [documents], number of its language.
    """

    document_bytes: NDArray[np.int64]
    nats: NDArray[np.float64]
    languages: NDArray[np.uint16]

    def to_json(self, language: int | None, level: float, draws: int) -> dict[str, Any]:
        """Return bits per byte of a language, or of all, and what averaging gains on the better."""
        chosen = np.ones(len(self.languages), np.bool_)
        if language is not None:
            chosen = self.languages == language
        sizes, nats = self.document_bytes[chosen], self.nats[chosen]
        first, second, average = (nats.sum(axis=0) / (math.log(2) * sizes.sum())).tolist()
        better = nats[:, 0 if first <= second else 1]
        bootstrap = DocumentBootstrap(draws, level=level)
        return {
            "documents": len(sizes),
            "bytes": int(sizes.sum()),
            "bits_per_byte": first,
            "with_bits_per_byte": second,
            "average_bits_per_byte": average,
            "gain": min(first, second) - average,
            "gain_interval": bits_interval(better - nats[:, 2], sizes, bootstrap),
        }


def average_runs(
    first: TrainedRun,
    second: TrainedRun,
    stream: Stream,
    exact_bytes: int,
    names: Sequence[str],
    advance: Callable[[int], object] = lambda size: None,
) -> AverageScores:
    """Score the first bytes of each document of a stream of text by two runs and their average.

    Args:
        stream: of bytes.
        exact_bytes: of each document, at most, cut where a character ends; 4 or more.
        names: of the stream's languages.
        advance: called with the bytes of each document that is done.

    Raises:
        InputError: a beginning is more than one of the models sees at once; a run's languages have
            thresholds of their own, and one of these has none.
    """
    if exact_bytes < FEWEST_BYTES:
        raise InputError(f"`exact_bytes={exact_bytes}`: give {FEWEST_BYTES} or more")
    askers = [_asker(run.in_each(stream.languages, names)) for run in (first, second)]
    sizes, nats = [], []
    for number in range(stream.document_count):
        text = stream.document(number)[:exact_bytes].tobytes().decode(errors="ignore")
        data = text.encode()
        one, other = (ask(data, int(stream.languages[number])) for ask in askers)
        both = np.logaddexp(-one, -other) - math.log(2)
        sizes.append(len(data))
        nats.append([one.sum(), other.sum(), -both.sum()])
        advance(len(data))
    return AverageScores(np.array(sizes, np.int64), np.array(nats), np.array(stream.languages))


def _asker(runs: Mapping[int, TrainedRun]) -> Callable[[bytes, int], NDArray[np.float64]]:
    """Return the function that gives [n] nats of each byte of a document's beginning.

    Args:
        runs: one, as it reads each language.
    """
    run = next(iter(runs.values()))
    if isinstance(run.model, ByteLatentTransformer):
        return lambda data, language: _nats_of_bytes(runs[language], data)
    assert run.tokenizer is not None
    exact = ExactBytes(run.model, run.tokenizer, run.spec.window_units)

    def ask(data: bytes, language: int) -> NDArray[np.float64]:
        del language  # tokens are the same in all
        exact.forget()
        logs = [exact.log_probability(data[:size]) for size in range(len(data) + 1)]
        return -np.diff(logs)

    return ask


def _nats_of_bytes(run: TrainedRun, data: bytes) -> NDArray[np.float64]:
    model, spec = run.model, run.spec
    assert isinstance(model, ByteLatentTransformer) and spec.patching is not None
    if len(data) > spec.window_units:
        raise InputError(
            f"`exact_bytes`: {len(data):,} bytes are more than run {spec.run_id} sees at once,"
            f" {spec.window_units:,}; give fewer"
        )
    reader = CachedBytes(model, b"", spec.window_units, next_starts(spec.patching, run.byte_model))
    logits = [reader.logits()[None]]
    if len(data) > 1:
        logits.append(reader.read(data[:-1]))
    logs = torch.cat(logits).double().log_softmax(dim=-1).cpu().numpy()
    return -np.asarray(logs[np.arange(len(data)), list(data)])
