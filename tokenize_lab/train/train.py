"""From a corpus and a recipe to a tokenizer's file, with its card."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.files import write_text, written_whole
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizers.huggingface import huggingface_from_text
from tokenize_lab.tokenizers.paths import is_present
from tokenize_lab.tokenizers.sentencepiece import sentencepiece_from_bytes
from tokenize_lab.train.byte_level import train_bpe, train_unigram
from tokenize_lab.train.card import Card
from tokenize_lab.train.characters import train_character
from tokenize_lab.train.parity_bpe import train_parity_bpe
from tokenize_lab.train.parity_report import parity_of
from tokenize_lab.train.sentencepiece_unigram import train_sentencepiece
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.superbpe import train_superbpe
from tokenize_lab.train.target import Train, train_to_target
from tokenize_lab.train.text import Progress, TextDigest, TrainingText
from tokenize_lab.train.wordpiece import train_wordpiece

CARD = "card.json"
FILES = {
    "huggingface": "tokenizer.json",
    "sentencepiece": "tokenizer.model",
    "tokenize-lab": "tokenizer.json",
}
_TRAINERS: dict[tuple[str, str], Train] = {
    ("bpe", "huggingface"): train_bpe,
    ("unigram", "huggingface"): train_unigram,
    ("unigram", "sentencepiece"): train_sentencepiece,
    ("wordpiece", "huggingface"): train_wordpiece,
    ("character", "huggingface"): train_character,
    ("superbpe", "huggingface"): train_superbpe,
    ("parity-bpe", "tokenize-lab"): train_parity_bpe,
}


class Trained(NamedTuple):
    """Where a trained tokenizer lies, and its card."""

    path: Path
    card: Card


def train_tokenizer(
    corpus: Corpus, settings: TrainSettings, out: Path, progress: Progress | None = None
) -> Trained:
    """Train a tokenizer and write it to `out` with its card; the same input, the same bytes.

    Args:
        corpus: the text to learn from; it is read several times.
        settings: the recipe.
        out: folder for `tokenizer.json` or `tokenizer.model`, and `card.json`.
        progress: called with what is being done and the bytes just read.

    Raises:
        InputError: the corpus has no text, the vocabulary is too small, the target out of reach, or
            `out` cannot be written or holds a tokenizer of another engine.
    """
    name = FILES[settings.engine]
    for other in FILES.values():
        if other != name and is_present(out / other):
            raise InputError(f"{out}: already has a {other} of another engine; name another --out")
    text = TrainingText(corpus, progress)
    if not any(text.texts("reading")):
        raise InputError(f"{corpus.name}: has no text to train on")
    path = out / name
    train = _TRAINERS[settings.kind, settings.engine]
    if settings.target_compression:
        content, settings = train_to_target(text, settings, train, path)
    else:
        content = train(text, settings)
    tokenizer = _loaded(content, path)
    card = _card(text, settings, content, tokenizer, name)
    if settings.kind == "parity-bpe":
        plain = _loaded(
            train_bpe(text, replace(settings, kind="bpe", engine="", target_compression=0)), path
        )
        card = replace(card, parity=parity_of(text, tokenizer, plain))
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
    write_text(out / CARD, card.to_text())
    return Trained(path, card)


def _loaded(content: bytes, path: Path) -> Tokenizer:
    if path.suffix == ".model":
        return sentencepiece_from_bytes(content, f"sp:{path}", path.parent.name, str(path))
    return huggingface_from_text(content.decode("utf-8"), f"hf:{path}", path.parent.name, str(path))


def _card(
    text: TrainingText, settings: TrainSettings, content: bytes, tokenizer: Tokenizer, name: str
) -> Card:
    """Encode the training text with the new tokenizer and note what comes of it."""
    digest, tokens = TextDigest(), 0
    used = np.zeros(tokenizer.vocabulary_size, np.bool_)
    for texts in text.batches("measuring"):
        digest.add(texts)
        ids = tokenizer.encode_batch(texts).ids
        tokens += len(ids)
        used[ids] = True
    size = tokenizer.vocabulary_size
    assert size <= settings.vocab_size
    fewer = (
        f"{size} ids, not the {settings.vocab_size} asked for: the text has no more to learn; "
        "give more text or a smaller --vocab-size"
    )
    return Card(
        settings=settings,
        library=tokenizer.engine,
        corpus=text.corpus.name,
        text=digest.facts(),
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        vocabulary_size=size,
        tokens=tokens,
        vocabulary_used=int(used.sum()),
        lossless=tokenizer.lossless,
        lossy_reason=tokenizer.lossy_reason,
        warnings=(fewer,) if size < settings.vocab_size else (),
    )
