"""A subword or byte model that reads one document and predicts its next unit, over and over.

Keys and values that attention has seen are kept for the positions to come.

A byte latent transformer that reads one document and predicts its next byte, over and over.

Kept between bytes: keys and values of the encoder, the decoder and the global module; the encoder's
states of the bytes that no latent has pooled yet; and the latent that is being read.

Whether the next byte opens a patch is told by the rules of `scaling.model.patching`, here for text
that grows: each gives the flags of the segment being read, and that of the byte to come, which
follows from the bytes so far. It is the one flag of look-ahead that the model is given.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention

from scaling.data.windows import TokenBatch
from scaling.model.attention import causal, windowed
from scaling.model.blt import ByteLatentTransformer
from scaling.model.byte_model import ByteModel, block_begin, entropies_of_documents, entropy_bits
from scaling.model.cross_attention import Pools
from scaling.model.patching import entropy_starts, space_starts, static_starts
from scaling.model.transformer import SubwordTransformer
from scaling.spec import Patching


class KeyValues:
    """Attention of one stack of blocks over one segment of text that grows by a position at a time.

    It stands in for the functions of `scaling.model.attention`: blocks call it one after the
    other, so it knows by counting which of them is calling. The first call of each block may bring
    many positions, every later one a single position.
    """

    def __init__(self, layers: int, capacity: int, window: int | None = None) -> None:
        """Make room for `capacity` positions in each of `layers` blocks.

        Args:
            window: how many positions are attended to, one's own included; None for all.
        """
        self.window = window if window is not None else capacity
        self._capacity = capacity
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._filled = [0] * layers
        self._turn = 0

    def __call__(self, q_RHWC: Tensor, k_RHWC: Tensor, v_RHWC: Tensor) -> Tensor:
        layer, self._turn = self._turn, (self._turn + 1) % len(self._filled)
        begin, more = self._filled[layer], k_RHWC.shape[2]
        if begin == 0:
            self._kept.append((self._room(k_RHWC), self._room(v_RHWC)))
        keys, values = self._kept[layer]
        end = self._filled[layer] = begin + more
        assert end <= self._capacity, "more positions than there is room for"
        keys[:, :, begin:end], values[:, :, begin:end] = k_RHWC, v_RHWC
        if begin == 0:
            whole = more <= self.window
            attend = causal(None) if whole else windowed(more, self.window, None, k_RHWC.device)
            return attend(q_RHWC, k_RHWC, v_RHWC)
        assert more == 1, "only the first call may bring many positions"
        low = max(0, end - self.window)
        return scaled_dot_product_attention(q_RHWC, keys[:, :, low:end], values[:, :, low:end])

    def _room(self, like_RHWC: Tensor) -> Tensor:
        rows, heads, _, channels = like_RHWC.shape
        return like_RHWC.new_empty(rows, heads, self._capacity, channels)


def segment_begin(length: int, window: int) -> int:
    """Return where the segment begins in which unit number `length` of a document is predicted.

    A segment of `window` units is full; the next begins with the last window // 2 of them.
    """
    if length < window:
        return 0
    step = window - window // 2
    return step * ((length - window) // step + 1)


class CachedTokens:
    """Logits of the next token, from keys and values of those before it.

    When `window` units are used up, a new segment begins with the last of them.
    """

    def __init__(
        self,
        model: SubwordTransformer,
        units: Sequence[int],
        window: int,
        begin: Callable[[int, int], int] = segment_begin,
    ) -> None:
        """Read the document so far.

        Args:
            window: how many units the model sees at once.
            begin: rule of segments, like `segment_begin`.
        """
        self._model, self._units, self._window = model, list(units), window
        self._begin_of = begin
        self._restart()

    def logits(self) -> Tensor:
        """Return [V] logits of the next unit."""
        return self._logits

    def push(self, unit: int) -> None:
        """Let `unit` be the next one."""
        self._units.append(unit)
        if self._begin_of(len(self._units), self._window) != self._begin:
            self._restart()
        else:
            self._read([unit])

    def _restart(self) -> None:
        self._begin = self._begin_of(len(self._units), self._window)
        self._cache = KeyValues(len(self._model.blocks), self._window, self._model.window)
        self._position = 0
        self._read([self._model.shape.vocabulary_size, *self._units[self._begin :]])

    def _read(self, inputs: list[int]) -> None:
        model = self._model
        device = model.head.device
        with torch.inference_mode():
            x_RWD = model.embed(torch.tensor([inputs], device=device))
            end = self._position + len(inputs)
            rotary = model.rotary(torch.arange(self._position, end, device=device), x_RWD)
            for block in model.blocks:
                x_RWD = block(x_RWD, rotary, self._cache)
            self._position = end
            self._logits = model.predict(x_RWD[:, -1:])[0, 0]


# A rule that opens patches in one document that grows. It takes the text, which begins with that of
# the call before, and where the segment begins, and returns bool [len(text) - begin + 1]: which
# bytes from there on open a patch. The first does; the last flag is of the byte after the text.
NextStarts = Callable[[bytes, int], NDArray[np.bool_]]


def next_static(rate: float) -> NextStarts:
    """Return the rule of a patch every `rate` bytes, counted from the segment's beginning."""
    return lambda text, begin: static_starts([len(text) - begin + 1], rate)


