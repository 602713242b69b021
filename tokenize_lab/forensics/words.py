"""The distinct pieces that merges stay inside, with how often each language holds them.

Documents are dealt to blocks, and counted by block, so that resampling documents needs no second
reading: a resample is a weight for each block.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpora.corpus import Corpus
from corpora.document import utf8_length
from corpora.errors import InputError
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizers.byte_alphabet import character_to_byte
from tokenize_lab.tokenizers.huggingface import HuggingFaceTokenizer
from tokenize_lab.tokenizers.tiktoken import TiktokenTokenizer

BLOCKS = 64  # per language; the units of a bootstrap


@dataclass(frozen=True)
class Words:
    """Distinct pieces and their counts.

    Attributes:
        pieces: [words] the bytes of each.
        languages: names, in the order of their first appearance.
        word, language, block, count: [entries] how often a word occurs in a block of a language.
        bytes: [languages, BLOCKS] int64, UTF-8 bytes of text.
        documents: [languages] int64.
    """

    pieces: Sequence[bytes]
    languages: Sequence[str]
    word: NDArray[np.int64]
    language: NDArray[np.int64]
    block: NDArray[np.int64]
    count: NDArray[np.int64]
    bytes: NDArray[np.int64]
    documents: NDArray[np.int64]

    def weights(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how often each language holds each word, [words, languages], per million bytes.

        Arguments:
            blocks: [languages, BLOCKS] how often each block is taken.
        """
        size = (self.bytes * blocks).sum(1) / 1e6
        scaled = self.count * blocks[self.language, self.block] / size[self.language]
        flat = np.bincount(
            self.word * len(self.languages) + self.language,
            scaled,
            len(self.pieces) * len(self.languages),
        )
        shape = (len(self.pieces), len(self.languages))
        return np.asarray(flat, np.float64).reshape(shape)


def count_words(
    tokenizer: Tokenizer,
    corpora: Sequence[Corpus],
    most_bytes: int,
    progress: Callable[[Corpus, int], None] | None = None,
) -> Words:
    """Split the corpora as the tokenizer does and count the pieces by language.

    Arguments:
        most_bytes: of each language; what comes after is passed over.

    Raises:
        InputError: from the corpora; the tokenizer splits nothing, or is not one whose pieces are
            known.
    """
    split = splitter(tokenizer)
    index: dict[bytes, int] = {}
    languages: dict[str, int] = {}
    counters: dict[tuple[int, int], Counter[bytes]] = {}
    sizes: list[list[int]] = []
    documents: list[int] = []
    for corpus in corpora:
        for batch in corpus.batches():
            own = languages.setdefault(batch.language, len(languages))
            if own == len(sizes):
                sizes.append([0] * BLOCKS)
                documents.append(0)
            read = 0
            for text in batch.texts:
                if sum(sizes[own]) >= most_bytes:
                    break
                part = documents[own] % BLOCKS
                counters.setdefault((own, part), Counter()).update(split(text))
                size = utf8_length(text)
                sizes[own][part] += size
                documents[own] += 1
                read += size
            if progress:
                progress(corpus, read)
    entries: list[tuple[int, int, int, int]] = []
    for (own, part), counter in counters.items():
        for piece, times in counter.items():
            entries.append((index.setdefault(piece, len(index)), own, part, times))
    word, language, block, count = np.array(entries, np.int64).reshape(-1, 4).T
    return Words(
        list(index),
        list(languages),
        word,
        language,
        block,
        count,
        bytes=np.array(sizes, np.int64).reshape(-1, BLOCKS),
        documents=np.array(documents, np.int64),
    )


def splitter(tokenizer: Tokenizer) -> Callable[[str], list[bytes]]:
    """Return what splits a text into the pieces that merges stay inside, as bytes.

    Raises:
        InputError: the tokenizer is no byte-level BPE with a split.
    """
    if isinstance(tokenizer, TiktokenTokenizer):
        find = tokenizer._splitter.findall
        return lambda text: [piece.encode() for piece in find(text)]
    if isinstance(tokenizer, HuggingFaceTokenizer) and tokenizer.splits:
        engine = tokenizer.library_tokenizer
        letters = {ord(c): byte for c, byte in character_to_byte().items()}
        normal, pre = engine.normalizer, engine.pre_tokenizer

        def pieces(text: str) -> list[bytes]:
            if normal is not None:
                text = normal.normalize_str(text)
            found = (piece for piece, _ in pre.pre_tokenize_str(text))
            return [piece.translate(letters).encode("latin-1") for piece in found]

        return pieces
    raise InputError(
        f"{tokenizer.spec}: the mixture is read from a byte-level BPE whose text is split before "
        "merging; this one has no such split"
    )
