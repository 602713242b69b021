"""Writing blocks of bytes that a decoder has learnt to fill (BLT-D and BLT-DV, arXiv 2605.08044).

A block of B masks follows what was written, all of it reading the latest latent. The decoder is run
over it until none is left, filling in each time what it is surest of. BLT-D writes the block as it
is. BLT-DV takes it as guesses, which the whole model judges as in `scaling.evaluate.speculate`: its
greedy text is that of plain decoding by the same weights.

The model has learnt blocks that begin where patches do, so a patch that is open is finished byte by
byte first, which takes no pass of the global module.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scaling.data.masked_blocks import MASK
from scaling.evaluate.decoding import DecodingMethod, Unmasking
from scaling.evaluate.latent_reader import CachedBytes
from scaling.evaluate.sampling import Sampling, drawn, judged, probabilities
from scaling.evaluate.speculate import weights_of

_GREEDY = Sampling()
_AS_IT_IS = Sampling(temperature=1.0)


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
