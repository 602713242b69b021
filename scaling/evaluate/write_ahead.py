"""Writing several bytes at once (arXiv 2605.08044): guesses judged by the whole model, and blocks.

Self-speculation (BLT-S). A round guesses k bytes with the decoder alone, every one reading the
latest latent there is, wherever patches would open. Then the guesses are patched and read by the
whole model in one pass, which says what should have followed each byte: guesses are kept up to the
first that is wrong, and that one is replaced. So a round writes 1 to k + 1 bytes, and they are
those of plain decoding, for patches that open at a byte whatever follows it. With `reuse`, latents
of the judging pass that lie within what was kept are kept as well, and the next round guesses from
them. Without, as in the paper, they are made again before each round.

Blocks (BLT-D, BLT-DV), of a decoder that has learnt to fill them. A block of B masks follows what
was written, all of it reading the latest latent. The decoder is run over it until none is left,
filling in each time what it is surest of. BLT-D writes the block as it is; BLT-DV takes it as
guesses, judged as above. The model has learnt blocks that begin where patches do, so a patch that
is open is finished byte by byte first, which takes no pass of the global module.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scaling.evaluate.decoding import DecodingMethod, Unmasking
from scaling.evaluate.latent_reader import CachedBytes
from scaling.evaluate.sampling import Sampling, Weights, drawn, judged, probabilities
from scaling.model.diffusion import MASK

_GREEDY = Sampling()
_AS_IT_IS = Sampling(temperature=1.0)


def speculate(reader: CachedBytes, decoding: DecodingMethod, sampling: Sampling) -> Iterator[bytes]:
    """Yield the bytes of one round after another, without end; the reader has read the prompt.

    Raises:
        InputError: the model's logits are not finite.
    """
    random = np.random.default_rng(sampling.seed)
    unread = b""  # committed, not yet read by the whole model
    while True:
        size = min(decoding.size, reader.room - len(unread))
        if unread and (size < 1 or not decoding.reuse):
            reader.read(unread)
            unread, size = b"", min(decoding.size, reader.room)
        if size < 1:  # the segment is full: a byte as in plain decoding, and a new one begins
            unread = bytes([drawn(weights_of(reader.logits(), sampling), random)])
            yield unread
            continue
        begin = len(reader)
        known = None if unread else weights_of(reader.logits(), sampling)
        guesses, guessed = _guesses(reader, unread, known, size, sampling, random)
        right = weights_of(reader.read(unread + guesses), sampling)
        if known is not None:
            right = np.concatenate([known[None], right])
        kept, byte = judged(guesses, guessed, right, random)
        written = guesses[:kept] + bytes([byte])
        reader.passes.judge(size, written)
        yield written
        if decoding.reuse:
            reader.rewind(begin + len(unread) + kept)
            unread = written[-1:]
        else:
            reader.rewind(begin)
            unread = written


def weights_of(logits: Tensor, sampling: Sampling) -> Weights:
    """Return [..., 256] what each byte is drawn with."""
    return probabilities(logits.float().cpu().numpy(), sampling)


def _guesses(
    reader: CachedBytes,
    unread: bytes,
    known: Weights | None,
    size: int,
    sampling: Sampling,
    random: np.random.Generator,
) -> tuple[bytes, Weights]:
    """Return `size` bytes, and [size, 256] what each was drawn with.

    Args:
        unread: the byte before them, if the whole model has not read it.
        known: weights of the first of them, if it has.
    """
    guesses, guessed = b"", []
    for place in range(size):
        if known is not None and not place:
            weights = known
        else:
            weights = weights_of(reader.guess((unread + guesses)[-1]), sampling)
        guessed.append(weights)
        guesses += bytes([drawn(weights, random)])
    return guesses, np.stack(guessed)


def write_blocks(
    reader: CachedBytes, decoding: DecodingMethod, sampling: Sampling
) -> Iterator[bytes]:
    """Yield blocks, and the bytes between them, without end; the reader has read the prompt.

    Raises:
        InputError: the model's logits are not finite.
    """
    random = np.random.default_rng(sampling.seed)
    unread = b""
    while True:
        if unread:
            reader.read(unread)
        size = min(decoding.size, reader.room)
        if size < 2 or not reader.at_boundary:
            unread = bytes([drawn(weights_of(reader.logits(), sampling), random)])
            yield unread
            continue
        if decoding.kind == "diffuse":
            unread = filled(reader, size, decoding.unmasking, sampling, random)
            yield unread
            continue
        begin, known = len(reader), weights_of(reader.logits(), sampling)
        # Whatever is sampled, guesses are the likeliest bytes: then they were drawn with certainty.
        guesses = filled(reader, size, decoding.unmasking, _GREEDY, random)
        guessed = np.eye(len(known))[list(guesses)]
        right = np.concatenate([known[None], weights_of(reader.read(guesses), sampling)])
        kept, byte = judged(guesses, guessed, right, random)
        written = guesses[:kept] + bytes([byte])
        reader.passes.judge(size, written)
        yield written
        reader.rewind(begin + kept if decoding.reuse else begin)
        unread = written[-1:] if decoding.reuse else written


def filled(
    reader: CachedBytes,
    size: int,
    unmasking: Unmasking,
    sampling: Sampling,
    random: np.random.Generator,
) -> bytes:
    """Return a block of `size` bytes that follows what was read."""
    cells = np.full(size, MASK)
    while (masked := np.flatnonzero(cells == MASK)).size:
        logits = reader.fill(cells.tolist()).float().cpu().numpy()[masked]
        chosen = masked[unmasked(probabilities(logits, _AS_IT_IS), unmasking)]
        weights = probabilities(logits, sampling)
        for place in chosen.tolist():
            cells[place] = drawn(weights[np.searchsorted(masked, place)], random)
    return bytes(cells.tolist())


def unmasked(weights_MV: NDArray[np.float64], unmasking: Unmasking) -> NDArray[np.int64]:
    """Return which of [M, V] distributions of masked bytes are filled now, in order of place."""
    if unmasking.kind == "once":
        return np.arange(len(weights_MV))
    if unmasking.kind == "confidence":
        surest = weights_MV.max(axis=1)
        sure = surest > unmasking.bound
        sure[np.argmax(surest)] = True
        return np.flatnonzero(sure)
    logs = np.log(np.where(weights_MV > 0, weights_MV, 1.0))
    entropies = -(weights_MV * logs).sum(axis=1)
    order = np.argsort(entropies, kind="stable")
    count = max(1, int((np.cumsum(entropies[order]) <= unmasking.bound).sum()))
    return np.sort(order[:count])
