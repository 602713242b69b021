"""Text from a model: greedy or sampled, one unit at a time.

There is no end-of-text unit: generation stops at the length that was asked for.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corpora.errors import InputError
from scaling.evaluate.caches import CachedTokens
from scaling.evaluate.decoding import DecodingMethod, Passes
from scaling.evaluate.exact_bytes import ContextError, ExactBytes
from scaling.evaluate.latent_reader import CachedBytes, next_starts
from scaling.evaluate.sampling import Sampling, drawn, probabilities
from scaling.evaluate.trained_run import TrainedRun
from scaling.evaluate.write_ahead import speculate, write_blocks
from scaling.model.blt import ByteLatentTransformer


class Reader(Protocol):
    """A model that reads one document, as `CachedTokens`: [V] logits of the next unit, and it."""

    def logits(self) -> Tensor: ...
    def push(self, unit: int) -> None: ...


class Pieces(Protocol):
    """The bytes of each token."""

    def __getitem__(self, token_id: int, /) -> bytes: ...


PLAIN = DecodingMethod()


def continue_text(
    run: TrainedRun,
    prompt: str,
    size: int,
    sampling: Sampling,
    decoding: DecodingMethod = PLAIN,
    passes: Passes | None = None,
    *,
    bytewise: bool = False,
) -> Iterator[bytes]:
    """Yield `size` bytes that follow `prompt`, a few at a time; a character may lie across two.

    A subword model's prompt is encoded by itself, so it continues at a token's beginning.

    Args:
        decoding: how a byte latent model goes on. passes: counts what that takes.
        bytewise: let a subword model go on byte by byte, by what it says of the bytes themselves,
            over all encodings: then a prompt may end inside a token.

    Raises:
        InputError: the prompt has no UTF-8 form, the model's logits are not finite, or the run
            cannot be decoded so.
    """
    try:
        text = prompt.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the prompt is not UTF-8 ({error.reason}); give it as text") from error
    check_decoding(run, decoding)
    if bytewise and run.tokenizer is None:
        raise InputError(f"`bytewise`: run {run.spec.run_id} predicts bytes already; leave it out")
    model, spec, tokenizer = run.model, run.spec, run.tokenizer
    if isinstance(model, ByteLatentTransformer):
        assert spec.patching is not None
        rule = next_starts(spec.patching, run.byte_model)
        reader = CachedBytes(model, text, spec.window_units, rule, passes)
        if decoding.kind != "ar":
            way = write_blocks if decoding.fills_blocks else speculate
            yield from cut(way(reader, decoding, sampling), size)
            return
        yield from generate_bytes(generate_units(reader, sampling), None, size)
        return
    assert tokenizer is not None
    if bytewise:
        asked = Bytewise(ExactBytes(model, tokenizer, spec.window_units), text)
        yield from generate_bytes(generate_units(asked, sampling), None, size)
        return
    ids = tokenizer.encode_batch([prompt]).ids.tolist()
    tokens = CachedTokens(model, ids, spec.window_units)
    table = tokenizer.token_bytes
    units = generate_units(tokens, sampling, forbidden=table.lengths == 0)
    prefix = b"" if ids else tokenizer.prefix  # where the text begins here
    yield from generate_bytes(units, table, size, prefix)


class Bytewise:
    """A model of tokens that is asked for the next byte, as a `Reader` whose units are bytes.

    Where the text has become more than the model sees at once, its first half is forgotten.
    """

    def __init__(self, exact: ExactBytes, text: bytes) -> None:
        self._exact, self._text = exact, text

    def logits(self) -> Tensor:
        """Return [256] logarithms of the next byte's probabilities."""
        while True:
            try:
                with np.errstate(divide="ignore"):
                    return torch.from_numpy(np.log(self._exact.next_bytes(self._text)))
            except ContextError:
                if len(self._text) < 2:
                    raise
                half = self._text[len(self._text) // 2 :]
                self._text = half.decode(errors="ignore").encode() or half[-1:]

    def push(self, unit: int) -> None:
        """Let the byte `unit` be the next one."""
        self._exact.forget()
        self._text += bytes([unit])


def check_decoding(run: TrainedRun, decoding: DecodingMethod) -> None:
    """See that a run can be decoded so.

    Raises:
        InputError: it cannot.
    """
    if decoding.kind == "ar":
        return
    if not isinstance(run.model, ByteLatentTransformer):
        raise InputError(
            f"`decode` {decoding}: run {run.spec.run_id} is a subword model, which has no decoder"
            " of its own to guess with; leave out `decode`"
        )
    if decoding.fills_blocks and run.spec.model.diffusion_block is None:
        raise InputError(
            f"`decode` {decoding}: run {run.spec.run_id} has not learnt to fill blocks; use"
            " speculate, or train with diffusion_block = 8 under [model]"
        )
    if decoding.size >= run.spec.window_units:
        raise InputError(
            f"`decode` {decoding}: the model sees {run.spec.window_units} bytes at once; give fewer"
        )


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
        if forbidden is not None:
            logits = np.where(forbidden, -np.inf, logits)
        unit = drawn(probabilities(logits, sampling), random)
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


def cut(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of pieces."""
    left = size
    while left > 0:
        piece = next(pieces)
        yield piece[:left]
        left -= len(piece)


def cut_after(pieces: Iterator[bytes], end: bytes) -> Iterator[bytes]:
    """Yield pieces up to the first place where `end` has been written, it included."""
    before = b""  # what may be the beginning of `end`
    for piece in pieces:
        at = (before + piece).find(end)
        if at >= 0:
            yield piece[: at + len(end) - len(before)]
            return
        yield piece
        before = (before + piece)[max(0, len(before) + len(piece) - len(end) + 1) :]
