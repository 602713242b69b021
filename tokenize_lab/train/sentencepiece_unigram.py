"""Unigram (Kudo 2018) by SentencePiece: identity normalisation and byte fallback, so lossless."""

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.backends.sentencepiece import SPACE
from tokenize_lab.train.settings import BYTES, TrainSettings
from tokenize_lab.train.text import TrainingText, by_frequency

COVERAGE = 0.9995  # SentencePiece's own default; characters rarer than that become bytes
MOST_CHARACTERS = 1 / 4  # of the vocabulary, so that there is room for longer pieces
THREADS = (
    4  # sums depend on how the text is dealt out, so the number is fixed, whatever the machine
)
MOST_LINES = 4_000_000  # held in memory; of more, as many are drawn
# Characters that end a line, or that SentencePiece's trainer keeps for itself.
RESERVED = [ord(character) for character in "\0\t\n▁▅"]


def train_sentencepiece(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the `.model` of a Unigram tokenizer.

    It learns from lines, cut also at tabs and at characters too rare for a piece of their own: all
    of these are left to the byte tokens. (SentencePiece's own setting for rare characters stops at
    the rarest 2 %, too little for a small vocabulary of many scripts.) No space is put before a
    text.

    Raises:
        InputError: SentencePiece finds nothing to learn in the text.
    """
    import sentencepiece

    alphabet = required_characters(text.character_counts(), settings.vocab_size)
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(settings.seed)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(text, alphabet),
            model_writer=model,
            model_type="unigram",
            vocab_size=settings.vocab_size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            # Without a piece of its own, the mark of a space would become its own three bytes.
            required_chars=SPACE,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            bos_id=-1,
            eos_id=-1,
            max_sentence_length=1 << 30,
            input_sentence_size=MOST_LINES,
            num_threads=THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{text.corpus.name}: SentencePiece cannot learn {settings.vocab_size} ids from it "
            f"({reason}); give more text or another `vocab_size`"
        ) from error
    return model.getvalue()


def required_characters(counts: NDArray[np.int64], vocab_size: int) -> NDArray[np.int64]:
    """Return the code points that get pieces of their own, the most frequent first.

    They make up `COVERAGE` of the text, or less where so many would fill the vocabulary.
    """
    counts = counts.copy()
    counts[RESERVED] = 0
    ordered = by_frequency(counts)
    enough = int(np.searchsorted(np.cumsum(counts[ordered]), COVERAGE * counts.sum())) + 1
    return ordered[: min(enough, int((vocab_size - BYTES) * MOST_CHARACTERS))]


def _lines(text: TrainingText, alphabet: NDArray[np.int64]) -> Iterator[str]:
    for document in text.spelt_with(alphabet, "\n"):
        yield from filter(None, document.split("\n"))
