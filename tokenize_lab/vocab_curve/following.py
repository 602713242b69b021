"""A BPE tokenizer, followed merge by merge: what it does to pieces of text at every size."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.merges.apply import Merger
from tokenize_lab.merges.lookup import NONE
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.pretokens.distinct import PretokenIndex
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizers.huggingface import HuggingFaceTokenizer
from tokenize_lab.tokenizers.probes import PROBES
from tokenize_lab.tokenizers.tiktoken import TiktokenTokenizer
from tokenize_lab.vocab_curve.distinct import DistinctPieces
from tokenize_lab.vocab_curve.splitting import Splitting, splittings_of
from tokenize_lab.vocab_curve.symbols import (
    ByteSymbols,
    CharacterSymbols,
    Symbols,
    byte_symbols,
    character_symbols,
)


class Losses(NamedTuple):
    """By how many tokens pieces grow shorter, and from which vocabulary size.

    Attributes:
        symbols: [pieces] int64, tokens of each piece where nothing merges.
        piece: [losses] int64, which piece grows shorter.
        size: [losses] int32, the vocabulary size from which it does.
        tokens: [losses] int64, by how many tokens.
    """

    symbols: NDArray[np.int64]
    piece: NDArray[np.int64]
    size: NDArray[np.int32]
    tokens: NDArray[np.int64]


class Followed:
    """A tokenizer whose merges are known.

    Attributes:
        tokenizer: the tokenizer.
        base_size: the least vocabulary size it can be cut to.
    """

    def __init__(self, tokenizer: Tokenizer, merges: Merges, texts: Sequence[str] = ()) -> None:
        """Choose the fastest way to split that gives the tokenizer's own counts.

        Args:
            tokenizer: a BPE.
            merges: its own.
            texts: to try it on, beside those that tokenizers trip over.

        Raises:
            InputError: it has added tokens that change the text beside them, or no way gives its
                counts.
        """
        assert isinstance(tokenizer, TiktokenTokenizer | HuggingFaceTokenizer)
        self.tokenizer = tokenizer
        self.base_size = merges.base_size
        self._merger = Merger(merges)
        self._symbols: ByteSymbols | CharacterSymbols
        self._way: Splitting
        tried = [*PROBES, *texts]
        wanted = tokenizer.encode_batch(tried).lengths
        of_bytes = byte_symbols(tokenizer, merges)
        for way in splittings_of(tokenizer):
            if way.raw and of_bytes is None:
                continue
            if way.raw:
                assert of_bytes is not None
                self._symbols = of_bytes
            else:
                assert isinstance(tokenizer, HuggingFaceTokenizer)
                self._symbols = character_symbols(tokenizer, merges)
            self._way = way
            if np.array_equal(self.tokens_of(tried), wanted):
                return
        raise InputError(
            f"{tokenizer.spec}: its pieces and merges do not account for its tokens on texts tried "
            "beforehand, so there is no curve of it; measure it cut to a few sizes instead: "
            f"-t truncated:V:{tokenizer.spec}"
        )

    def symbols_of(self, text: str) -> Symbols:
        """Return what merging the text's pieces starts from."""
        return self._symbols.of(self._way.split(text))

    def distinct(self) -> PretokenIndex | DistinctPieces:
        """Return an empty collection of pieces, which splits as the tokenizer does."""
        way = self._way
        return PretokenIndex(way.pattern) if way.pattern else DistinctPieces(way.split)

    def losses(self, pieces: Sequence[str] | Sequence[bytes]) -> Losses:
        """Return how the pieces' tokens grow fewer with the vocabulary."""
        ids, lengths, whole = self._symbols.of(pieces)
        applied = self._merger.apply(ids, lengths)
        if (whole == NONE).all():
            return Losses(lengths, applied.piece, applied.size, np.ones(len(applied.piece), int))
        # A piece taken whole skips what merges would be done later, and all that are left.
        early = applied.size < whole[applied.piece]
        piece, size = applied.piece[early], applied.size[early]
        left = lengths - np.bincount(piece, minlength=len(lengths)) - 1
        taken = np.flatnonzero((whole < NONE) & (left > 0))
        return Losses(
            lengths,
            np.concatenate([piece, taken]),
            np.concatenate([size, whole[taken]]),
            np.concatenate([np.ones(len(piece), np.int64), left[taken]]),
        )

    def tokens_of(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return each text's tokens under the full vocabulary, [texts] int64."""
        distinct = self.distinct()
        numbers, counts = distinct.add(texts)
        losses = self.losses(distinct.pieces)
        tokens = losses.symbols.copy()
        np.subtract.at(tokens, losses.piece, losses.tokens)
        running = np.append(0, np.cumsum(tokens[numbers]))
        return np.diff(running[np.cumsum(counts)], prepend=0)
