"""Shares read from the order of merges, against mixtures whose shares were chosen."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from tests.cli import answer, mistake
from tests.tokenize_lab.forensics.made import byte_level
from tests.tokenize_lab.forensics.planting import novels, planted
from tests.tokenize_lab.texts import SAMPLES
from tokenize_lab.forensics import program
from tokenize_lab.forensics.merges import Merge, merge_rules
from tokenize_lab.forensics.mixture import BLOCKS, count_words, infer_mixture, splitter
from tokenize_lab.forensics.program import solve
from tokenize_lab.forensics.replay import PairHistory, replay
from tokenize_lab.forensics.tables import mixture_tables
from tokenize_lab.patterns import GPT4
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

ALL = 1 << 40
LANGUAGES = ("eng_Latn", "deu_Latn", "rus_Cyrl", "hin_Deva")


def trained_on(corpus: DocumentCorpus, vocab_size: int, folder: Path) -> Tokenizer:
    train_tokenizer(corpus, TrainSettings("bpe", vocab_size), folder)
    return load_tokenizer(str(folder))


def error(finding: dict[str, list[dict[str, float]]], shares: dict[str, float], of: str) -> float:
    """Return log10 of the mean squared error of the shares, the paper's scale."""
    off = [row[of] - shares[str(row["language"])] for row in finding["languages"]]
    return float(np.log10(np.mean(np.square(off))))


def table_text(finding: dict[str, Any]) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(*mixture_tables(finding))
    return capture.get()


@pytest.fixture(scope="module")
def segments() -> dict[str, list[str]]:
    return {
        language: (SAMPLES / f"{language}.txt").read_text("utf-8").split("\n")
        for language in LANGUAGES
    }


def test_the_trainers_own_text_gives_its_shares_back(
    segments: dict[str, list[str]], tmp_path: Path
) -> None:
    """With the very text there is no slack, and what leaves none lies close to the truth."""
    shares: dict[str, float] = dict(zip(LANGUAGES, (0.45, 0.3, 0.2, 0.05), strict=True))
    train, _, exact = planted(segments, shares, 5000, 0)
    tokenizer = trained_on(train, 256 + 250, tmp_path / "bpe")
    found = infer_mixture(tokenizer, count_words(tokenizer, [train], ALL), merges=250)
    assert found["slack_share"] < 1e-9 and found["merges_met"] == 250
    assert error(found, exact, "share") < -4
    assert [row["language"] for row in found["languages"]] == list(LANGUAGES)
    assert sum(row["share"] for row in found["languages"]) == pytest.approx(1)


def test_other_text_of_the_languages_gives_them_nearly(
    segments: dict[str, list[str]], tmp_path: Path
) -> None:
    """24 segments of some hundred bytes each to train on, as many others to infer from."""
    shares: dict[str, float] = dict(zip(LANGUAGES, (0.1, 0.2, 0.3, 0.4), strict=True))
    train, rest, exact = planted(segments, shares, 7000, ALL)
    tokenizer = trained_on(train, 256 + 150, tmp_path / "bpe")
    words = count_words(tokenizer, [rest], ALL)
    found = infer_mixture(tokenizer, words, merges=150, replicates=2)
    assert error(found, exact, "share") < -2.5  # a uniform guess: -1.9
    assert error(found, exact, "share_published") < -2.5
    for row in found["languages"]:
        low, high = row["interval"]
        assert 0 <= low < row["share"] < high <= 1
    again = infer_mixture(tokenizer, words, merges=150, replicates=2)
    assert again == found and again["replicates"] == 2
    assert "share of bytes" in table_text(found)
    json.dumps(found, allow_nan=False)


