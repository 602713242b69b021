"""Byte-level BPE (Sennrich et al. 2016; over bytes, Radford et al. 2019) and Unigram (Kudo 2018).

Both see text in the byte-level alphabet, split by a pattern, and begin from all 256 bytes, so
whatever they learn is lossless.
"""

import json
from typing import Any

from corpora.errors import InputError
from tokenize_lab.backends.huggingface import threads
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.patterns import pattern_named
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.text import TrainingText, countable

LONGEST_PIECE = 32  # bytes of a Unigram piece, about ten characters of the longest scripts
SCORE_DECIMALS = 6
# Hugging Face's trainer gives bytes it did not meet the least score there is, each 1e-4 above the
# one before, in no fixed order.
UNSEEN_SPREAD = 256 * 1e-4


def train_bpe(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a byte-level BPE.

    The trainer breaks ties between equally frequent pairs by their ids, and ids come from the
    alphabet's order, so the same text gives the same file however many threads count it.

    Raises:
        InputError: the text is too long for the trainer's counts.
    """
    from tokenizers import models, trainers

    tokenizer = _untrained(models.BPE(), settings)
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size, initial_alphabet=_alphabet(), show_progress=False
    )
    with threads(True):
        tokenizer.train_from_iterator(countable(text, "counting words"), trainer)
    return written(json.loads(tokenizer.to_str()))


def train_unigram(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a byte-level Unigram.

    The trainer adds up words in an order that changes from run to run, which moves the last digits
    of the scores, and scores unseen bytes in such an order too. Here scores are rounded, unseen
    bytes all get the least, and pieces are put in order of score, then of spelling.

    Raises:
        InputError: the text is a single word.
    """
    from tokenizers import models, trainers

    tokenizer = _untrained(models.Unigram(), settings)
    trainer = trainers.UnigramTrainer(
        vocab_size=settings.vocab_size,
        initial_alphabet=_alphabet(),
        max_piece_length=LONGEST_PIECE,
        unk_token=None,
        show_progress=False,
    )
    with threads(True):
        tokenizer.train_from_iterator(text.texts("counting words"), trainer)
    content = json.loads(tokenizer.to_str())
    vocab = content["model"]["vocab"]
    if any(score is None for _, score in vocab):  # not a number: one word, which took every count
        raise InputError(f"{text.corpus.name}: too little text to learn a Unigram from; give more")
    content["model"]["vocab"] = _settled(vocab)
    content["model"]["unk_id"] = None
    return written(content)


def written(content: dict[str, Any]) -> bytes:
    """Return a tokenizer.json's bytes."""
    return json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"


def _settled(vocab: list[tuple[str, float]]) -> list[tuple[str, float]]:
    least = min(score for _, score in vocab)
    rounded = []
    for piece, score in vocab:
        if len(piece) == 1 and score < least + UNSEEN_SPREAD:
            score = least
        rounded.append((piece, round(score, SCORE_DECIMALS)))
    return sorted(rounded, key=lambda entry: (-entry[1], entry[0]))


def split_by(pattern: str) -> Any:
    """Return the library's pre-tokenizer: pieces of a pattern, in the byte-level alphabet."""
    from tokenizers import Regex, pre_tokenizers

    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if not pattern:
        return bytes_only
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([split, bytes_only])


def _untrained(model: Any, settings: TrainSettings) -> Any:
    from tokenizers import Tokenizer, decoders

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split_by(pattern_named(settings.pattern))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def untrained_json(settings: TrainSettings) -> dict[str, Any]:
    """Return the content of a byte-level BPE's tokenizer.json, without any vocabulary."""
    from tokenizers import models

    content: dict[str, Any] = json.loads(_untrained(models.BPE(), settings).to_str())
    return content


def spelt(token: bytes) -> str:
    """Return a token's bytes in the byte-level alphabet."""
    return "".join(map(byte_to_character().__getitem__, token))


def _alphabet() -> list[str]:
    return list(byte_to_character().values())
