"""What every tokenizer offers, whichever library stands behind it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.token_bytes import TokenBytes


class Encoding(NamedTuple):
    """The tokens of several texts, one after the other.

    Attributes:
        ids: [tokens] uint32, all texts' token ids in order; no special tokens were added.
        lengths: [texts] int64, tokens per text.
    """

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]


class Tokenizer(Protocol):
    """A map from text to token ids, and from token ids back to raw bytes.

    Implementations are picklable, so that worker processes need not load them again.

    Attributes:
        spec: the string it was asked for by, e.g. `mistral:v3`.
        name: short name for tables and reports.
        sha256: of everything that determines its ids; the cache is keyed by it.
        vocabulary_size: declared size V, special tokens included (rows of an embedding table).
        token_bytes: the raw bytes of every id.
        prefix: bytes the tokenizer puts before every non-empty text (SentencePiece's dummy
            prefix: one space); they are no part of the text and are never counted as its bytes.
        lossless: whether bytes of tokens equal bytes of text for every text, by construction.
        lossy_reason: why not, where it is not; empty otherwise.
        engine: the library and version that encodes.
    """

    @property
    def spec(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def token_bytes(self) -> TokenBytes: ...
    @property
    def prefix(self) -> bytes: ...
    @property
    def lossless(self) -> bool: ...
    @property
    def lossy_reason(self) -> str: ...
    @property
    def engine(self) -> str: ...

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text on its own, single-threaded; text that looks like a special token is
        encoded as the ordinary text it is."""
        ...

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces merges are confined, or None where there is no such split."""
        ...
