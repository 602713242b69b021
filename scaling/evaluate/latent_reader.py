"""A byte latent transformer that reads one document and predicts its next byte, over and over.

Kept between bytes: keys and values of the encoder, the decoder and the global module; the encoder's
states and the latents. All of it can be taken back, as bytes that were only guessed are.

Whether the next byte opens a patch is told by the rules of `scaling.model.patching`, here for text
that grows: each gives the flags of the segment being read, and that of the byte to come, which
follows from the bytes so far. It is the one flag of look-ahead that the model is given.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding

from corpora.errors import InputError
from scaling.evaluate.caches import CachedTokens, KeyValues, segment_begin
from scaling.evaluate.decoding import Passes
from scaling.model.blt import ByteLatentTransformer
from scaling.model.byte_model import ByteModel, block_begin, entropies_of_documents, entropy_bits
from scaling.model.cross_attention import Pools
from scaling.model.patching import entropy_starts, space_starts, static_starts
from scaling.model.transformer import SubwordTransformer
from scaling.spec import Patching

# A rule that opens patches in one document. It takes the text, which mostly begins with that of the
# call before, and where the segment begins, and returns bool [len(text) - begin + 1]: which bytes
# from there on open a patch. The first does; the last flag is of the byte after the text.
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
        self._text = b""
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
        elif not text.startswith(self._text):
            common = _common(text, self._text)
            del self._bits[common + 1 :]
            self._reader.rewind(common)
        self._text = text
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


def _common(first: bytes, second: bytes) -> int:
    """Return how many bytes two texts begin with alike."""
    pairs = zip(first, second, strict=False)
    return next(
        (place for place, (one, other) in enumerate(pairs) if one != other),
        min(len(first), len(second)),
    )


def next_starts(patching: Patching, byte_model: ByteModel | None) -> NextStarts:
    """Return the rule of a run's patches, to read one document with."""
    match patching.kind:
        case "static":
            assert patching.compression_rate is not None
            return next_static(patching.compression_rate)
        case "space":
            return next_space(patching.most_bytes)
    if patching.thresholds:
        raise InputError(
            "each language of this run has an entropy threshold of its own, and a prompt says not"
            " which it is in; write with a run that shares one (`thresholds` of its arm)"
        )
    assert byte_model is not None, "entropy patches need their model of bytes"
    return NextEntropy(patching, byte_model.model, byte_model.spec.context_bytes)


