"""A vocabulary curve is what encoding with truncated merges counts, at every size, to the token."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from tests.tokenize_lab.test_merges import ALPHABET, TEKKEN, bpe_file
from tests.tokenize_lab.texts import HARD, SAMPLES, SPECIAL_LOOKING
from tokenize_lab.load import load_tokenizer
from tokenize_lab.measure import measure
from tokenize_lab.merges.truncate import truncated
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.vocab_curve import curve as curve_module
from tokenize_lab.vocab_curve.curve import TokenCurve, token_curve
from tokenize_lab.vocab_curve.job import (
    Curve,
    CurveSettings,
    load_curves,
    save_curves,
    vocabulary_curves,
)
from tokenize_lab.vocab_curve.rows import log_grid

LANGUAGES = ("eng_Latn", "tha_Thai", "hin_Deva")
FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def lines_of(language: str) -> list[str]:
    return (SAMPLES / f"{language}.txt").read_text("utf-8").split("\n")


def encoded(tokenizer: Tokenizer, texts: Sequence[str], size: int) -> int:
    """Return the tokens of texts under the tokenizer cut to a size, by encoding them."""
    return int(truncated(tokenizer, size).encode_batch(texts).lengths.sum())


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
@settings(max_examples=60)
def test_any_text(texts: list[str], trained: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(trained["bpe"]))
    curve = token_curve(tokenizer, texts)
    for size in (256, 700, 2000):
        assert curve.at(size) == encoded(tokenizer, texts, size)


@pytest.mark.parametrize("ignore_merges", [False, True])
def test_ranks_that_fall(tmp_path: Path, ignore_merges: bool) -> None:
    """Several pairs for one token: `bc` waits for nothing, `a` + `bc` is an early merge done late,
    and counts from the size at which `bc` is there."""
    merges = [["a", "b"], ["a", "bc"], ["ab", "c"], ["b", "c"], ["c", "d"], ["abc", "d"]]
    spec = bpe_file(tmp_path, merges, {"ignore_merges": ignore_merges})
    tokenizer = load_tokenizer(spec)
    texts = ["abcd", "abc", "bc", "bcd", "abcabc", "dcba", "aabbccdd", "x abcd abc", "cdcd"]
    curve = token_curve(tokenizer, texts)
    for size in range(256, tokenizer.vocabulary_size + 1):
        assert curve.at(size) == encoded(tokenizer, texts, size), size


def _edited(source: Path, folder: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    content = json.loads((source / "tokenizer.json").read_text("utf-8"))
    edit(content)
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    return str(folder)


def _added(content: dict[str, Any]) -> None:
    content["added_tokens"] = [
        {"id": 2000, "content": "<|end|>", "special": True, **FLAGS},
        {"id": 2001, "content": "the ", "special": False, **FLAGS},
        {"id": 2002, "content": "th", "special": False, **FLAGS, "normalized": True},
        {"id": content["model"]["vocab"]["in"], "content": "in", "special": False, **FLAGS},
    ]


def _ignoring(content: dict[str, Any]) -> None:
    content["model"]["ignore_merges"] = True


def _composed(content: dict[str, Any]) -> None:
    content["normalizer"] = {"type": "NFC"}


def _gpt2(content: dict[str, Any]) -> None:
    content["pre_tokenizer"] = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True,
    }  # fmt: skip


def _prefixed(content: dict[str, Any]) -> None:
    _gpt2(content)
    content["pre_tokenizer"]["add_prefix_space"] = True


def _digits_apart(content: dict[str, Any]) -> None:
    _gpt2(content)
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, content["pre_tokenizer"]],
    }


def _letters_only(content: dict[str, Any]) -> None:
    (split, _) = content["pre_tokenizer"]["pretokenizers"]
    split["pattern"] = {"Regex": r"\p{L}+"}


def _atomic(content: dict[str, Any]) -> None:
    (split, _) = content["pre_tokenizer"]["pretokenizers"]
    split["pattern"] = {"Regex": r"(?~,),"}  # Oniguruma's own: up to a comma


@pytest.mark.parametrize(
    "edit",
    [_added, _ignoring, _composed, _gpt2, _prefixed, _digits_apart, _letters_only, _atomic],
    ids=lambda edit: edit.__name__.strip("_"),
)
def test_tokenizers_of_every_make(
    edit: Callable[[dict[str, Any]], None], trained: dict[str, Path], tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(_edited(trained["bpe"], tmp_path / "own", edit))
    texts = [*lines_of("eng_Latn")[:12], *lines_of("tha_Thai")[:4], *HARD, *SPECIAL_LOOKING]
    assert_followed(tokenizer, [*texts, "the thin then<|end|>the end, in the inn"], sizes=5)


def sentencepiece_like(folder: Path, lines: list[str], more: dict[str, Any]) -> str:
    """Write a BPE as Llama 2's: no splitter, spaces as marks, other characters as bytes."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(lines, trainer)
    content = json.loads(tokenizer.to_str())
    content |= {"pre_tokenizer": None, "added_tokens": [], "decoder": None}
    content["model"] |= more
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


