"""Parity-aware BPE: whose turn it is, which pair is taken, and what comes of it for languages."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from tests.tokenize_lab.texts import bytes_per_text, embedded_lines
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.engines import byte_order, train_bpe
from tokenize_lab.training.parity_bpe import (
    AlignedWords,
    ParityLearner,
    train_parity_bpe,
)
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.text import TrainingText
from tokenize_lab.training.train import Card, train_tokenizer


def _aligned(**languages: list[str]) -> DocumentCorpus:
    documents = [
        Document(line, language, alignment=number)
        for language, lines in languages.items()
        for number, line in enumerate(lines)
    ]
    return DocumentCorpus("own", documents, parallel=True)


def _merges(content: bytes) -> list[str]:
    return ["".join(pair).replace("Ġ", " ") for pair in json.loads(content)["model"]["merges"]]


def test_merges_known_by_hand() -> None:
    """Eleven bytes stand against eight: `aaa` is served until it needs fewer than `bbb`, its pairs,
    all as frequent, in the order of their ids; `ab`, by far the most frequent, has to wait."""
    corpus = _aligned(bbb=["ab ab ab"], aaa=["pq rs tu vw"])
    text = TrainingText(corpus)
    parity = _merges(train_parity_bpe(text, TrainSettings("parity-bpe", 400)))
    assert parity == ["pq", "rs", "tu", "vw", "ab", " rs", " tu", " vw", " ab"]
    assert _merges(train_bpe(text, TrainSettings("bpe", 400)))[:2] == ["ab", " ab"]


def test_languages_that_are_the_same_are_plain_bpe() -> None:
    lines = list(embedded_lines())[:300]
    corpus, settings = _aligned(one=lines, two=lines), TrainSettings("parity-bpe", 900)
    plain = train_bpe(TrainingText(_aligned(one=lines)), TrainSettings("bpe", 900))
    assert json.loads(train_parity_bpe(TrainingText(corpus), settings)) == json.loads(plain)


def _by_definition(words: AlignedWords, size: int) -> list[tuple[int, int]]:
    """Everything counted afresh before every merge."""
    ids = {byte: token_id for token_id, byte in enumerate(byte_order())}
    tokens = [bytes([byte]) for byte in byte_order()]
    spelt = [[ids[byte] for byte in word] for word in words.words]
    merges = []
    while len(tokens) < size:
        costs = Counter(dict.fromkeys(range(len(words.languages)), 0))
        pairs: list[Counter[tuple[int, int]]] = [Counter() for _ in words.languages]
        for word, counts in zip(spelt, words.counts, strict=True):
            for language, times in counts:
                costs[language] += len(word) * times
                for pair in pairwise(word):
                    pairs[language][pair] += times
        worst = [i for i in sorted(costs, key=lambda i: (-costs[i], i)) if pairs[i]]
        if not worst:
            break
        best = min(pairs[worst[0]].items(), key=lambda entry: (-entry[1], entry[0]))[0]
        made = tokens[best[0]] + tokens[best[1]]
        if made not in tokens:
            tokens.append(made)
        merges.append(best)
        for word in spelt:
            place = 0
            while place + 1 < len(word):
                if (word[place], word[place + 1]) == best:
                    word[place : place + 2] = [tokens.index(made)]
                place += 1
    return merges


@given(
    st.lists(
        st.tuples(
            st.text("ab", min_size=1, max_size=9),
            st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda word: word[0],
    ),
    st.integers(257, 280),
)
def test_counts_kept_up_to_date_are_the_counts(
    found: list[tuple[str, list[tuple[int, int]]]], size: int
) -> None:
    words = AlignedWords(
        ["x", "y", "z"],
        1,
        [word.encode() for word, _ in found],
        [sorted(dict(counts).items()) for _, counts in found],
    )
    assert list(ParityLearner(words).merges(size)) == _by_definition(words, size)


def _card(corpus: str, size: int, out: Path) -> Card:
    card = train_tokenizer(open_corpus(corpus), TrainSettings("parity-bpe", size), out).card
    assert card.parity is not None
    return card


def test_real_languages_come_closer_together(tmp_path: Path) -> None:
    card = _card("embedded", 1500, tmp_path)
    parity = card.parity
    assert parity is not None
    assert parity.gini() < 0.25 * parity.gini(plain=True)
    assert 1 < parity.spread() < 1.1 < 1.5 < parity.spread(plain=True)
    english = parity.languages["eng_Latn"]
    assert english.rate < english.plain_rate  # what it costs
    assert sum(cost.tokens for cost in parity.languages.values()) == card.tokens
    assert sum(cost.bytes for cost in parity.languages.values()) == card.text.bytes
    written = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert written["parity"]["gini"] == parity.gini()
    assert written["parity"]["languages"]["eng_Latn"]["bytes_per_token"] == english.rate
    tokenizer = load_tokenizer(str(tmp_path))
    lines = list(embedded_lines())[::7]
    assert bytes_per_text(tokenizer, lines) == [line.encode() for line in lines]
    first = (tmp_path / "tokenizer.json").read_bytes()
    assert _card("embedded", 1500, tmp_path / "again").sha256 == card.sha256
    assert (tmp_path / "again" / "tokenizer.json").read_bytes() == first


def test_plain_tokens_are_those_of_plain_bpe(tmp_path: Path) -> None:
    corpus = open_corpus("embedded")
    card = _card("embedded", 600, tmp_path / "parity")
    plain = train_tokenizer(corpus, TrainSettings("bpe", 600), tmp_path / "plain").card
    assert card.parity is not None
    assert sum(cost.plain_tokens for cost in card.parity.languages.values()) == plain.tokens


def test_other_peoples_translations_too(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    for language in ("eng_Latn", "rus_Cyrl", "hin_Deva", "mya_Mymr"):
        lines = (shared / "data" / "parallel" / f"{language}.txt").read_text("utf-8").split("\n")
        (folder / f"{language}.txt").write_text("\n".join(lines[:200]) + "\n", "utf-8")
    parity = _card(str(folder), 1200, tmp_path / "out").parity
    assert parity is not None
    assert parity.gini() < 0.2 * parity.gini(plain=True)
    assert parity.spread() < 1.1


def test_text_that_is_not_aligned_is_refused(tmp_path: Path) -> None:
    settings = TrainSettings("parity-bpe", 300)
    loose = DocumentCorpus("own", [Document("a b c")])
    for corpus, says in (
        (loose, "own: not an aligned corpus"),
        (_aligned(eng=["a b"]), "own: only eng; parity takes two languages"),
        (_aligned(eng=["a", "b", "c"], hin=["x", "y"]), "hin and eng do not have .* .line 2."),
    ):
        with pytest.raises(InputError, match=says):
            train_tokenizer(corpus, settings, tmp_path)
    assert not list(tmp_path.iterdir())
