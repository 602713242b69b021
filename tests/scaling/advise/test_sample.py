"""What is measured on a corpus for an answer: parity, tokenizers, the vocabulary curve."""

from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.advise.advise import advise
from scaling.advise.sample import embedded_parity, measure_sample, sample_of, vocabulary_curve
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits.joint import fit_joint
from scaling.published import tables
from scaling.published.tables import COT_LAW2_SUBWORD
from tokenize_lab.tokenizer_spec import load_tokenizer


def test_tokenizers_may_be_specs_loaded_or_measured_elsewhere() -> None:
    corpus = open_corpus("embedded:hin_Deva,eng_Latn")
    asked = [
        "mistral:v3",
        ("mine", 4.1, 128_000),
        load_tokenizer("byte"),
    ]
    answer = advise(1e21, "hin_Deva", tokenizers=asked, corpus=corpus)
    assert [one.name for one in answer.tokenizers] == ["mistral:v3", "mine", "byte"]
    assert [one.bytes_per_token for one in answer.tokenizers[1:]] == [4.1, 1]
    assert answer.tokenizers[0].bytes_per_token == pytest.approx(2.41, abs=0.01)
    texts = ["नमस्ते", "दुनिया"]
    (held,) = advise(1e21, "hin_Deva", tokenizers=["character"], corpus=texts).tokenizers
    assert held.bytes_per_token == 3
    with pytest.raises(InputError, match="the embedded corpus has no xyz_Latn; give `corpus`"):
        advise(1e21, "xyz_Latn", tokenizers=["byte"], parity=2.0)
    with pytest.raises(InputError, match=r"`tokenizers`: .* give a name, bytes per token and"):
        advise(1e21, tokenizers=[("mine", "many")])
    with pytest.raises(InputError, match="`laws`: a fit of law3"):
        advise(1e21, laws={"law3": COT_LAW2_SUBWORD})
    with pytest.raises(
        InputError, match="`laws`: a fit of joint; an answer rests on Laws I and II: give fits"
    ):
        advise(1e21, laws=[fit_joint(tables.isoflop_runs(), bootstrap=NO_BOOTSTRAP)])


def test_parity_comes_from_a_parallel_corpus_or_the_embedded_one(tmp_path: Path) -> None:
    (tmp_path / "eng_Latn.txt").write_text("ab\ncd\n")
    (tmp_path / "xyz_Latn.txt").write_text("abcd\nefgh\n")
    assert sample_of(str(tmp_path), "xyz_Latn").parity == 2
    assert embedded_parity("tha_Thai") == pytest.approx(2.4, abs=0.05)
    assert embedded_parity("xyz_Latn") is None
    assert embedded_parity("eng") == sample_of("embedded", "en").parity == 1
    with pytest.raises(InputError, match="holds no fra_Latn"):
        sample_of(str(tmp_path), "fra_Latn")


def test_the_vocabulary_curve_ends_at_the_whole_vocabulary() -> None:
    sample = sample_of("embedded", "eng_Latn")
    tokenizer = load_tokenizer("mistral:tekken")
    curve = vocabulary_curve(sample, tokenizer)
    assert curve is not None
    sizes, rates = zip(*curve, strict=True)
    assert list(sizes) == sorted(sizes)
    assert list(rates) == sorted(rates)
    (whole,), *_ = measure_sample("eng_Latn", None, [tokenizer], with_curve=False)
    assert rates[-1] == whole.bytes_per_token
    assert vocabulary_curve(sample, load_tokenizer("byte")) is None