@pytest.mark.parametrize(
    "more", [{}, {"byte_fallback": False}, {"byte_fallback": False, "fuse_unk": False}]
)
def test_bytes_and_unknown_characters(more: dict[str, Any], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_like(tmp_path, lines_of("eng_Latn"), more))
    texts = [*lines_of("eng_Latn")[:10], *lines_of("tha_Thai")[:3], *HARD]
    assert_followed(tokenizer, texts, sizes=5)


def test_a_token_across_words_keeps_the_text_whole(tmp_path: Path) -> None:
    """Where a token holds a mark after a letter, a text is not cut at marks."""
    spec = sentencepiece_like(tmp_path, lines_of("eng_Latn"), {})
    content = json.loads(Path(spec).read_text("utf-8"))
    vocab = content["model"]["vocab"]
    for pair in (["e", "▁"], ["e▁", "a"], ["s", "▁"]):
        vocab["".join(pair)] = len(vocab)
        content["model"]["merges"].insert(0 if pair[1] == "▁" else 2, pair)
    Path(spec).write_text(json.dumps(content), "utf-8")
    tokenizer = load_tokenizer(spec)
    # The first merges of all are the new ones, though their ids are the last.
    curve = assert_followed(tokenizer, lines_of("eng_Latn")[:10], sizes=6)
    assert curve.pieces == 10


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
def curves(trained: dict[str, Path]) -> list[Curve]:
    tokenizer = load_tokenizer(str(trained["bpe"]))
    return vocabulary_curves(corpus_of(*LANGUAGES), [tokenizer], CurveSettings(at=(1000,)))


def test_rows_are_those_of_measuring_the_cut_tokenizer(
    curves: list[Curve], trained: dict[str, Path]
) -> None:
    from tokenize_lab.batch_work import Workbench
    from tokenize_lab.rows import RowSettings, measure_rows
    from tokenize_lab.text_counts import TextSettings

    cut = load_tokenizer(f"truncated:1000:{trained['bpe']}")
    measured = measure([corpus_of(*LANGUAGES)], Workbench([cut], TextSettings(), None))
    wanted = measure_rows(measured.counts, RowSettings({cut.name: 1000}, "whitespace"))
    assert [curve.place["language"] for curve in curves] == list(LANGUAGES)
    for curve, row in zip(curves, wanted, strict=True):
        (own,) = curve.rows(CurveSettings(), [1000])
        for name in ("tokens", "bytes", "documents", "bytes_per_token", "language"):
            assert own[name] == row[name]
        assert own["intervals"]["bytes_per_token"] == pytest.approx(
            row["intervals"]["bytes_per_token"], rel=1e-12
        )


def test_what_more_ids_gain(curves: list[Curve]) -> None:
    rows = list(curves[0].rows(CurveSettings()))
    assert rows[0]["marginal_bytes_per_token"] is None
    for before, row in zip(rows, rows[1:], strict=False):
        step = row["vocabulary_size"] - before["vocabulary_size"]
        gain = row["bytes_per_token"] - before["bytes_per_token"]
        assert row["marginal_bytes_per_token"] * step == pytest.approx(gain)
        low, high = row["intervals"]["marginal_bytes_per_token"]
        assert low <= row["marginal_bytes_per_token"] <= high
        # Sizes are paired: a gain is known better than the two rates it is the difference of.
        own_low, own_high = row["intervals"]["bytes_per_token"]
        assert (high - low) * step < own_high - own_low
    assert rows[-1]["bytes_per_token"] < rows[-1]["bytes_per_pretoken"]


