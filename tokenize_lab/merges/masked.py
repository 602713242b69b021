"""A vocabulary of which only the first part is used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.token_bytes import TokenBytes
from tokenize_lab.tokenizer import Encoding, Tokenizer


@dataclass(frozen=True)
class MaskedTokenizer:
    """A tokenizer cut short that keeps its full vocabulary's ids and declared size.

    Attributes:
        token_bytes: of all ids; those masked have no bytes.
        cut: the tokenizer that encodes, of as many ids as are used.
        ids: [used] uint32, the full vocabulary's id of each of its ids.
    """

    spec: str
    name: str
    sha256: str
    vocabulary_size: int
    token_bytes: TokenBytes
    cut: Tokenizer
    ids: NDArray[np.uint32]

    @property
    def prefix(self) -> bytes:
        """Bytes put before every text."""
        return self.cut.prefix

    @property
    def lossless(self) -> bool:
        """Whether bytes of tokens equal bytes of text."""
        return self.cut.lossless

    @property
    def lossy_reason(self) -> str:
        """Why not, where they do not."""
        return self.cut.lossy_reason

    @property
    def engine(self) -> str:
        """The library that encodes."""
        return self.cut.engine

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text, in ids of the full vocabulary."""
        encoding = self.cut.encode_batch(texts)
        return Encoding(self.ids[encoding.ids], encoding.lengths)

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces the text is split."""
        return self.cut.pretoken_count(text)
