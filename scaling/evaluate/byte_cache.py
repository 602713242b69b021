"""A byte latent transformer that reads one document and predicts its next byte, over and over.

Kept between bytes: keys and values of the encoder, the decoder and the global module; the encoder's
states of the bytes that no latent has pooled yet; and the latent that is being read.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding

from scaling.evaluate.key_values import KeyValues
from scaling.evaluate.next_starts import NextStarts
from scaling.evaluate.pieces import piece_begin
from scaling.evaluate.whole import piece_batch
from scaling.model.blt import ByteLatentTransformer
from scaling.model.cross_attention import Pools


class CachedBytes:
    """Logits of the next byte, from what is kept of those before it.

    When `window` bytes are used up, a new piece begins with the last half of them (`piece_begin`).
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
        if piece_begin(len(self._text), self._window) != self._begin:
            self._restart()
        else:
            self._read(unit, opens=bool(self._starts(self._text, self._begin)[-1]))

    def _restart(self) -> None:
        """Read the piece so far, as `ByteLatentTransformer.forward` would."""
        model, text = self._model, self._text
        device = model.head.device
        self._begin = begin = piece_begin(len(text), self._window)
        local = len(model.encoder)
        self._encoder = KeyValues(local, self._window, model.window)
        self._decoder = KeyValues(local, self._window, model.window)
        self._global = KeyValues(len(model.blocks), self._window)
        starts = self._starts(text, begin)
        batch = model.inputs(
            piece_batch(list(text[begin:]), model.embedding.shape[0], starts), device
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
