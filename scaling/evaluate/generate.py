"""Text from a model: greedy or sampled, one unit at a time.

There is no end-of-text unit: generation stops at the length that was asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from corpora.errors import InputError
from scaling.evaluate.caches import CachedBytes, CachedTokens, next_starts
from scaling.evaluate.trained_run import TrainedRun
from scaling.model.blt import ByteLatentTransformer


class Reader(Protocol):
    """A model that reads one document, as `CachedTokens`: [V] logits of the next unit, and it."""

    def logits(self) -> Tensor: ...
    def push(self, unit: int) -> None: ...


class Pieces(Protocol):
    """The bytes of each token."""

    def __getitem__(self, token_id: int, /) -> bytes: ...


@dataclass(frozen=True)
class Sampling:
    """How the next unit is chosen.

    Attributes:
        temperature: logits are divided by it; 0 takes the likeliest unit, the first of equals.
        top_p: only the likeliest units that together have this probability are drawn from.
        top_k: only so many of the likeliest are drawn from; None for all.
        seed: of the draws; the same seed gives the same text.

    Raises:
        InputError: a value is out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < np.inf:
            raise InputError(f"temperature {self.temperature}: must be 0 or more, and finite")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top-p {self.top_p}: must be above 0 and at most 1")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"top-k {self.top_k}: must be 1 or more")
        if self.seed < 0:
            raise InputError(f"seed {self.seed}: must be 0 or more")


def continue_text(run: TrainedRun, prompt: str, size: int, sampling: Sampling) -> Iterator[bytes]:
    """Yield `size` bytes that follow `prompt`, a few at a time; a character may lie across two.

    A subword model's prompt is encoded by itself, so it continues at a token's beginning.

    Raises:
        InputError: the prompt has no UTF-8 form, or the model's logits are not finite.
    """
    try:
        text = prompt.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the prompt is not UTF-8 ({error.reason}); give it as text") from error
    model, spec, tokenizer = run.model, run.spec, run.tokenizer
    if isinstance(model, ByteLatentTransformer):
        assert spec.patching is not None
        rule = next_starts(spec.patching, run.byte_model)
        units = generate_units(CachedBytes(model, text, spec.window_units, rule), sampling)
        yield from generate_bytes(units, None, size)
        return
    assert tokenizer is not None
    ids = tokenizer.encode_batch([prompt]).ids.tolist()
    reader = CachedTokens(model, ids, spec.window_units)
    table = tokenizer.token_bytes
    units = generate_units(reader, sampling, forbidden=table.lengths == 0)
    prefix = b"" if ids else tokenizer.prefix  # where the text begins here
    yield from generate_bytes(units, table, size, prefix)


def probabilities(logits: NDArray[np.floating], sampling: Sampling) -> NDArray[np.float64]:
    """Return [V] what each unit is drawn with, at a temperature above 0.

    Units at minus infinity are never drawn. Top-k is applied before top-p.
    """
    assert sampling.temperature > 0
    shifted = (logits - logits.max()).astype(np.float64) / sampling.temperature
    weights = np.exp(shifted)
    order = np.argsort(-weights, kind="stable")
    if sampling.top_k is not None:
        weights[order[sampling.top_k :]] = 0
    weights /= weights.sum()
    if sampling.top_p < 1:
        # Kept: every unit that those before it do not suffice without; always the likeliest.
        before = np.cumsum(weights[order]) - weights[order]
        weights[order[before >= sampling.top_p]] = 0
        weights /= weights.sum()
    out: NDArray[np.float64] = weights
    return out


def generate_units(
    reader: Reader, sampling: Sampling, forbidden: NDArray[np.bool_] | None = None
) -> Iterator[int]:
    """Yield one unit after another, without end; the reader has read the prompt.

    Args:
        forbidden: [V] units that stand for no text.

    Raises:
        InputError: the model's logits are not finite.
    """
    random = np.random.default_rng(sampling.seed)
    while True:
        logits = reader.logits().float().cpu().numpy()
        if not np.isfinite(logits).all():
            raise InputError("the model's logits are not finite: it has diverged; train it again")
        if forbidden is not None:
            logits = np.where(forbidden, -np.inf, logits)
        if sampling.temperature == 0:
            unit = int(np.argmax(logits))
        else:
            cumulative = np.cumsum(probabilities(logits, sampling))
            # Drawn below the whole sum: the last place with a probability is the farthest.
            unit = int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))
        yield unit
        reader.push(unit)


def generate_bytes(
    units: Iterator[int], pieces: Pieces | None, size: int, prefix: bytes = b""
) -> Iterator[bytes]:
    """Yield the bytes of units, `size` in all; the last unit's are cut where they are too many.

    Args:
        pieces: the bytes of each token; None where a unit is a byte.
        prefix: bytes that the first of them begins with, which are no text.
    """
    left = size
    while left > 0:
        unit = next(units)
        piece = bytes([unit]) if pieces is None else pieces[unit]
        piece, prefix = piece.removeprefix(prefix), b""
        yield piece[:left]
        left -= len(piece)
