"""Text as SuperBPE's second stage sees it: tokens of the first stage, one character each.

Tokens are written with characters that no text need contain, so that a stock BPE trainer takes them
for letters and whole stretches of text for words. These words are long and seldom alike, so what
the trainer holds grows with the text: hence an even sample of bounded size.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.patterns import SUPERWORDS
from tokenize_lab.tokenizers.huggingface import threads
from tokenize_lab.train.byte_level import split_by
from tokenize_lab.train.text import TrainingText

# Private use areas, 137,468 code points; beyond them planes 4 to 13, to which Unicode has assigned
# nothing, 655,360 more.
RANGES = ((0xE000, 0xF900), (0xF0000, 0xFFFFE), (0x100000, 0x10FFFE), (0x40000, 0xE0000))
MOST_TOKENS = 8_000_000  # of stage 1, held at a time; the trainer takes 130 to 160 bytes for each
BLOCK_CHARACTERS = 1 << 16  # what a sample is made of
LONGEST_PIECE = 1 << 12  # characters; longer ones are cut, so that a block is bounded
LONGEST_WORD = 64  # tokens; a merge costs the trainer the length of every word it occurs in
_NEWLINE = 0x0A


class Symbols:
    """One character for each id of the first stage, in ascending order within the private areas."""

    def __init__(self, ids: int) -> None:
        """Choose them.

        Raises:
            InputError: there are not so many.
        """
        points = np.concatenate([np.arange(*ends, dtype=np.uint32) for ends in RANGES])
        if ids > len(points):
            raise InputError(
                f"--stage-split {ids}: must be at most {len(points):,}, the characters that "
                "Unicode leaves free to write the first stage's tokens with"
            )
        self._points = points[:ids]
        self.characters: Sequence[str] = [chr(point) for point in self._points.tolist()]

    def written(self, ids: NDArray[np.int64], cuts: NDArray[np.int64]) -> str:
        """Return ids as characters, with a line end before each place of `cuts`."""
        points = np.insert(self._points[ids], cuts, _NEWLINE)
        return points.astype("<u4").tobytes().decode("utf-32-le")


class SuperwordText:
    """A corpus under stage 2's pattern, encoded with stage 1's merges."""

    def __init__(self, text: TrainingText, model: dict[str, Any], symbols: Symbols) -> None:
        from tokenizers import Tokenizer, models

        self._text = text
        self._symbols = symbols
        merges = [(left, right) for left, right in model["merges"]]
        self._encoder = Tokenizer(models.BPE(model["vocab"], merges))
        self._encoder.pre_tokenizer = split_by("")  # pieces are split before they come to it

    def lines(self, most_tokens: int = MOST_TOKENS) -> list[str]:
        """Return blocks of lines, each line a stretch that merges may not leave.

        Blocks are taken evenly over the text: all of them while they fit, then every second, every
        fourth, and so on.
        """
        kept: list[str] = []
        stride = 1
        for number, block in enumerate(self._blocks()):
            if number % stride:
                continue
            kept.append(self._encoded(block))
            while len(kept) > 1 and sum(map(len, kept)) > most_tokens:
                kept = kept[::2]
                stride *= 2
        return kept

    def _blocks(self) -> Iterator[list[str]]:
        find = regex.compile(SUPERWORDS).finditer
        block: list[str] = []
        size = 0
        for text in self._text.texts("reading superwords"):
            for match in find(text):
                piece = match[0]
                cuts = range(0, len(piece), LONGEST_PIECE)
                block += [piece[start : start + LONGEST_PIECE] for start in cuts]
                size += len(piece)
                if size >= BLOCK_CHARACTERS:
                    yield block
                    block, size = [], 0
        if block:
            yield block

    def _encoded(self, pieces: list[str]) -> str:
        with threads(True):
            encoded = self._encoder.encode_batch_fast(pieces, add_special_tokens=False)
        words: list[list[int]] = [one.ids for one in encoded if len(one) > 1]  # else no pair
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        ids = np.fromiter((i for word in words for i in word), np.int64, int(lengths.sum()))
        starts = np.cumsum(lengths) - lengths
        place = np.arange(len(ids)) - np.repeat(starts, lengths)
        return self._symbols.written(ids, np.flatnonzero(place % LONGEST_WORD == 0))


def learned_merges(lines: Sequence[str], symbols: Symbols, count: int) -> list[tuple[str, str]]:
    """Return stock BPE's first `count` merges over the lines, fewer where there are no more."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.CharDelimiterSplit("\n")
    trainer = trainers.BpeTrainer(
        vocab_size=len(symbols.characters) + count,
        initial_alphabet=list(symbols.characters),
        show_progress=False,
    )
    with threads(True):
        tokenizer.train_from_iterator(lines, trainer)
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]
