"""A guard for trainers that count pairs in 32 bits."""

from collections.abc import Iterator

import numpy as np

from corpora.errors import InputError
from tokenize_lab.train.text import TrainingText

# Hugging Face's BPE trainer takes words' 64-bit counts into signed 32-bit counts of pairs; past
# the largest, pairs that occur most often would come last, without a word.
LARGEST_COUNT = (1 << 31) - 1


def countable(text: TrainingText, doing: str) -> Iterator[str]:
    """Yield the texts one by one while no pair of bytes occurs more often than can be counted.

    Two tokens side by side put the last byte of one beside the first byte of the other, so no pair
    of tokens ever occurs more often than the commonest pair of bytes.

    Raises:
        InputError: a pair occurs too often.
    """
    counts = np.zeros(1 << 16, np.int64)
    for texts in text.batches(doing):
        data = np.frombuffer("".join(texts).encode("utf-8"), np.uint8).astype(np.uint16)
        counts += np.bincount((data[:-1] << 8) | data[1:], minlength=1 << 16)
        if counts.max() > LARGEST_COUNT:
            pair = bytes(divmod(int(counts.argmax()), 256))
            raise InputError(
                f"{text.corpus.name}: too long to train on, the bytes {pair!r} occur together more "
                f"than {LARGEST_COUNT:,} times, which the trainer cannot count; give a part of it"
            )
        yield from texts
