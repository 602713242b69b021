"""The fast trainer: the stock trainer's merges, ties and all, or none."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.open import open_corpus
from tests.tokenize_lab.texts import HARD
from tokenize_lab.training import engines, symbol_merges
from tokenize_lab.training.engines import train_bpe
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.symbol_merges import (
    SymbolLines,
    fast_merges,
    fast_trainer,
    stock_merges,
)
from tokenize_lab.training.text import TrainingText

gigabpe = pytest.importorskip("gigabpe", reason="the extra `fast` is not installed")


@pytest.fixture
def asked_anew() -> Iterator[None]:
    """What is known of the trainer is forgotten, before and after."""
    fast_trainer.cache_clear()
    yield
    fast_trainer.cache_clear()


def _lines(seed: int, first: int) -> tuple[list[str], list[str]]:
    draw = random.Random(seed)
    alphabet = [chr(first + place) for place in range(256)]
    used = draw.sample(alphabet, draw.choice([1, 2, 3, 5, 20, 256]))
    words = [
        "".join(draw.choices(used, k=draw.choice([1, 2, 3, 5, 9, 30])))
        for _ in range(draw.choice([1, 3, 20, 200]))
    ]
    return [word for word in words for _ in range(draw.choice([1, 1, 2, 5]))], alphabet


@pytest.mark.parametrize("first", [0x100, 0xE000, 0x40000])
def test_merges_are_those_of_the_stock_trainer(first: int) -> None:
    for seed in range(60):
        lines, alphabet = _lines(seed, first)
        for count in (1, 50, 1000):
            found = fast_merges([SymbolLines(["\n".join(lines)])], alphabet, count)
            assert found == stock_merges(lines, alphabet, count), seed


def test_a_part_counts_as_often_as_it_says() -> None:
    lines, alphabet = _lines(2, 0x100)
    once, thrice = lines[::2], lines[1::2]
    parts = [SymbolLines(["\n".join(once)]), SymbolLines(["\n".join(thrice)], 3)]
    assert fast_merges(parts, alphabet, 300) == stock_merges(once + 3 * thrice, alphabet, 300)


def test_a_trainer_that_breaks_ties_otherwise_is_not_used(
    asked_anew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fast_trainer()
    learn = gigabpe.train_bpe

    def other(*arguments: Any, **settings: Any) -> Any:
        vocab, merges = learn(*arguments, **settings)
        return vocab, [*merges[1:2], *merges[:1], *merges[2:]]

    fast_trainer.cache_clear()
    monkeypatch.setattr(gigabpe, "train_bpe", other)
    assert not fast_trainer()
    assert fast_merges([SymbolLines(["ab"])], ["a", "b"], 1) is None


def test_a_trainer_that_fails_leaves_it_to_the_stock_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TrainingText(DocumentCorpus("own", [Document("abababab"), Document("abcabc")]))
    expected = train_bpe(text, TrainSettings("bpe", 258))

    def fails(*arguments: Any, **settings: Any) -> Any:
        raise OSError("no space left on device")

    assert fast_trainer()
    monkeypatch.setattr(gigabpe, "train_bpe", fails)
    assert fast_merges([SymbolLines(["ab"])], ["a", "b"], 1) is None
    assert train_bpe(text, TrainSettings("bpe", 258)) == expected


def _both(corpus: Any, settings: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = train_bpe(TrainingText(corpus), settings)
    with monkeypatch.context() as patch:
        patch.setattr(engines, "fast_trainer", lambda: False)
        assert train_bpe(TrainingText(corpus), settings) == fast


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "gpt4o", "tekken", "qwen2", "whitespace"])
def test_a_file_is_the_same_to_the_byte(
    pattern: str, embedded: DocumentCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_LARGEST_FILE", 1 << 16)  # words in parts
    documents = [*embedded.documents, *(Document(text) for text in HARD)]
    _both(
        DocumentCorpus("own", documents), TrainSettings("bpe", 3000, pattern=pattern), monkeypatch
    )


def test_ties_are_broken_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    for letters in ("ab", "abcdefgh", "~! zé漢"):
        texts = ["".join(draw.choices(letters, k=30)) for _ in range(60)]
        corpus = DocumentCorpus("own", [Document(text) for text in texts])
        _both(corpus, TrainSettings("bpe", 900), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["hin", "vie"])
def test_long_documents_too(language: str, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = open_corpus(str(shared / "data" / "train" / f"{language}.jsonl.xz"))
    _both(corpus, TrainSettings("bpe", 16384), monkeypatch)


def test_superwords_are_the_same_by_both(
    embedded: DocumentCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenize_lab.training import superbpe

    settings = TrainSettings("superbpe", 1200)
    fast = superbpe.train_superbpe(TrainingText(embedded), settings)
    monkeypatch.setattr(symbol_merges, "fast_trainer", lambda: False)
    assert superbpe.train_superbpe(TrainingText(embedded), settings) == fast