class CachedBytes:
    """Logits of the next byte, from what is kept of those before it.

    When `window` bytes are used up, a new segment begins with the last half of them; see
    `segment_begin`. Bytes may be guessed by encoder and decoder alone before they are read, and
    what was read can be taken back.

    Attributes:
        passes: what reading took.
    """

    def __init__(
        self,
        model: ByteLatentTransformer,
        text: bytes,
        window: int,
        starts: NextStarts,
        passes: Passes | None = None,
    ) -> None:
        """Read the document so far; `window` is how many bytes the model sees at once."""
        self._model, self._text, self._window, self._starts = model, text, window, starts
        self.passes = Passes() if passes is None else passes
        self._latest: Tensor  # [n, 256] logits of the bytes after those read last
        self._restart()

    def __len__(self) -> int:
        """Return the bytes of the document that were read."""
        return len(self._text)

    @property
    def room(self) -> int:
        """How many more bytes can be read before a new segment begins."""
        return self._begin + self._window - 1 - len(self._text)

    @property
    def at_boundary(self) -> bool:
        """Whether the next byte opens a patch."""
        return self._opened[-1] == self._read - 1

    def logits(self) -> Tensor:
        """Return [256] logits of the next byte; there are none between `rewind` and `read`."""
        return self._latest[-1]

    def push(self, unit: int) -> None:
        """Let the byte `unit` be the next one."""
        self.read(bytes([unit]))

    def read(self, more: bytes) -> Tensor:
        """Let `more` be the next bytes, and return [n, 256] the logits of the byte after each.

        Guesses that were made must be the first of them. Where a new segment begins, only the last
        logits are returned.
        """
        self._text += more
        if segment_begin(len(self._text), self._window) != self._begin:
            self._restart()
        else:
            self._pass(self._read + len(more))
        return self._latest

    def guess(self, unit: int) -> Tensor:
        """Guess that the byte `unit` is next, and return [256] the decoder's logits of the one
        after that, from the latest latent there is, wherever patches open."""
        assert self.room > 0
        place = self._encoded
        with torch.inference_mode():
            self._encode([unit])
            return self._decode(place, place + 1, [len(self._slots) - 1])[0]

    def fill(self, cells: Sequence[int]) -> Tensor:
        """Return [B, 256] the decoder's logits of a block's bytes, which follow what was read.

        Args:
            cells: B bytes, or MASK where one is to be filled in.
        """
        model = self._model
        assert model.cells is not None and self._encoded == self._read
        assert self.at_boundary, "the model has learnt blocks that begin where patches do"
        device = model.head.device
        with torch.inference_mode():
            y_RWD = model.cells(torch.tensor([list(cells)], device=device))
            positions = range(self._read, self._read + len(cells))
            rotary = model.local_rotary(positions, y_RWD)
            slots_RPKD = self._slots[-1][:, None]
            of_cell = torch.zeros(len(cells), dtype=torch.long, device=device)
            self.passes.decoder += 1
            beside = self._decoder.beside()
            return model.predict(model.decode(y_RWD, slots_RPKD, of_cell, rotary, beside))[0]

    def rewind(self, length: int) -> None:
        """Forget guesses, and all but the first `length` bytes that were read."""
        assert self._begin <= length <= len(self._text)
        self._text = self._text[:length]
        self._read = self._encoded = length - self._begin + 1
        while self._opened[-1] >= self._read:
            self._opened.pop()
            self._slots.pop()
        for cache in (self._encoder, self._decoder):
            cache.rewind(self._read)
        self._global.rewind(len(self._slots))

    def _restart(self) -> None:
        """Read the segment so far."""
        model, local = self._model, len(self._model.encoder)
        self._begin = segment_begin(len(self._text), self._window)
        self._encoder = KeyValues(local, self._window, model.window)
        self._decoder = KeyValues(local, self._window, model.window)
        self._global = KeyValues(len(model.blocks), self._window)
        self._states = model.head.new_empty(1, self._window, model.head.shape[1])
        self._read = self._encoded = 0  # positions; that of BOS is the first
        self._opened: list[int] = []  # of each latent, the position that reads it first
        self._slots: list[Tensor] = []  # [1, K, D] of each latent
        self._pass(len(self._text) - self._begin + 1)
        self._latest = self._latest[-1:]

    def _pass(self, end: int) -> None:
        """Read the positions up to `end`, by all modules."""
        self._decoder.rewind(self._read)  # of guesses, only what the encoder made of them is right
        starts = self._starts(self._text, self._begin)
        more = [place for place in range(self._read, end) if starts[place]]
        latent = len(self._slots) + np.cumsum(starts[self._read : end]) - 1
        with torch.inference_mode():
            inputs = [self._model.embedding.shape[0] - 1, *self._text[self._begin :]]
            self._encode(inputs[self._encoded : end])
            if more:
                self._think(more)
            self._latest = self._decode(self._read, end, latent.tolist())
        self._read = end

    def _encode(self, inputs: list[int]) -> None:
        if not inputs:
            return
        model, begin, end = self._model, self._encoded, self._encoded + len(inputs)
        x_RWD = embedding(torch.tensor([inputs], device=model.head.device), model.embedding)
        rotary = model.local_rotary(range(begin, end), x_RWD)
        self._states[:, begin:end] = model.encode(x_RWD, rotary, self._encoder)
        self._encoded = end
        self.passes.encoder += 1

    def _think(self, opened: list[int]) -> None:
        """Close a patch at each of these positions: its bytes become a latent."""
        ends = np.array(opened)
        begins = np.concatenate([[self._opened[-1] if self._opened else -1], ends[:-1]]) + 1
        members = begins[:, None] + np.arange(int((ends - begins).max()) + 1)
        is_member = members <= ends[:, None]
        flat = torch.from_numpy(np.minimum(members, ends[:, None]) - begins[0]).flatten()
        mask = None if is_member.all() else torch.from_numpy(is_member)[None]
        device = self._states.device
        pools = Pools(
            flat.to(device), None if mask is None else mask.to(device), (1, *members.shape)
        )
        slots_RPKD = self._model.pooling(self._states[:, begins[0] : ends[-1] + 1], pools)
        known = len(self._slots)
        places = range(known, known + len(opened))
        slots_RPKD = self._model.think(slots_RPKD, places, self._global)
        self._slots += slots_RPKD.unbind(1)
        self._opened += opened
        self.passes.global_module += 1

    def _decode(self, begin: int, end: int, latent: list[int]) -> Tensor:
        """Return [end - begin, 256] logits of positions that read these latents."""
        model, low = self._model, latent[0]
        x_RWD = self._states[:, begin:end]
        rotary = model.local_rotary(range(begin, end), x_RWD)
        slots_RPKD = torch.stack(self._slots[low : latent[-1] + 1], dim=1)
        of_byte = torch.tensor(latent, device=x_RWD.device) - low
        self.passes.decoder += 1
        return model.predict(model.decode(x_RWD, slots_RPKD, of_byte, rotary, self._decoder))[0]