def test_every_size_and_none_without_intervals(curves: list[Curve]) -> None:
    every = list(curves[1].rows(CurveSettings(), curves[1].every_size))
    assert [row["vocabulary_size"] for row in every] == list(range(256, 2001))
    known = {row["vocabulary_size"] for row in every if row["intervals"]["bytes_per_token"]}
    assert known == set(curves[1].sizes)
    bare = list(curves[1].rows(CurveSettings(replicates=0)))
    assert all(set(row["intervals"].values()) == {None} for row in bare)


def test_one_document_has_no_interval(trained: dict[str, Path]) -> None:
    corpus = DocumentCorpus("one", [Document("a single text")])
    (curve,) = vocabulary_curves(corpus, [load_tokenizer(str(trained["bpe"]))], CurveSettings())
    row = next(curve.rows(CurveSettings()))
    assert row["bytes_per_token"] == 1
    assert row["intervals"]["bytes_per_token"] is None


def test_no_text_has_no_rate(trained: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(trained["bpe"]))
    assert vocabulary_curves(DocumentCorpus("none", []), [tokenizer], CurveSettings()) == []
    empty = DocumentCorpus("empty", [Document(""), Document("")])
    (curve,) = vocabulary_curves(empty, [tokenizer], CurveSettings())
    row = next(curve.rows(CurveSettings()))
    assert row["bytes_per_token"] is row["bytes_per_pretoken"] is None
    assert row["intervals"]["bytes_per_token"] is None


def test_a_file_is_read_back_and_a_damaged_one_is_refused(
    curves: list[Curve], trained: dict[str, Path], tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(str(trained["bpe"]))
    path = save_curves(tmp_path, curves, [tokenizer], CurveSettings(), ["tokenize-lab"])
    again = path.read_bytes()
    assert path == save_curves(tmp_path, curves, [tokenizer], CurveSettings(), ["tokenize-lab"])
    assert path.read_bytes() == again
    content = load_curves(tmp_path)
    assert [curve["language"] for curve in content["curves"]] == list(LANGUAGES)
    assert content["curves"][0]["rows"][-1]["tokens"] == curves[0].counts.at(2000)
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
        (f"masked:.5:{trained['bpe']}", "has no list of merges"),
        (bpe_file(tmp_path, [["ab", "c"], ["a", "b"]]), "a merge list that is not closed"),
    ):
        with pytest.raises(InputError, match=said):
            vocabulary_curves(text, [load_tokenizer(spec)], CurveSettings())
    bpe = load_tokenizer(str(trained["bpe"]))
    for size, said in ((255, "below the alphabet: 256"), (2001, "only 2000 ids")):
        with pytest.raises(InputError, match=f"--at {size}: bpe: .*{said}"):
            vocabulary_curves(text, [bpe], CurveSettings(at=(size,)))


def test_an_added_token_that_changes_its_surroundings(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    def strip(content: dict[str, Any]) -> None:
        content["added_tokens"] = [
            {"id": 2000, "content": "<x>", "special": False, **FLAGS, "lstrip": True}
        ]

    tokenizer = load_tokenizer(_edited(trained["bpe"], tmp_path / "own", strip))
    with pytest.raises(InputError, match=r"added token '<x>' \(lstrip\)"):
        token_curve(tokenizer, ["a <x> b"])


def test_a_hole_in_the_alphabet(tmp_path: Path) -> None:
    """A byte that has no symbol is dropped by the library, and so it is here."""
    path = Path(bpe_file(tmp_path, [["a", "b"]]))
    content = json.loads(path.read_text())
    letter = next(character for character, byte in ALPHABET.items() if byte == ord("z"))
    content["model"]["vocab"] = {
        piece: place
        for place, piece in enumerate(p for p in content["model"]["vocab"] if p != letter)
    }
    path.write_text(json.dumps(content))
    tokenizer = load_tokenizer(str(path))
    curve = token_curve(tokenizer, ["zab zz"])
    assert [curve.at(255), curve.at(256)] == [3, 2]
