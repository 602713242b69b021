"""SuperBPE (Liu et al. 2025, arXiv 2503.13423) on a stock trainer: merges that go across spaces.

Stage 1 is BPE, split as ever; its merges are the first of the result, unchanged. Stage 2 goes on
under a pattern that splits no longer at white space: the text is encoded with stage 1 under that
pattern, every id is written as one private-use character, stock BPE is trained on those "words",
and its merges are spelt out and appended.

Encoding in one pass does the same as encoding in two steps, stage 1 to its end and then stage 2:
merges go by rank, and no merge of stage 2 makes what stage 1 could merge further. For the latter, a
merge whose bytes are a token already is left out, as is one of too many words, and with it every
merge that builds upon it.

Stage 2's words are long and seldom alike, so what the trainer holds grows with the text: it learns
from an even sample of bounded size.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.backends.common import threads
from tokenize_lab.backends.simple import character_to_byte
from tokenize_lab.patterns import SUPERWORDS
from tokenize_lab.training.engines import spelt, split_by, train_bpe, written
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.symbol_merges import SymbolLines, fast_merges, stock_merges
from tokenize_lab.training.text import TrainingText

# Private use areas, 137,468 code points; beyond them planes 4 to 13, to which Unicode has assigned
# nothing, 655,360 more.
RANGES = ((0xE000, 0xF900), (0xF0000, 0xFFFFE), (0x100000, 0x10FFFE), (0x40000, 0xE0000))
MOST_TOKENS = 8_000_000  # of stage 1, held at a time; the trainer takes 130 to 160 bytes for each
BLOCK_CHARACTERS = 1 << 16  # what a sample is made of
LONGEST_PIECE = 1 << 12  # characters; longer ones are cut, so that a block is bounded
LONGEST_WORD = 64  # tokens; a merge costs the trainer the length of every word it occurs in
_NEWLINE = 0x0A


class SuperwordSymbols:
    """One character for each id of the first stage, in ascending order within the private areas."""

    def __init__(self, ids: int) -> None:
        points = np.concatenate([np.arange(*ends, dtype=np.uint32) for ends in RANGES])
        if ids > len(points):
            raise InputError(
                f"`stage_split` {ids}: must be at most {len(points):,}, the characters that "
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

    def __init__(
        self, text: TrainingText, model: dict[str, Any], symbols: SuperwordSymbols
    ) -> None:
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
        words: list[list[int]] = [word.ids for word in encoded if len(word) > 1]  # else no pair
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        ids = np.fromiter((i for word in words for i in word), np.int64, int(lengths.sum()))
        starts = np.cumsum(lengths) - lengths
        place = np.arange(len(ids)) - np.repeat(starts, lengths)
        return self._symbols.written(ids, np.flatnonzero(place % LONGEST_WORD == 0))


def learned_merges(
    lines: Sequence[str], symbols: SuperwordSymbols, count: int
) -> list[tuple[str, str]]:
    """Return BPE's first `count` merges over the lines, fewer where there are no more."""
    found = fast_merges([SymbolLines(lines)], symbols.characters, count)
    return stock_merges(lines, symbols.characters, count) if found is None else found


class Appended(NamedTuple):
    """What stage 2 adds.

    Attributes:
        tokens: new tokens' bytes, in order of their ids.
        merges: pairs of bytes; now and then two make the same token.
    """

    tokens: list[bytes]
    merges: list[tuple[bytes, bytes]]


def train_superbpe(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a SuperBPE vocabulary.

    Memory: what BPE takes, or for stage 2 `MOST_TOKENS` tokens of stage 1 at about
    160 bytes each, 1.3 GB. Of more text an even sample of blocks is learned from.

    Raises:
        InputError: the first stage has more ids than there are characters to write them with.
    """
    ids = int(settings.stage_split)
    plain = replace(settings, kind="bpe", vocab_size=ids, stage_split=0, superword_words=0)
    return written(with_superwords(text, json.loads(train_bpe(text, plain)), settings))


_SPARE = 1 / 16  # of the merges needed, asked for beyond them at first: some are left out


def with_superwords(
    text: TrainingText, content: Mapping[str, Any], settings: TrainSettings
) -> dict[str, Any]:
    """Return a trained BPE's tokenizer.json with the merges of stage 2 appended."""
    byte_of = character_to_byte()
    pieces = [bytes(map(byte_of.__getitem__, piece)) for piece in content["model"]["vocab"]]
    symbols = SuperwordSymbols(len(pieces))
    words = SuperwordText(text, content["model"], symbols).lines()
    wanted = settings.vocab_size - len(pieces)
    spare = 64 + int(wanted * _SPARE)
    while True:
        text.progress("learning superwords", 0)
        merges = learned_merges(words, symbols, wanted + spare)
        appended = superword_merges(merges, symbols, pieces, settings.superword_words, wanted)
        enough = len(appended.tokens) == wanted or len(merges) < wanted + spare
        if enough or settings.target_compression:  # a target wants few of them, most likely
            break
        spare *= 8  # of a stretched list, what was left out before is left out again
    return _appended(content, appended)


def superword_merges(
    merges: Sequence[tuple[str, str]],
    symbols: SuperwordSymbols,
    pieces: Sequence[bytes],
    most_words: int,
    wanted: int,
) -> Appended:
    """Spell out stage 2's merges, up to the one that makes the last token wanted.

    Args:
        merges: learned over `symbols`, in order.
        symbols: a character for each id of stage 1. pieces: bytes of these ids.
        most_words: words a token may span. wanted: tokens to append.
    """
    known: dict[str, bytes] = dict(zip(symbols.characters, pieces, strict=True))
    taken = set(pieces)
    tokens: list[bytes] = []
    kept: list[tuple[bytes, bytes]] = []
    for left, right in merges:
        if len(tokens) == wanted:
            break
        if left not in known or right not in known:
            continue  # builds upon one left out
        made = known[left] + known[right]
        if left + right not in known:
            if made in taken or word_count(made) > most_words:
                continue
            known[left + right] = made
            taken.add(made)
            tokens.append(made)
        kept.append((known[left], known[right]))
    return Appended(tokens, kept)


def word_count(token: bytes) -> int:
    """Return how many words a token touches: stretches between white space."""
    return len(token.decode("utf-8", errors="replace").split())


def _appended(content: Mapping[str, Any], appended: Appended) -> dict[str, Any]:
    model = content["model"]
    vocab = dict(model["vocab"])
    for token in appended.tokens:
        vocab[spelt(token)] = len(vocab)
    merges = [*model["merges"], *([spelt(left), spelt(right)] for left, right in appended.merges)]
    return {
        **content,
        "pre_tokenizer": json.loads(split_by(SUPERWORDS).__getstate__()),
        "model": {**model, "vocab": vocab, "merges": merges},
    }
