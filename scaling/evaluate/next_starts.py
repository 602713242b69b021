"""Does the next byte open a patch? The rules of `scaling.model.patching`, for text that grows.

Each rule gives the flags of the piece that is being read, and that of the byte that is to come,
which follows from the bytes so far: it is the one flag of look-ahead that the model is given.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from scaling.evaluate.token_cache import CachedTokens
from scaling.model.entropies import block_begin, entropies_of_documents, entropy_bits
from scaling.model.patching import entropy_starts, space_starts, static_starts
from scaling.model.transformer import SubwordTransformer
from scaling.spec import Patching


class NextStarts(Protocol):
    """A rule that opens patches in one document that grows."""

    def __call__(self, text: bytes, begin: int) -> NDArray[np.bool_]:
        """Return bool [len(text) - begin + 1]: which bytes from `begin` on open a patch.

        The last flag is of the byte after `text`; the first is True, as a piece begins there. Each
        call's text begins with the text of the call before.
        """
        ...


@dataclass(frozen=True)
class NextStatic:
    """A patch every `rate` bytes, counted from the beginning of the piece."""

    rate: float

    def __call__(self, text: bytes, begin: int) -> NDArray[np.bool_]:
        """Return the flags from `begin` on."""
        return static_starts([len(text) - begin + 1], self.rate)


@dataclass(frozen=True)
class NextSpace:
    """A patch after white space, none longer than `most_bytes`."""

    most_bytes: int

    def __call__(self, text: bytes, begin: int) -> NDArray[np.bool_]:
        """Return the flags from `begin` on."""
        # Any byte may stand for the one to come: its own flag does not depend on it.
        return space_starts(np.frombuffer(text[begin:] + b"\0", np.uint8), self.most_bytes)


class NextEntropy:
    """A patch at a byte that is hard to guess; found over the document, not the piece."""

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


def next_starts(
    patching: Patching, entropy_model: SubwordTransformer | None, entropy_window: int = 0
) -> NextStarts:
    """Return the rule of a run's patches, to read one document with."""
    match patching.kind:
        case "static":
            assert patching.compression_rate is not None
            return NextStatic(patching.compression_rate)
        case "space":
            return NextSpace(patching.most_bytes)
    assert entropy_model is not None, "entropy patches need their model of bytes"
    return NextEntropy(patching, entropy_model, entropy_window)
