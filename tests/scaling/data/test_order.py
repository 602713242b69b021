"""Windows of several languages come by their shares, and what was read is told by language."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from scaling.data.build_text import StreamCorpus, build_text
from scaling.data.build_units import build_tokens
from scaling.data.order import Windows, read_by_language, windows_of
from scaling.data.shards import Shards, open_shards
from scaling.data.turns import LanguageTurns, language_ranges
from scaling.data.windows import StaticPatches
from tests.scaling.train.runs import blt_spec
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

NAMES = ("aa", "bb", "cc")
LETTERS = {"aa": "abcd", "bb": "éü", "cc": "xyz"}


def documents(language: str, count: int = 40) -> list[Document]:
    letters = LETTERS[language]
    return [
        Document("".join(letters[(i * j) % len(letters)] for j in range(60 + i)), language)
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixed")


@pytest.fixture(scope="module")
def text(folder: Path) -> Path:
    corpora = [DocumentCorpus(name, documents(name)) for name in NAMES]
    return build_text(corpora, folder, held_out_bytes=dict.fromkeys(NAMES, 200))


@pytest.fixture(scope="module")
def shards(text: Path) -> Shards:
    return open_shards(text)


@given(
    weights=st.lists(st.floats(0, 1), min_size=1, max_size=5).filter(lambda w: max(w) > 0.01),
    first=st.integers(0, 1000),
    count=st.integers(1, 200),
)
def test_turns_are_even_and_any_row_is_found_alone(
    weights: list[float], first: int, count: int
) -> None:
    shares = np.array(weights) / sum(weights)
    turns = LanguageTurns(shares)
    language, window = turns.rows(0, first + count)
    for number, share in enumerate(shares):
        mine = language == number
        assert (window[mine] == np.arange(mine.sum())).all()
        behind = np.cumsum(mine) - share * np.arange(1, len(language) + 1)
        assert np.abs(behind).max() <= len(weights) / 2 + 1
    later = turns.rows(first, first + count)
    assert (later[0] == language[first:]).all() and (later[1] == window[first:]).all()


def test_a_language_reads_each_of_its_windows_once_an_epoch(shards: Shards) -> None:
    windows = Windows(shards.train, 32, 5, StaticPatches(4), (0.5, 0.0, 0.5))
    ranges = language_ranges(shards.train, 3)
    read = windows.read(0, 400)
    for number, part in enumerate(ranges):
        mine = read.begins[(read.begins >= part.begin) & (read.begins < part.end)]
        assert len(mine) == (0 if number == 1 else 200)
        if number != 1:
            assert mine.max() + 32 <= part.end
            epoch = mine[: (part.end - part.begin - 31) // 32]
            assert len(set(epoch.tolist())) == len(epoch)
    batches = [windows.batch(step, 8, part) for step in range(3) for part in ((0, 3), (3, 8))]
    assert np.array_equal(np.concatenate([b.targets for b in batches]), read.targets[:24])
    assert windows.epochs(50, 8) == pytest.approx(
        max(200 / ((ranges[k].end - ranges[k].begin - 31) // 32) for k in (0, 2))
    )


@pytest.mark.parametrize("tokenizer", ["", "character:300"])
def test_shares_are_of_bytes_and_parts_are_the_whole(
    text: Path, folder: Path, tokenizer: str
) -> None:
    """A language of two bytes a token gets its share of bytes, and not of tokens."""
    shards, patches = open_shards(text), StaticPatches(4)
    if tokenizer:
        made = load_tokenizer(str(_characters(text, folder)))
        shards = open_shards(build_tokens(text, made, folder))
    shares = (0.2, 0.5, 0.3)
    windows = Windows(shards.train, 16, 0, None if tokenizer else patches, shares)
    found = read_by_language(windows, 100, 8, 3)
    assert found[:, 0] / found[:, 0].sum() == pytest.approx(shares, abs=0.01)
    batches = [windows.batch(step, 8) for step in range(100)]
    assert found[:, 0].sum() == sum(batch.scored_bytes for batch in batches)
    tokens = [b.targets.size if b.starts is None else int(b.starts.sum()) for b in batches]
    assert found[:, 1].sum() == sum(tokens)
    if tokenizer:
        assert found[1, 0] / found[1, 1] > 1.8 * found[0, 0] / found[0, 1]


def _characters(text: Path, folder: Path) -> Path:
    corpus = StreamCorpus(open_shards(text).train, "mixed")
    return train_tokenizer(corpus, TrainSettings("character", 300), folder / "characters").path


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ({"aa": 0.5, "dd": 0.5}, "holds no dd.*it has aa, bb, cc"),
        ({"aa": 1.0}, ""),
    ],
)
def test_shares_of_what_is_not_there(text: Path, shares: dict[str, float], says: str) -> None:
    spec = replace(blt_spec(text), shares=shares)
    if not says:
        assert windows_of(spec, open_shards(text)).shares == (1.0, 0.0, 0.0)
        return
    with pytest.raises(InputError, match=says):
        windows_of(spec, open_shards(text))


def test_languages_that_are_interleaved_have_no_shares(folder: Path) -> None:
    mixed = [
        document for pair in zip(documents("aa"), documents("cc"), strict=True) for document in pair
    ]
    made = build_text([DocumentCorpus("mixed", mixed)], folder, held_out_bytes=400)
    with pytest.raises(InputError, match="interleaved"):
        Windows(open_shards(made).train, 32, 0, None, (0.5, 0.5))


def test_a_language_that_is_named_and_empty(folder: Path) -> None:
    corpora = [DocumentCorpus("aa", documents("aa")), DocumentCorpus("bb", [Document("", "bb")])]
    with pytest.raises(InputError, match="bb holds no text"):
        build_text(corpora, folder, held_out_bytes={"aa": 200, "bb": 200})
    short = [DocumentCorpus("aa", documents("aa")), DocumentCorpus("bb", documents("bb", 1))]
    with pytest.raises(InputError, match=r"bb has 1 document .* leaves none of them to train on"):
        build_text(short, folder, held_out_bytes={"aa": 200, "bb": 20})
