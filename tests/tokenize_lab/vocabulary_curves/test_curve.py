"""A vocabulary curve is what encoding with truncated merges counts, at every size, to the token."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.bootstrap import DocumentBootstrap
from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from tests.tokenize_lab.merges.test_truncate import TEKKEN, bpe_file
from tests.tokenize_lab.texts import HARD, SAMPLES, SPECIAL_LOOKING
from tokenize_lab.measurement import measure
from tokenize_lab.merges.derived import truncated
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.vocabulary_curves import curve as curve_module
from tokenize_lab.vocabulary_curves.curve import TokenCurve, token_curve
from tokenize_lab.vocabulary_curves.job import VocabCurves, log_grid, vocab_curve
from tokenize_lab.vocabulary_curves.read import load_curves

LANGUAGES = ("eng_Latn", "tha_Thai", "hin_Deva")


def lines_of(language: str) -> list[str]:
    return (SAMPLES / f"{language}.txt").read_text("utf-8").split("\n")


CUTS: dict[tuple[str, int], Tokenizer] = {}


def encoded(tokenizer: Tokenizer, texts: Sequence[str], size: int) -> int:
    """Return the tokens of texts under the tokenizer cut to a size, by encoding them."""
    key = tokenizer.sha256, size
    if key not in CUTS:
        CUTS[key] = truncated(tokenizer, size)
    return int(CUTS[key].encode_batch(texts).lengths.sum())


def assert_followed(tokenizer: Tokenizer, texts: Sequence[str], sizes: int = 12) -> TokenCurve:
    """Check the curve against encoding at sizes from the least to the greatest."""
    curve = token_curve(tokenizer, texts)
    last = tokenizer.vocabulary_size
    assert curve.first_size + len(curve.tokens) - 1 == last
    chosen = np.unique(np.geomspace(curve.first_size, last, sizes).round().astype(int)).tolist()
    assert [curve.at(v) for v in chosen] == [encoded(tokenizer, texts, v) for v in chosen]
    assert curve.bytes == sum(len(text.encode()) for text in texts)
    assert curve.tokens[-1] == len(tokenizer.encode_batch(texts).ids)
    return curve


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("spec", ["bpe", "bpe-unsplit", "tiktoken", TEKKEN])
def test_twelve_sizes_are_those_of_encoding(
    spec: str, language: str, trained: dict[str, Path], tiktoken_file: Path
) -> None:
    tokenizer = load_tokenizer(str({**trained, "tiktoken": tiktoken_file}.get(spec, spec)))
    curve = assert_followed(tokenizer, [*lines_of(language), *HARD, *SPECIAL_LOOKING])
    assert (np.diff(curve.tokens) <= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["bpe", "mistral:tekken"])
def test_every_language_of_the_parallel_text(
    spec: str, trained: dict[str, Path], shared: Path
) -> None:
    tokenizer = load_tokenizer(str(trained.get(spec, spec)))
    for path in sorted((shared / "data" / "parallel").glob("???_????.txt")):
        assert_followed(tokenizer, path.read_text("utf-8").split("\n")[::20], sizes=4)


@given(texts=st.lists(st.text(max_size=40), max_size=6))
@settings(max_examples=40)
def test_any_text(texts: list[str], trained: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(trained["bpe"]))
    curve = token_curve(tokenizer, texts)
    sizes = (256, 700, 2000)
    assert [curve.at(v) for v in sizes] == [encoded(tokenizer, texts, v) for v in sizes]


def test_chunks_change_nothing(trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer(str(trained["bpe"]))
    texts = [line for language in LANGUAGES for line in lines_of(language)]
    whole = token_curve(tokenizer, texts)
    monkeypatch.setattr(curve_module, "CHUNK_BYTES", 1000)
    parts = token_curve(tokenizer, texts)
    np.testing.assert_array_equal(parts.tokens, whole.tokens)
    assert (parts.pieces, parts.bytes) == (whole.pieces, whole.bytes)


def corpus_of(*languages: str) -> DocumentCorpus:
    documents = [
        Document(line, language, alignment=number)
        for language in languages
        for number, line in enumerate(lines_of(language))
        if line
    ]
    return DocumentCorpus("samples", documents, parallel=True)


@pytest.fixture(scope="module")
def curves(trained: dict[str, Path]) -> VocabCurves:
    return vocab_curve(corpus_of(*LANGUAGES), [str(trained["bpe"])], at=(1000,))


def test_rows_are_those_of_measuring_the_cut_tokenizer(
    curves: VocabCurves, trained: dict[str, Path]
) -> None:
    measured = measure([corpus_of(*LANGUAGES)], [f"truncated:1000:{trained['bpe']}"])
    assert [curve.place["language"] for curve in curves.curves] == list(LANGUAGES)
    for curve, row in zip(curves.curves, measured.rows(), strict=True):
        (own,) = curve.rows([1000])
        for name in ("tokens", "bytes", "documents", "bytes_per_token", "language"):
            assert own[name] == row[name]
        assert own["intervals"]["bytes_per_token"] == pytest.approx(
            row["intervals"]["bytes_per_token"], rel=1e-12
        )


def test_what_more_ids_gain(curves: VocabCurves) -> None:
    rows = list(curves.curves[0].rows())
    assert rows[0]["marginal_bytes_per_token"] is None
    for before, row in pairwise(rows):
        step = row["vocabulary_size"] - before["vocabulary_size"]
        gain = row["bytes_per_token"] - before["bytes_per_token"]
        assert row["marginal_bytes_per_token"] * step == pytest.approx(gain)
        low, high = row["intervals"]["marginal_bytes_per_token"]
        assert low <= row["marginal_bytes_per_token"] <= high
        # Sizes are paired: a gain is known better than the two rates it is the difference of.
        ends = [r["intervals"]["bytes_per_token"] for r in (before, row)]
        width_before, width = (end[1] - end[0] for end in ends)
        if width_before:
            assert (high - low) * step < width
        else:  # of bytes alone
            assert (high - low) * step == pytest.approx(width)
    assert rows[-1]["bytes_per_token"] < rows[-1]["bytes_per_pretoken"]


def test_every_size_and_none_without_intervals(curves: VocabCurves) -> None:
    curve = curves.curves[1]
    every = list(curve.rows(curve.every_size))
    assert [row["vocabulary_size"] for row in every] == list(range(256, 2001))
    known = {row["vocabulary_size"] for row in every if row["intervals"]["bytes_per_token"]}
    assert known == set(curve.sizes)
    bare = list(replace(curve, bootstrap=DocumentBootstrap(0)).rows())
    assert all(set(row["intervals"].values()) == {None} for row in bare)


def test_one_document_has_no_interval(trained: dict[str, Path]) -> None:
    corpus = DocumentCorpus("one", [Document("a single text")])
    (curve,) = vocab_curve(corpus, [str(trained["bpe"])]).curves
    row = next(curve.rows())
    assert row["bytes_per_token"] == 1
    assert row["intervals"]["bytes_per_token"] is None


def test_no_text_has_no_rate(trained: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(trained["bpe"]))
    assert vocab_curve(DocumentCorpus("none", []), [tokenizer]).curves == []
    empty = DocumentCorpus("empty", [Document(""), Document("")])
    (curve,) = vocab_curve(empty, [tokenizer]).curves
    row = next(curve.rows())
    assert row["bytes_per_token"] is row["bytes_per_pretoken"] is None
    assert row["intervals"]["bytes_per_token"] is None


def test_a_file_is_read_back_and_a_damaged_one_is_refused(
    curves: VocabCurves, tmp_path: Path
) -> None:
    assert repr(curves) == "<vocabulary curves: samples with bpe>"
    frame = curves.frame()
    assert frame["vocabulary_size"].to_list() == [1000] * len(LANGUAGES)
    assert {"bytes_per_token_low", "marginal_bytes_per_token_high"} < set(frame.columns)
    path = curves.save(tmp_path)
    again = path.read_bytes()
    assert path == curves.save(tmp_path)
    assert path.read_bytes() == again
    content = load_curves(tmp_path)
    assert [curve["language"] for curve in content["curves"]] == list(LANGUAGES)
    assert content["curves"][0]["rows"][-1]["tokens"] == curves.curves[0].counts.at(2000)
    path.write_text('{"curves": [{"rows": [{}]}]}')
    with pytest.raises(InputError, match=r"vocab_curve.json: is damaged"):
        load_curves(tmp_path)
    with pytest.raises(InputError, match="make it with: tokenize-lab vocab-curve"):
        load_curves(tmp_path / "nowhere")


def test_the_grid() -> None:
    assert log_grid(256, 300) == [256, 300]
    grid = log_grid(300, 131072)
    assert grid[0] == 300 and grid[-1] == 131072 and 4096 in grid
    assert grid == sorted(set(grid))
    ratios = np.diff(np.log2(grid))
    assert ratios.max() < 0.26


def test_what_has_no_curve(trained: dict[str, Path], tmp_path: Path) -> None:
    text = DocumentCorpus("text", [Document("a text")])
    for spec, said in (
        ("byte", "byte: has no list of merges"),
        (str(trained["unigram-hf"]), "is Unigram, which has no merges"),
        (f"masked:.5:{trained['bpe']}", "is masked already"),
        (bpe_file(tmp_path, [["ab", "c"], ["a", "b"]]), "a merge list that is not closed"),
    ):
        with pytest.raises(InputError, match=said):
            vocab_curve(text, [spec])
    bpe = load_tokenizer(str(trained["bpe"]))
    for size, said in ((255, "below the alphabet: 256"), (2001, "only 2000 ids")):
        with pytest.raises(InputError, match=f"`at={size}`: bpe: .*{said}"):
            vocab_curve(text, [bpe], at=[size])
