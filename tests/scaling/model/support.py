"""What the tests of models share: random models, and rows cut from documents in memory."""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from scaling.data.shards import Stream
from scaling.data.windows import Patches, StoredPatches, TokenBatch, batch_of, cut_rows
from scaling.flops import BltShape, SubwordShape
from scaling.model.blt import ByteLatentTransformer
from scaling.model.byte_model import entropies_of_documents
from scaling.model.patching import entropy_keys, split_entropy_starts
from scaling.model.transformer import SubwordTransformer
from tests.scaling.evaluate.streams import CPU, byte_stream

Texts = Sequence[bytes]
Rule = Callable[[Texts], tuple[Stream, Patches | None]]

ENTROPY_CONTEXT = 12  # bytes, so that the documents of these tests take more than one block


def form(plain: bool) -> AbstractContextManager[object]:
    """Return the context in which models compute by hand, as on a CPU, or plainly, as elsewhere.

    Under autocast nothing is done by hand, and float64 is left as it is.
    """
    return torch.autocast("cpu", dtype=torch.bfloat16) if plain else nullcontext()


def latent_model(
    local_layers: int = 1, slots: int = 1, window: int = 5, layers: int = 2
) -> ByteLatentTransformer:
    """Return a random byte latent transformer in float64."""
    torch.manual_seed(3)
    return ByteLatentTransformer(BltShape(layers, 8, local_layers, 4, slots), window).double()


def token_model(vocabulary: int = 256, window: int | None = None) -> SubwordTransformer:
    """Return a random transformer over tokens in float64."""
    torch.manual_seed(4)
    return SubwordTransformer(SubwordShape(2, 8, vocabulary), window=window).double()


def byte_model() -> SubwordTransformer:
    """Return a random model of bytes, confident enough for its entropies to differ."""
    torch.manual_seed(5)
    model = SubwordTransformer(SubwordShape(1, 16, 256))
    with torch.no_grad():
        model.head.mul_(6)
    return model


def patched_by(patches: Patches | None) -> Rule:
    """Return the rule that cuts rows as they are read."""
    return lambda texts: (byte_stream(texts), patches)


@functools.cache
def entropies_of(texts: tuple[bytes, ...]) -> NDArray[np.float32]:
    """Return the entropies of documents under `byte_model`; many tests ask for the same."""
    stream = byte_stream(texts)
    units = stream.units.astype(np.uint8)
    return entropies_of_documents(byte_model(), units, stream.documents, ENTROPY_CONTEXT, CPU)


def patched_by_entropy(texts: Texts, monotonic: bool) -> Rule:
    """Return the rule that cuts documents by a byte model; the threshold is made for `texts`."""
    bits = entropies_of(tuple(texts))
    keys = entropy_keys(bits, byte_stream(texts).documents, monotonic)
    threshold = float(np.quantile(keys[np.isfinite(keys)], 0.7))

    def rule(texts: Texts) -> tuple[Stream, Patches | None]:
        bits, offsets = entropies_of(tuple(texts)), byte_stream(texts).documents
        starts = split_entropy_starts(bits, offsets, threshold, 6, monotonic)
        return byte_stream(texts, starts=starts), StoredPatches()

    return rule


@dataclass(frozen=True)
class Cut:
    """Rows cut from a stream.

    Attributes:
        begins: first unit of each row. lengths: units of each; the rest of its row is padding.
        width: W.
    """

    begins: tuple[int, ...]
    lengths: tuple[int, ...]
    width: int

    def batch(self, stream: Stream, patches: Patches | None) -> TokenBatch:
        """Return the rows as a model reads them."""
        begins, lengths = np.array(self.begins), np.array(self.lengths)
        return batch_of(cut_rows(stream, begins, lengths, self.width), patches)

    @property
    def places(self) -> NDArray[np.int64]:
        """[rows, W], where in the stream each target lies; -1 on padding."""
        along = np.arange(self.width)
        places = np.array(self.begins)[:, None] + along
        return np.where(along < np.array(self.lengths)[:, None], places, -1)
