"""The next word: of how many does greedy decoding write the whole, given the true text before?

That asks the same of models of bytes and of tokens, and more than bits per byte do: each byte must
be the likeliest, and the word must end where it ends. While greedy decoding is right it reads the
true text, so one pass over the text answers for all words: a word is right where each of its bytes
or tokens is the likeliest one, and the likeliest after them is no letter.

A word is a run of ASCII letters and of bytes beyond ASCII, with white space before it and text
after it; other words stand for nothing here. A token that begins with that white space is predicted
as a whole, as the model does it. Words are told apart by how often the training text has them: in
tenths of the words that are scored, rarest first, of which equal counts share one.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from corpora.bootstrap import DocumentBootstrap
from scaling.data.shards import Stream
from scaling.data.windows import Patches, evaluation_windows
from scaling.model.weights import AnyModel

_WORD = re.compile(rb"(?<=[ \t\n\r\f\v])[A-Za-z\x80-\xff]+(?=[^A-Za-z\x80-\xff])")
_CHARACTERS_TO_A_SPACE = 30  # more, and the language writes none between words
_MOST_TRAINING_BYTES = 1 << 28
TENTHS = 10


@dataclass(frozen=True)
class NextWords:
    """Words of a text, in its order.

    Attributes:
        right: bool [words]. document: int64 [words] number of its document.
        frequency: int64 [words], how often the training text has the word.
        languages: uint16 [documents]. spaced: bool [documents], whether spaces are written there.
    """

    right: NDArray[np.bool_]
    document: NDArray[np.int64]
    frequency: NDArray[np.int64]
    languages: NDArray[np.uint16]
    spaced: NDArray[np.bool_]

    def to_json(self, language: int | None, level: float, draws: int) -> dict[str, Any] | None:
        """Return the share that is right, of a language or of all, and by tenths of frequency.

        None where no spaces are written, or there is no word.
        """
        documents = np.ones(len(self.languages), np.bool_)
        if language is not None:
            documents = self.languages == language
        kept = documents[self.document] & self.spaced[self.document]
        if not kept.any() or self.spaced[documents].mean() < 0.5:
            return None
        tenth = tenths(self.frequency[kept])
        bootstrap = DocumentBootstrap(draws, level=level)
        number = np.cumsum(documents) - 1

        def share(chosen: NDArray[np.bool_]) -> dict[str, Any]:
            right, where = self.right[kept][chosen], number[self.document[kept][chosen]]
            size = int(documents.sum())
            counts = np.bincount(where, minlength=size), np.bincount(where[right], minlength=size)
            sums = bootstrap.sums(np.column_stack(counts))
            ends = None
            if sums is not None and (sums[:, 0] > 0).all():
                ends = bootstrap.interval(sums[:, 1] / sums[:, 0])
            return {"words": len(right), "right": float(right.mean()), "interval": ends}

        rows = []
        for number_of_tenth in np.unique(tenth).tolist():
            chosen = tenth == number_of_tenth
            of_it = self.frequency[kept][chosen]
            ends = {"least": int(of_it.min()), "most": int(of_it.max())}
            rows.append({"tenth": number_of_tenth + 1, **ends, **share(chosen)})
        return {**share(np.ones(len(tenth), np.bool_)), "by_frequency": rows}


def tenths(frequency: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [words] 0 to 9, the tenth of the words, rarest first, that each's count lies in."""
    _, place, counts = np.unique(frequency, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    of_value = np.minimum(TENTHS * middle // len(frequency), TENTHS - 1).astype(np.int64)
    return np.asarray(of_value[place])


def next_words(
    predicted: NDArray[np.int64],
    stream: Stream,
    text: Stream,
    pieces: Sequence[bytes] | None,
    counts: Counter[bytes],
) -> NextWords:
    """Return the words of a text and whether they are predicted.

    Args:
        predicted: [U] the likeliest unit in place of each, given the true ones before.
        stream: the text in units. text: the same in bytes.
        pieces: bytes of each token; None where a unit is a byte.
        counts: of words in the training text.
    """
    right: list[bool] = []
    document: list[int] = []
    frequency: list[int] = []
    spaced = np.zeros(text.document_count, np.bool_)
    for number in range(text.document_count):
        data = text.document(number).tobytes()
        spaced[number] = _CHARACTERS_TO_A_SPACE * len(data.split()) >= len(data.decode())
        first = int(stream.documents[number])
        units = stream.document(number)
        sizes = np.ones(len(units), np.int64)
        if stream.unit_bytes is not None:
            sizes = stream.unit_bytes[units].astype(np.int64)
        ends = np.cumsum(sizes) - stream.prefix_bytes
        said = predicted[first : first + len(units)]
        wrong = np.concatenate([[0], np.cumsum(said != units)])
        for word in _WORD.finditer(data):
            # The units that hold its bytes, and the one that follows them.
            low = int(np.searchsorted(ends, word.start(), side="right"))
            high = int(np.searchsorted(ends, word.end(), side="left")) + 1
            hit = bool(wrong[high] == wrong[low])
            if hit and ends[high - 1] == word.end():
                after = int(said[high])
                hit = not _goes_on(bytes([after]) if pieces is None else pieces[after])
            right.append(hit)
            document.append(number)
            frequency.append(counts[word[0]])
    return NextWords(
        np.array(right, np.bool_),
        np.array(document, np.int64),
        np.array(frequency, np.int64),
        np.array(text.languages),
        spaced,
    )


def _goes_on(piece: bytes) -> bool:
    return bool(re.match(rb"[A-Za-z\x80-\xff]", piece))


def word_counts(text: Stream) -> Counter[bytes]:
    """Return how often the words of a text stand in it, of its first 256 MB."""
    counts: Counter[bytes] = Counter()
    for number, end in enumerate(text.byte_documents[1:].tolist()):
        if number and end > _MOST_TRAINING_BYTES:
            break
        counts.update(_WORD.findall(text.document(number).tobytes()))
    return counts


def likeliest_units(
    model: AnyModel,
    stream: Stream,
    window_units: int,
    rows: int,
    patches: Patches | None,
    device: torch.device,
    advance: Callable[[int], object] = lambda size: None,
) -> NDArray[np.int64]:
    """Return [U] the likeliest unit in place of each, given the true ones before it in its window.

    Args:
        as `scaling.evaluate.score.score`.
    """
    found = []
    with torch.inference_mode():
        for windows in evaluation_windows(stream, window_units, rows, patches):
            logits = model(model.inputs(windows.batch, device))
            likeliest = torch.stack([row.argmax(dim=-1) for row in logits]).cpu().numpy()
            found.append(likeliest[windows.document >= 0])
            advance(windows.batch.scored_bytes)
    return np.concatenate(found)