def test_the_programme_is_solved_as_if_written_out(tmp_path: Path) -> None:
    """Against every constraint at once, on a text small enough for that."""
    from scipy.optimize import linprog

    words = [[0, 1, 2], [1, 2, 0], [2, 0, 1, 0], [0, 0, 1], [2, 2, 1], [1, 0, 2, 2]]
    merges = [Merge(0, 1, 3), Merge(2, 2, 4), Merge(1, 2, 5), Merge(3, 2, 6), Merge(2, 0, 7)]
    random = np.random.default_rng(3)
    for trial in range(20):
        weights = random.integers(1, 60, (len(words), 3)).astype(float)
        history = replay(words, merges)
        counts = history.counts(weights)
        found = solve(history, counts)
        rows, steps, pairs = [], history.steps, int(history.pair.max()) + 1
        for stretch in range(len(history.pair)):
            for step in range(history.begin[stretch], history.end[stretch]):
                at = history.merged[step]
                if at < 0:
                    continue
                slack = np.zeros(steps + pairs)
                slack[[step, steps + history.pair[stretch]]] = -1
                rows.append(np.concatenate([counts[stretch] - counts[at], slack]))
        whole = linprog(
            np.concatenate([np.zeros(3), np.ones(steps + pairs)]),
            A_ub=np.array(rows),
            b_ub=np.zeros(len(rows)),
            A_eq=np.concatenate([np.ones(3), np.zeros(steps + pairs)])[None],
            b_eq=[1.0],
        )
        assert found.slack == pytest.approx(whole.fun, rel=1e-3, abs=1e-9)
        assert found.gap <= 1e-3
        apart = replace(found, shares=np.array([1.0, 0.0, 0.0]))
        for near, begin_with in ((apart, None), (apart, found.chosen))[: 2 * (trial < 4)]:
            again = solve(history, counts, near=near, begin_with=begin_with)
            assert again.slack == pytest.approx(whole.fun, rel=1e-3, abs=1e-9)


