"""Self-speculation (BLT-S, arXiv 2605.08044): the decoder guesses ahead, the whole model judges.

A round guesses k bytes with the decoder alone, every one reading the latest latent there is,
wherever patches would open. Then the guesses are patched and read by the whole model in one pass,
which says what should have followed each byte: guesses are kept up to the first that is wrong, and
that one is replaced. So a round writes 1 to k + 1 bytes, and they are those of plain decoding, for
patches that open at a byte whatever follows it.

With `reuse`, latents of the judging pass that lie within what was kept are kept as well, and the
next round guesses from them. Without, as in the paper, they are made again before each round.
"""

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from scaling.evaluate.decoding import DecodingMethod
from scaling.evaluate.latent_reader import CachedBytes
from scaling.evaluate.sampling import Sampling, Weights, drawn, judged, probabilities


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
