"""Merges over words that are written in symbols, by the fastest trainer that learns the same ones.

A symbol is one character that stands for a byte, or for a token of an earlier stage; a word is a
line of them. Hugging Face's trainer learns from such lines, and so does gigabpe (the extra `fast`),
in a tenth of the time and of the memory. Both take the pair that is most frequent, of equals the
one of lowest ids, and number symbols by code point: the merges are the same. That is tried before
it is trusted, on words whose pairs are nearly all tied or overlap.
"""

import json
import random
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from corpora.locks import SCRATCH, scratch_folder
from corpora.panics import is_panic
from tokenize_lab.backends.common import threads

MergesAsText = list[tuple[str, str]]


class SymbolLines(NamedTuple):
    """Words to learn from.

    Attributes:
        blocks: text of several lines each, a word to a line. times: how often all of them count.
    """

    blocks: Iterable[str]
    times: int = 1


def fast_merges(
    parts: Sequence[SymbolLines], alphabet: Sequence[str], count: int
) -> MergesAsText | None:
    """Return the first `count` merges, fewer where there are no more; None where gigabpe is not
    there, does not learn what the stock trainer does, or fails.

    Args:
        parts: words over the alphabet. All parts together are the text.
        alphabet: one character for each symbol, ascending: either all letters and digits, or none
            of them, since words are kept apart by a splitter that tells these from others.
        count: tokens to make; now and then two merges make the same one.
    """
    return _learned(parts, alphabet, count) if fast_trainer() else None


def stock_merges(lines: Iterable[str], alphabet: Sequence[str], count: int) -> MergesAsText:
    """Return Hugging Face's merges, as `fast_merges` does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.CharDelimiterSplit("\n")
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + count, initial_alphabet=list(alphabet), show_progress=False
    )
    with threads(True):
        tokenizer.train_from_iterator(lines, trainer)
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


def _learned(
    parts: Sequence[SymbolLines], alphabet: Sequence[str], count: int
) -> MergesAsText | None:
    import gigabpe

    with scratch_folder(Path(tempfile.gettempdir()), SCRATCH) as folder:
        try:
            files = _written(folder, [SymbolLines(["\n".join(alphabet)]), *parts])
            _, merges = gigabpe.train_bpe(
                files, len(alphabet) + count, special_tokens=[], pretokenizer="whitespace"
            )
        except BaseException as error:  # no room for files; its own errors, and faults
            if isinstance(error, Exception) or is_panic(error):
                return None
            raise
    return list(merges)


def _written(folder: Path, parts: Sequence[SymbolLines]) -> list[str]:
    """Write each part to a file; return their paths, each as often as it counts."""
    paths: list[str] = []
    for number, part in enumerate(parts):
        path = folder / f"{number}.txt"
        with path.open("w", encoding="utf-8", newline="") as file:
            for block in part.blocks:
                file.write(block)
                file.write("\n")
        paths += [str(path)] * part.times
    return paths


@cache
def fast_trainer() -> bool:
    """Whether gigabpe is there and learns the same merges as the stock trainer."""
    return find_spec("gigabpe") is not None and all(_agrees(*case) for case in _cases())


def _agrees(lines: Sequence[str], alphabet: Sequence[str], count: int) -> bool:
    found = _learned([SymbolLines(["\n".join(lines)])], alphabet, count)
    return found == stock_merges(lines, alphabet, count)


def _cases() -> Iterable[tuple[list[str], list[str], int]]:
    """Yield words of few symbols: pairs tie, overlap themselves, and spell one token two ways."""
    for first, kinds in ((0x100, 2), (0x100, 5), (0x100, 200), (0xE000, 3), (0x40000, 20)):
        draw = random.Random(kinds)
        alphabet = [chr(first + place) for place in range(256)]
        used = draw.sample(alphabet, kinds)
        lengths = draw.choices((1, 2, 3, 5, 9, 40), k=60)
        words = ["".join(draw.choices(used, k=length)) for length in lengths]
        yield [word for word in words for _ in range(draw.randint(1, 3))], alphabet, 400