def test_a_search_that_is_bounded_says_so(
    segments: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shares: dict[str, float] = dict(zip(LANGUAGES, (0.1, 0.2, 0.3, 0.4), strict=True))
    train, rest, _ = planted(segments, shares, 7000, ALL)
    tokenizer = trained_on(train, 256 + 50, tmp_path / "bpe")
    words = count_words(tokenizer, [rest], ALL)
    told: list[str] = []
    found = infer_mixture(tokenizer, words, merges=50, progress=lambda doing, _: told.append(doing))
    assert not found["bounded"] and found["gap"] <= program.GAP
    assert any("published programme: choosing constraints, round 2" in doing for doing in told)
    monkeypatch.setattr(program, "MOST_CHOSEN", 60)
    bounded = infer_mixture(tokenizer, words, merges=50)
    assert bounded["constraints"] == 60 and bounded["bounded"] and bounded["gap"] > program.GAP
    assert bounded["slack"] < found["slack"] <= bounded["slack"] * (1 + bounded["gap"])
    assert any("the search ended at 60 constraints" in remark for remark in bounded.remarks())


def test_a_list_made_from_ranks_has_one_merge_a_token() -> None:
    """Such a list has every pair that makes a token, side by side; a trainer's has the one."""
    ranked = byte_level([(b"a", b"b"), (b"b", b"c"), (b"a", b"bc"), (b"ab", b"c"), (b"abc", b"d")])
    rules = merge_rules(ranked)
    assert rules is not None
    parts = [(rules.texts[m.left], rules.texts[m.right]) for m in rules.first(10)]
    assert parts == [(b"a", b"b"), (b"b", b"c"), (b"ab", b"c"), (b"abc", b"d")]
    assert rules.first(3) == rules.first(10)[:3]
    learned = byte_level([(b"b", b"c"), (b"a", b"bc"), (b"a", b"b"), (b"ab", b"c")])
    assert [m.result for m in merge_rules(learned).first(9)] == [256, 257, 258, 257]  # type: ignore[union-attr]


def test_pieces_are_those_of_the_tokenizer() -> None:
    """HF and tiktoken split alike where they have one pattern, and lay no byte aside."""
    text = "Hello world, it's 1234!\n\n  naïve 你好 नमस्ते"
    one = splitter(byte_level([(b"a", b"b")], pattern=GPT4))(text)
    assert b"".join(one) == text.encode() and one[:3] == [b"Hello", b" world", b","]
    tekken = splitter(load_tokenizer("mistral:tekken"))(text)
    assert b"".join(tekken) == text.encode() and b"1" in tekken


def test_words_are_counted_by_language_and_block() -> None:
    tokenizer = byte_level([(b"a", b"b")], pattern=GPT4)
    documents = [Document("ab ab", "aaa")] * (BLOCKS + 1) + [Document("cd", "bbb")]
    words = count_words(tokenizer, [DocumentCorpus("t", documents)], ALL)
    assert words.languages == ["aaa", "bbb"] and words.bytes.sum(1).tolist() == [5 * 65, 2]
    one = words.weights(np.ones((2, BLOCKS)))
    assert one[words.pieces.index(b" ab")].tolist() == [pytest.approx(1e6 / 5), 0]
    first = np.zeros((2, BLOCKS))
    first[:, 0] = 1
    assert words.weights(first)[words.pieces.index(b"cd")].tolist() == [0, 1e6 / 2]
    assert count_words(tokenizer, [DocumentCorpus("t", documents)], 10).bytes.sum() == 12


def test_what_has_no_order_of_merges_is_refused() -> None:
    texts = [Document("some text", "eng_Latn"), Document("ein Text", "deu_Latn")]
    corpus = DocumentCorpus("two", texts)
    for spec in ("byte", "character", "mistral:v1"):
        with pytest.raises(InputError, match="byte-level BPE"):
            count_words(load_tokenizer(spec), [corpus], ALL)
    tekken = load_tokenizer("mistral:tekken")
    for documents in (texts[:1], [Document("no language"), *texts]):
        words = count_words(tekken, [DocumentCorpus("few", documents)], ALL)
        with pytest.raises(InputError, match="two languages or more"):
            infer_mixture(tekken, words, merges=10)
    foreign = byte_level([(b"q", b"q")], pattern=GPT4)
    with pytest.raises(InputError, match="none of its merges"):
        infer_mixture(foreign, count_words(foreign, [corpus], ALL), merges=10)


def test_an_empty_history_has_no_stretches() -> None:
    history: PairHistory = replay([[]], [])
    assert history.steps == 0 and len(history.pair) == 0


def test_the_command(tmp_path: Path) -> None:
    line = "tokenizers mixture mistral:tekken embedded:eng_Latn"
    found = answer(f"{line},rus_Cyrl --merges 40 --out {tmp_path}")
    assert {row["language"] for row in found["languages"]} == {"eng_Latn", "rus_Cyrl"}
    assert json.loads(next(tmp_path.iterdir()).read_text("utf-8")) == found
    assert "two languages or more" in mistake(line)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shares",
    [
        {"eng": 0.4, "fra": 0.3, "rus": 0.2, "vie": 0.1},
        {"eng": 0.15, "hin": 0.25, "rus": 0.25, "arb": 0.35},
        {"eng": 0.1, "fra": 0.55, "rus": 0.05, "vie": 0.3},
    ],
    ids=lambda shares: "-".join(shares),
)
def test_planted_mixtures_of_real_text(
    shares: dict[str, float], shared: Path, tmp_path: Path
) -> None:
    """6 MB of novels and encyclopedias trained on; 2 MB of other documents of each language. On
    the paper's scale, log10 of the mean squared error, -5 or better."""
    folder = shared / "data" / "train"
    documents = {language: novels(folder, language) for language in shares}
    train, rest, exact = planted(documents, shares, 6_000_000, 2_000_000)
    tokenizer = trained_on(train, 256 + 1000, tmp_path / "bpe")
    found = infer_mixture(tokenizer, count_words(tokenizer, [rest], ALL), merges=1000)
    ours, published = (error(found, exact, of) for of in ("share", "share_published"))
    sys.stdout.write(f"\n{exact}\n{found['languages']}\n{ours:.2f}, published {published:.2f}\n")
    assert ours <= -5
    assert published < -4.5