def next_space(most_bytes: int) -> NextStarts:
    """Return the rule of a patch after white space, none longer than `most_bytes`."""
    # Any byte may stand for the one to come: its own flag does not depend on it.
    return lambda text, begin: space_starts(
        np.frombuffer(text[begin:] + b"\0", np.uint8), most_bytes
    )


class NextEntropy:
    """The rule of a patch at a byte that is hard to guess, found over the whole document."""

    def __init__(self, patching: Patching, model: SubwordTransformer, window: int) -> None:
        """Prepare to read one document.

        Args:
            patching: of an entropy kind, with its threshold.
            model: of bytes. window: bytes that it sees at once.
        """
        assert patching.threshold is not None
        self._threshold, self._most_bytes = patching.threshold, patching.most_bytes
        self._monotonic = patching.kind == "entropy-monotonic"
        self._model, self._window = model, window
        self._bits: list[float] = []  # of every byte so far, and of the one to come
        self._reader: CachedTokens | None = None

    def __call__(self, text: bytes, begin: int) -> NDArray[np.bool_]:
        """Return the flags from `begin` on."""
        if self._reader is None:
            data = np.frombuffer(text, np.uint8)
            device = self._model.head.device
            known = entropies_of_documents(
                self._model, data, np.array([0, len(data)]), self._window, device
            )
            self._bits = known.tolist()
            self._reader = CachedTokens(self._model, text, self._window, block_begin)
            self._bits.append(self._next_bits(self._reader))
        for byte in text[len(self._bits) - 1 :]:
            self._reader.push(byte)
            self._bits.append(self._next_bits(self._reader))
        # In float32, as shards keep them.
        bits = np.array(self._bits, np.float32)
        starts = entropy_starts(bits, self._threshold, self._most_bytes, self._monotonic)
        starts = starts[begin:]
        starts[0] = True
        return starts

    def _next_bits(self, reader: CachedTokens) -> float:
        with torch.inference_mode():
            return float(entropy_bits(reader.logits()))


def next_starts(patching: Patching, byte_model: ByteModel | None) -> NextStarts:
    """Return the rule of a run's patches, to read one document with."""
    match patching.kind:
        case "static":
            assert patching.compression_rate is not None
            return next_static(patching.compression_rate)
        case "space":
            return next_space(patching.most_bytes)
    assert byte_model is not None, "entropy patches need their model of bytes"
    return NextEntropy(patching, byte_model.model, byte_model.spec.context_bytes)


