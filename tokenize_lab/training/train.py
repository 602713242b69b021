"""From a corpus and a recipe to a tokenizer's file, with its card.

A vocabulary that is to reach a given compression takes one training: merges are learned in order,
so a large one holds every smaller one, and one pass over the text gives its tokens at every size
(`tokenize_lab.vocabulary_curves`).
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.corpus import Corpus
from corpora.errors import InputError, is_present
from corpora.files import write_json, written_whole
from corpora.locks import being_written
from tokenize_lab.backends.first_sight import trust
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.huggingface_fast import FastPath
from tokenize_lab.backends.sentencepiece import sentencepiece_from_bytes
from tokenize_lab.ceilings import LanguageHeads, ceiling_lines
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.merges.derived import truncated
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.training.engines import (
    train_bpe,
    train_character,
    train_sentencepiece,
    train_unigram,
    train_wordpiece,
    written,
)
from tokenize_lab.training.parity_bpe import Parity, parity_of, train_parity_bpe
from tokenize_lab.training.settings import BYTES, TrainSettings
from tokenize_lab.training.superbpe import train_superbpe, with_superwords
from tokenize_lab.training.text import FactSums, TextFacts, TrainingText
from tokenize_lab.vocabulary_curves.curve import token_curve

CARD = "card.json"
_JSON = "tokenizer.json"
FILES = {"huggingface": _JSON, "sentencepiece": "tokenizer.model", "tokenize-lab": _JSON}
Train = Callable[[TrainingText, TrainSettings], bytes]
_TRAINERS: dict[tuple[str, str], Train] = {
    ("bpe", "huggingface"): train_bpe,
    ("unigram", "huggingface"): train_unigram,
    ("unigram", "sentencepiece"): train_sentencepiece,
    ("wordpiece", "huggingface"): train_wordpiece,
    ("character", "huggingface"): train_character,
    ("superbpe", "huggingface"): train_superbpe,
    ("parity-bpe", "tokenize-lab"): train_parity_bpe,
}


@dataclass(frozen=True)
class Card:
    """Everything needed to make the tokenizer again, and to see that it is the same.

    Attributes:
        settings: the recipe.
        library: who trained it, with version.
        corpus, text: the training corpus's name, and its text's facts.
        file, sha256: the tokenizer's file, beside the card.
        vocabulary_size: ids it has, which may be fewer than were asked for.
        tokens, vocabulary_used: of the training text; the latter are distinct ids.
        lossless, lossy_reason: whether every text survives it; why not.
        warnings: what the person who asked for it should know.
        parity: of parity-aware BPE, what it costs and gives each language.
    """

    settings: TrainSettings
    library: str
    corpus: str
    text: TextFacts
    file: str
    sha256: str
    vocabulary_size: int
    tokens: int
    vocabulary_used: int
    lossless: bool
    lossy_reason: str
    warnings: tuple[str, ...] = ()
    parity: Parity | None = None

    @property
    def bytes_per_token(self) -> float | None:
        """Compression rate on the training text; None if it has no tokens."""
        return self.text.bytes / self.tokens if self.tokens else None

    def as_json(self) -> dict[str, Any]:
        """Return what is written to `card.json`: the same for the same training, to the byte."""
        return {
            "settings": asdict(self.settings),
            "library": self.library,
            "corpus": {"name": self.corpus, **self.text._asdict()},
            "tokenizer": {
                "file": self.file,
                "sha256": self.sha256,
                "vocabulary_size": self.vocabulary_size,
                "lossless": self.lossless,
                "lossy_reason": self.lossy_reason,
            },
            "on_training_text": {
                "tokens": self.tokens,
                "bytes_per_token": self.bytes_per_token,
                "vocabulary_used": self.vocabulary_used,
                "vocabulary_use": self.vocabulary_used / self.vocabulary_size,
            },
            "warnings": list(self.warnings),
            **({"parity": self.parity.as_json()} if self.parity else {}),
        }


@dataclass(frozen=True)
class Trained:
    """Where a trained tokenizer lies, and its card; it is a path wherever one is taken."""

    path: Path
    card: Card

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<trained: {self.path}, {self.card.vocabulary_size:,} ids>"

    def __iter__(self) -> Iterator[Any]:
        return iter((self.path, self.card))


def train_tokenizer(
    corpus: Corpus, settings: TrainSettings, out: Path, progress: ReportProgress = silent
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
            raise InputError(f"{out}: already has a {other} of another engine; name another `out`")
    text = TrainingText(corpus, progress)
    if not any(text.texts("reading")):
        raise InputError(f"{corpus.name}: has no text to train on")
    path = out / name
    with being_written(out):
        train = _TRAINERS[settings.kind, settings.engine]
        if settings.target_compression:
            content, settings = train_to_target(text, settings, train, path)
        else:
            content = train(text, settings)
        tokenizer = _loaded(content, path)
        card = _card(text, settings, content, tokenizer, name)
        if settings.kind == "parity-bpe":
            plain = train_bpe(text, replace(settings, kind="bpe", engine="", target_compression=0))
            card = replace(card, parity=parity_of(text, tokenizer, _loaded(plain, path)))
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
        trust(path)
        write_json(out / CARD, card.as_json())
    return Trained(path, card)


def _loaded(content: bytes, path: Path) -> Tokenizer:
    if path.suffix == ".model":
        return sentencepiece_from_bytes(content, f"sp:{path}", path.parent.name, str(path))
    return huggingface_from_text(content.decode("utf-8"), f"hf:{path}", path.parent.name, str(path))


def _card(
    text: TrainingText, settings: TrainSettings, content: bytes, tokenizer: Tokenizer, name: str
) -> Card:
    """Encode the training text with the new tokenizer and note what comes of it."""
    found = _by_words(text, settings, tokenizer) or _by_texts(text, tokenizer)
    size = tokenizer.vocabulary_size
    assert size <= settings.vocab_size
    fewer = (
        f"{size} ids, not the {settings.vocab_size} asked for: the text has no more to learn; "
        "give more text or a smaller `vocab_size`"
    )
    return Card(
        settings=settings,
        library=tokenizer.engine,
        corpus=text.corpus.name,
        text=found.facts,
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        vocabulary_size=size,
        tokens=found.tokens,
        vocabulary_used=found.vocabulary_used,
        lossless=tokenizer.lossless,
        lossy_reason=tokenizer.lossy_reason,
        warnings=(fewer,) if size < settings.vocab_size else (),
    )


class _OnText(NamedTuple):
    """What a new tokenizer makes of its training text; the latter are distinct ids."""

    facts: TextFacts
    tokens: int
    vocabulary_used: int


def _by_texts(text: TrainingText, tokenizer: Tokenizer) -> _OnText:
    sums, tokens = FactSums(), 0
    used = np.zeros(tokenizer.vocabulary_size, np.bool_)
    for texts in text.batches("measuring"):
        sums.add(TextBytes.of(texts))
        ids = tokenizer.encode_batch(texts).ids
        tokens += len(ids)
        used[ids] = True
    return _OnText(sums.facts(), tokens, int(used.sum()))


def _by_words(text: TrainingText, settings: TrainSettings, tokenizer: Tokenizer) -> _OnText | None:
    """Encode each distinct word, which is a piece by itself; None where it is not known how."""
    if settings.kind not in ("bpe", "parity-bpe"):
        return None
    fast = tokenizer.fast if isinstance(tokenizer, HuggingFaceTokenizer) else None
    counted = text.counted(settings.pattern) if isinstance(fast, FastPath) else None
    if counted is None or not isinstance(fast, FastPath):
        return None
    ids, lengths = fast.tiktoken.encode_pieces(map(str.encode, counted.words.words))
    used = len(np.unique(ids))
    return _OnText(counted.facts, int(counted.words.counts @ lengths), used)


TOLERANCE = 0.01
# Of a target, what SuperBPE's first stage is to reach alone: about what half of the ids do, the
# default split, on English at 8,192.
FIRST_STAGE = 0.75


class Found(NamedTuple):
    """A tokenizer.json that reaches the target; its recipe has the sizes that were found."""

    content: bytes
    settings: TrainSettings


class _Rates(NamedTuple):
    """Bytes per token, [N] ascending, by vocabulary size, [N], of what a whole tokenizer holds."""

    tokenizer: HuggingFaceTokenizer
    sizes: NDArray[np.int64]
    rates: NDArray[np.float64]


def train_to_target(text: TrainingText, settings: TrainSettings, train: Train, out: Path) -> Found:
    """Train once, at `settings.vocab_size`, and cut to the size nearest the target on this text.

    SuperBPE's stage split, where none is given, is the size at which plain BPE, trained once for
    it, reaches `FIRST_STAGE` of the target.

    Args:
        settings: with a target, and the largest size to be tried.
        train: the kind's trainer.
        out: where it will lie, for errors.

    Raises:
        InputError: no size reaches the target within `TOLERANCE`.
    """
    target = settings.target_compression
    if settings.kind == "superbpe" and not settings.stage_split:
        # Half of the ids at most, so that as many are left for superwords.
        plain = TrainSettings("bpe", settings.vocab_size // 2, pattern=settings.pattern)
        first = _rates(text, train_bpe(text, plain), out)
        enough = np.flatnonzero(first.rates >= FIRST_STAGE * target)
        split = int(first.sizes[enough[0]] if len(enough) else first.sizes[-1])
        settings = replace(settings, stage_split=max(split, BYTES + 1))
        stage1 = _cut(first.tokenizer, int(settings.stage_split))
        content = written(with_superwords(text, stage1, settings))
    else:
        content = train(text, settings)
    found = _rates(text, content, out)
    usable = found.sizes > max(BYTES, int(settings.stage_split))
    sizes, rates = found.sizes[usable], found.rates[usable]
    best = int(np.abs(rates - target).argmin())
    if abs(rates[best] / target - 1) > TOLERANCE:
        raise InputError(
            "; ".join(
                [
                    _missed(text.corpus.name, target, sizes, rates),
                    *_capped(text, found, settings.pattern, target),
                ]
            )
        )
    size = int(sizes[best])
    return Found(written(_cut(found.tokenizer, size)), replace(settings, vocab_size=size))


def _rates(text: TrainingText, content: bytes, out: Path) -> _Rates:
    tokenizer = huggingface_from_text(content.decode("utf-8"), str(out), out.name, str(out))
    curve = token_curve(tokenizer, text.texts("counting tokens at every size"))
    sizes = curve.first_size + np.arange(len(curve.tokens))
    return _Rates(tokenizer, sizes, curve.bytes_per_token)


def _capped(text: TrainingText, found: _Rates, pattern: str, target: float) -> list[str]:
    """Return where the splitter is to blame."""
    heads = LanguageHeads()
    for batch in text.corpus.batches():
        heads.note(batch.language, batch.texts)
    named = replace(found.tokenizer, name=f"`pattern` {pattern}")
    return ceiling_lines([named], heads, target)


def _cut(tokenizer: HuggingFaceTokenizer, size: int) -> dict[str, Any]:
    cut = truncated(tokenizer, size)
    assert isinstance(cut, HuggingFaceTokenizer)
    content: dict[str, Any] = json.loads(cut.serialized)
    return content


def _missed(name: str, target: float, sizes: NDArray[np.int64], rates: NDArray[np.float64]) -> str:
    asked = f"`target_compression` {target:g}"
    if rates[0] <= target <= rates[-1]:
        after = int(np.searchsorted(rates, target))
        return (
            f"{asked}: {sizes[after - 1]} ids give {rates[after - 1]:.3f} bytes per token on "
            f"{name} and {sizes[after]} give {rates[after]:.3f}; ask for one of these"
        )
    return (
        f"{asked}: out of reach on {name}; from {rates[0]:.3f} bytes per token ({sizes[0]} ids) to "
        f"{rates[-1]:.3f} ({sizes[-1]} ids) can be had"
    )
