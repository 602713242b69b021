"""WordPiece (Schuster and Nakajima 2012; as in Devlin et al. 2019), by Hugging Face's trainer."""

import json

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.backends.huggingface import threads
from tokenize_lab.train.byte_level import written
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.text import TrainingText, by_frequency

UNKNOWN = "[UNK]"
CONTINUING = "##"
MOST_CHARACTERS = 1 / 4  # of the vocabulary; each takes two ids, one to begin a word, one within


def train_wordpiece(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a WordPiece vocabulary.

    Text is split at white space, which is dropped, and at punctuation. The most frequent characters
    make the alphabet; words with any other become `[UNK]`, and do not take part in training.

    The trainer numbers the `##` forms in an order that changes from run to run, and breaks ties by
    number. So both forms of every character are handed to it in a fixed order, as special tokens,
    and are made ordinary ones again afterwards.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    counts = text.character_counts()
    alphabet = _alphabet(counts, int(settings.vocab_size * MOST_CHARACTERS))
    characters = [chr(point) for point in alphabet]
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUING)
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.vocab_size,
        special_tokens=[UNKNOWN, *characters, *(CONTINUING + c for c in characters)],
        continuing_subword_prefix=CONTINUING,
        show_progress=False,
    )
    with threads(True):
        tokenizer.train_from_iterator(text.spelt_with(alphabet, " "), trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [
        token for token in content["added_tokens"] if token["content"] == UNKNOWN
    ]
    return written(content)


def _alphabet(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    ordered = by_frequency(counts)
    visible = np.array([not chr(point).isspace() for point in ordered], np.bool_)
    return ordered[visible][:most]