def segment_batch(
    units: Sequence[int], rows_of_embedding: int, starts: NDArray[np.bool_] | None
) -> TokenBatch:
    """Return one segment as a row of inputs: BOS and `units`; the last target is yet to come.

    Args:
        rows_of_embedding: V + 1; the last is BOS.
        starts: [len(units) + 1] for a model with patches.
    """
    inputs = np.array([[rows_of_embedding - 1, *units]], np.int64)
    segments = np.zeros(inputs.shape, np.int32)
    return TokenBatch(inputs, inputs, segments, None if starts is None else starts[None], 0)


class CachedBytes:
    """Logits of the next byte, from what is kept of those before it.

    When `window` bytes are used up, a new segment begins with the last half of them; see
    `segment_begin`.
    """

    def __init__(
        self, model: ByteLatentTransformer, text: bytes, window: int, starts: NextStarts
    ) -> None:
        """Read the document so far; `window` is how many bytes the model sees at once."""
        self._model, self._text, self._window, self._starts = model, text, window, starts
        self._restart()

    def logits(self) -> Tensor:
        """Return [256] logits of the next byte."""
        return self._logits

    def push(self, unit: int) -> None:
        """Let the byte `unit` be the next one."""
        self._text += bytes([unit])
        if segment_begin(len(self._text), self._window) != self._begin:
            self._restart()
        else:
            self._read(unit, opens=bool(self._starts(self._text, self._begin)[-1]))

    def _restart(self) -> None:
        """Read the segment so far, as `ByteLatentTransformer.forward` would."""
        model, text = self._model, self._text
        device = model.head.device
        self._begin = begin = segment_begin(len(text), self._window)
        local = len(model.encoder)
        self._encoder = KeyValues(local, self._window, model.window)
        self._decoder = KeyValues(local, self._window, model.window)
        self._global = KeyValues(len(model.blocks), self._window)
        starts = self._starts(text, begin)
        batch = model.inputs(
            segment_batch(list(text[begin:]), model.embedding.shape[0], starts), device
        )
        with torch.inference_mode():
            self._length = batch.inputs.shape[1]
            x_RWD = embedding(batch.inputs, model.embedding)
            rotary = model.local_rotary(torch.arange(self._length, device=device), x_RWD)
            x_RWD = model.encode(x_RWD, rotary, self._encoder)
            pools = batch.pools
            slots_RPKD = model.pooling(x_RWD, pools)
            self._latents = slots_RPKD.shape[1]
            latents = torch.arange(self._latents, device=device)
            slots_RPKD = model.think(slots_RPKD, latents, self._global)
            self._latent = slots_RPKD[:, -1:]
            pooled = int(starts.nonzero()[0][-1]) + 1
            self._pending = list(x_RWD[:, pooled:].unbind(1))
            x_RWD = model.decode(x_RWD, slots_RPKD, batch.latent_of_byte, rotary, self._decoder)
            self._logits = model.predict(x_RWD[:, -1:])[0, 0]

    def _read(self, byte: int, *, opens: bool) -> None:
        model, device = self._model, self._model.head.device
        with torch.inference_mode():
            x_RWD = embedding(torch.tensor([[byte]], device=device), model.embedding)
            rotary = model.local_rotary(torch.tensor([self._length], device=device), x_RWD)
            self._length += 1
            x_RWD = model.encode(x_RWD, rotary, self._encoder)
            self._pending.append(x_RWD[:, 0])
            if opens:
                self._think()
            only = torch.zeros(1, dtype=torch.long, device=device)
            x_RWD = model.decode(x_RWD, self._latent, only, rotary, self._decoder)
            self._logits = model.predict(x_RWD)[0, 0]

    def _think(self) -> None:
        """Close the patch: its bytes become the latent that the next ones read."""
        members = torch.stack(self._pending, dim=1)
        count = members.shape[1]
        every = torch.arange(count, device=members.device)
        slots_RPKD = self._model.pooling(members, Pools(every, None, (1, 1, count)))
        place = torch.tensor([self._latents], device=members.device)
        self._latent = self._model.think(slots_RPKD, place, self._global)
        self._latents += 1
        self._pending = []
