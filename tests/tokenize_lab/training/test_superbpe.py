"""SuperBPE: two stages that one pass of encoding does alike, and the text they learn from."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regex
from tokenizers import Tokenizer, pre_tokenizers

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, bytes_per_text, ids_of
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.counts.schema import merged
from tokenize_lab.measurement import count_corpora
from tokenize_lab.patterns import SUPERWORDS
from tokenize_lab.rows import RowSettings, measure_rows
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training import superbpe
from tokenize_lab.training import text as countable
from tokenize_lab.training.engines import train_bpe
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.superbpe import (
    SuperwordSymbols,
    SuperwordText,
    learned_merges,
    superword_merges,
    word_count,
)
from tokenize_lab.training.text import TrainingText
from tokenize_lab.training.train import train_tokenizer

SAID = "It was one of the things that one of the men said to one of the others, and so it was. "


def _corpus(*texts: str) -> DocumentCorpus:
    return DocumentCorpus("own", [Document(text) for text in texts])


def _loaded(folder: Path) -> HuggingFaceTokenizer:
    tokenizer = load_tokenizer(str(folder))
    assert isinstance(tokenizer, HuggingFaceTokenizer)
    return tokenizer


def _model(tokenizer: HuggingFaceTokenizer) -> dict[str, Any]:
    model: dict[str, Any] = json.loads(tokenizer.serialized)["model"]
    return model


def _stage1(tokenizer: HuggingFaceTokenizer, merges: int) -> HuggingFaceTokenizer:
    """The tokenizer with its first merges only, and the pattern of stage 2."""
    content = json.loads(tokenizer.serialized)
    content["model"]["merges"] = content["model"]["merges"][:merges]
    return huggingface_from_text(json.dumps(content), "stage 1", "stage 1", "stage 1")


def _merged_further(pieces: list[int], ranks: dict[tuple[int, int], tuple[int, int]]) -> list[int]:
    """Byte pair encoding as defined: the pair of lowest rank, leftmost, until there is none."""
    while True:
        known = [(ranks[pair][0], i) for i, pair in enumerate(pairwise(pieces)) if pair in ranks]
        if not known:
            return pieces
        _, i = min(known)
        pieces = [*pieces[:i], ranks[pieces[i], pieces[i + 1]][1], *pieces[i + 2 :]]


def _in_two_steps(
    tokenizer: HuggingFaceTokenizer, merges: int, texts: list[str]
) -> list[list[int]]:
    model = _model(tokenizer)
    vocab = model["vocab"]
    ranks = {
        (vocab[left], vocab[right]): (rank, vocab[left + right])
        for rank, (left, right) in enumerate(model["merges"][merges:])
    }
    # Each piece on its own, unsplit: a pattern's look ahead could see a piece's end otherwise.
    alone = Tokenizer.from_str(_stage1(tokenizer, merges).serialized)
    alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    result = []
    for text in texts:
        pieces = [match[0] for match in regex.finditer(SUPERWORDS, text)]
        encoded = alone.encode_batch_fast(pieces)
        result.append([i for one in encoded for i in _merged_further(one.ids, ranks)])
    return result


def _check_stages(tokenizer: HuggingFaceTokenizer, bpe: bytes, texts: list[str]) -> None:
    stage1 = json.loads(bpe)["model"]
    model = _model(tokenizer)
    count = len(stage1["merges"])
    assert model["merges"][:count] == stage1["merges"] and len(model["merges"]) > count
    assert list(model["vocab"].items())[: len(stage1["vocab"])] == list(stage1["vocab"].items())
    assert bytes_per_text(tokenizer, texts) == [text.encode() for text in texts]
    assert ids_of(tokenizer.encode_batch(texts)) == _in_two_steps(tokenizer, count, texts)


def test_stage_1_is_a_prefix_and_one_pass_is_two_steps(
    trained: dict[str, Path], embedded: DocumentCorpus
) -> None:
    tokenizer = _loaded(trained["superbpe"])
    bpe = train_bpe(TrainingText(embedded), TrainSettings("bpe", 1000))
    lines = [document.text for document in embedded.documents]
    _check_stages(tokenizer, bpe, [*lines[::5], *HARD, *SPECIAL_LOOKING, " ".join(lines[:200])])


@pytest.mark.parametrize("language", ["eng", "hin", "rus", "arb"])
def test_the_same_on_long_documents(language: str, shared: Path, tmp_path: Path) -> None:
    batches = open_corpus(str(shared / "data" / "train" / f"{language}.jsonl.xz")).batches()
    texts = [text[:100_000] for text in next(batches).texts][:8]
    corpus = _corpus(*texts)
    path, card = train_tokenizer(corpus, TrainSettings("superbpe", 1200), tmp_path)
    assert card.lossless and card.vocabulary_size == 1200 and card.settings.stage_split == 600
    bpe = train_bpe(TrainingText(corpus), TrainSettings("bpe", 600))
    _check_stages(_loaded(path.parent), bpe, [*texts, *HARD])


def test_plain_tokenizers_reads_it(trained: dict[str, Path]) -> None:
    plain = Tokenizer.from_file(str(trained["superbpe"] / "tokenizer.json"))
    assert plain.decode(plain.encode(SAID).ids) == SAID


def test_superwords_shorten_english(shared: Path, tmp_path: Path) -> None:
    batches = open_corpus(str(shared / "data" / "train" / "eng.jsonl.xz")).batches()
    corpus = _corpus(next(batches).texts[0][:300_000])
    rates = {
        kind: train_tokenizer(corpus, TrainSettings(kind, 2048), tmp_path / kind).card
        for kind in ("bpe", "superbpe")
    }
    gain = (rates["superbpe"].bytes_per_token or 0) / (rates["bpe"].bytes_per_token or 1) - 1
    assert gain > 0.08


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_superword_spans_so_many_words_at_most(most: int, tmp_path: Path) -> None:
    settings = TrainSettings("superbpe", 420, stage_split=300, superword_words=most)
    path, card = train_tokenizer(_corpus(*[SAID * 5] * 20), settings, tmp_path)
    table = load_tokenizer(str(path)).token_bytes
    assert max(word_count(table[i]) for i in range(len(table))) == most
    assert card.settings.superword_words == most


def test_words_of_a_token() -> None:
    tokens = [
        b"",
        b" ",
        b" of",
        b" of the",
        b"f the ",
        b",\n",
        b" caf\xc3",
        b"a\xc2\xa0b",
        b"a\n\tb c",
    ]
    assert [word_count(token) for token in tokens] == [0, 0, 1, 2, 2, 1, 1, 2, 3]


def test_merges_left_out_take_what_builds_upon_them_along() -> None:
    symbols = SuperwordSymbols(6)
    a, b, c, d, e, f = symbols.characters
    pieces = [b"a", b" b", b" c", b"a b c", b"x", b"y"]
    learned = [
        (a, b), (a + b, c),  # bytes that are a token already
        (a + b + c, e),
        (e, f), (b, c), (b + c, a + b), (b + c, b), (e, f + e), (f, e), (e + f, e),
    ]  # fmt: skip
    kept = superword_merges(learned, symbols, pieces, most_words=2, wanted=9)
    assert kept.tokens == [b"a b", b"xy", b" b c", b"yx", b"xyx"]
    assert kept.merges == [(b"a", b" b"), (b"x", b"y"), (b" b", b" c"), (b"y", b"x"), (b"xy", b"x")]
    assert d not in "".join(left + right for left, right in learned)
    again = superword_merges([(e, f), (e + f, e), (f, e), (e, f + e)], symbols, pieces, 4, 9)
    assert again.tokens == [b"xy", b"xyx", b"yx"]  # one token, made in two ways
    assert again.merges[-1] == (b"x", b"yx")
    assert superword_merges(learned, symbols, pieces, 2, wanted=2).tokens == [b"a b", b"xy"]


def test_every_id_has_a_character_of_its_own() -> None:
    symbols = SuperwordSymbols(137_468 + 10)
    points = [ord(character) for character in symbols.characters]
    assert len(set(points)) == len(points)
    assert points[:137_468] == sorted(points[:137_468])
    assert all(0xE000 <= p < 0xF900 or p >= 0xF0000 for p in points[:137_468])
    assert points[137_468] == 0x40000
    with pytest.raises(InputError, match=r"`stage_split` 800000: must be at most 792,828"):
        SuperwordSymbols(800_000)


def _stage2_text(corpus: DocumentCorpus) -> tuple[SuperwordText, SuperwordSymbols]:
    text = TrainingText(corpus)
    model = json.loads(train_bpe(text, TrainSettings("bpe", 300)))["model"]
    symbols = SuperwordSymbols(len(model["vocab"]))
    return SuperwordText(text, model, symbols), symbols


def test_the_sample_is_bounded_and_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superbpe, "BLOCK_CHARACTERS", 50)
    text, symbols = _stage2_text(_corpus(*(f"part {chr(97 + i)}x. " * 30 for i in range(16))))
    whole = text.lines()
    sample = text.lines(most_tokens=sum(map(len, whole)) // 3)
    assert 0 < sum(map(len, sample)) <= sum(map(len, whole)) // 3
    assert sample == whole[:: len(whole) // len(sample) + (len(whole) % len(sample) > 0)]
    assert text.lines(most_tokens=1) == whole[:1]
    assert learned_merges(sample, symbols, 5) == learned_merges(
        text.lines(sum(map(len, sample))), symbols, 5
    )


def test_lines_are_the_pieces_in_stretches_that_can_be_held() -> None:
    long = "".join(chr(0x4E00 + i * 7919 % 5000) for i in range(9000))
    text, symbols = _stage2_text(_corpus(f"{SAID}42, 7 {long}"))
    lines = "".join(text.lines()).split("\n")
    assert max(map(len, lines)) <= superbpe.LONGEST_WORD
    place = {character: i for i, character in enumerate(symbols.characters)}
    back = np.array([place[character] for line in lines for character in line])
    assert len(back) > 9000 and back.max() < 300


def test_text_too_long_to_count_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(countable, "LARGEST_COUNT", 19)
    corpus = _corpus("ab" * 11, "ab" * 9)
    for kind in ("bpe", "superbpe"):
        with pytest.raises(InputError, match=r"^own: too long .* b'ab' occur .* more than 19"):
            train_tokenizer(corpus, TrainSettings(kind, 300), tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(countable, "LARGEST_COUNT", 20)
    train_tokenizer(corpus, TrainSettings("bpe", 300), tmp_path)


def test_measured_like_any_other(trained: dict[str, Path], embedded: DocumentCorpus) -> None:
    tokenizer = _loaded(trained["superbpe"])
    measurement = count_corpora([embedded], CountJob([tokenizer], TextSettings(), None), jobs=1)
    settings = RowSettings({tokenizer.name: tokenizer.vocabulary_size}, "whitespace")
    (row,) = measure_rows(merged(measurement.counts, ["language"]), settings)
    assert row["exact_share"] == 1.0
    assert row["bytes_per_pretoken"] > 2 * row["bytes_per_token"]
    text = "of the people, by the people; 42 of them"
    assert tokenizer.pretoken_count(text) == len(regex.findall(SUPERWORDS, text)) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"stage_split": 400}, "`stage_split` 400: must be below the vocabulary's size, 400"),
        ({"stage_split": 401}, "must be below the vocabulary's size"),
        ({"stage_split": -1}, "must be below the vocabulary's size"),
        ({"stage_split": float("nan")}, "must be below the vocabulary's size"),
        ({"stage_split": 256}, "256 ids for the first stage; must be over 256"),
        ({"stage_split": 0.1}, "40 ids for the first stage; must be over 256"),
        ({"superword_words": -1}, "`superword_words` -1: must be at least 1"),
        ({"kind": "bpe", "stage_split": 300}, "`stage_split`: bpe has no second stage"),
        ({"kind": "bpe", "superword_words": 3}, "`superword_words`: bpe has no second stage"),
    ],
)
def test_stages_that_cannot_be(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        TrainSettings(**{"kind": "superbpe", "vocab_size": 400, **arguments})


def test_stages_are_written_out() -> None:
    assert TrainSettings("superbpe", 8000).stage_split == 4000
    assert TrainSettings("superbpe", 8000, stage_split=0.9).stage_split == 7200
    assert TrainSettings("superbpe", 8000, stage_split=5000).stage_split == 5000
    assert TrainSettings("superbpe", 300).stage_split == 257
    assert TrainSettings("superbpe", 300).pattern == "gpt4o"
