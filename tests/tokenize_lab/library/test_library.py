"""`import tokenize_lab as tl`: text and tokenizers that a program holds in, results that show
themselves out, and the same numbers as the command's."""

import json
import subprocess
import sys
from pathlib import Path

import pandas
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.corpus import corpus_of
from scaling.published import tables
from tests.conftest import ROOT
from tokenize_lab.library.measuring import Text

ENGLISH = ["The river was high.", "Nobody slept.", "In the morning they counted the boats."]
GERMAN = ["Der Fluss stand hoch.", "Niemand schlief.", "Am Morgen zählten sie die Boote."]


def test_every_public_name_is_there_and_no_module_takes_its_place() -> None:
    """A module of such a name would stand in its place as soon as anything imported it."""
    for name in tl.__all__:
        assert callable(getattr(tl, name)), name
        assert not (ROOT / "tokenize_lab" / f"{name}.py").exists()
        assert not (ROOT / "tokenize_lab" / name).exists()
    assert set(tl.__all__) <= set(dir(tl)) and len(tl.__all__) <= 13
    with pytest.raises(AttributeError, match="no attribute 'measures'"):
        tl.measures  # noqa: B018  # the look-up is what is tested
    assert tl.__version__[0].isdigit()


def test_strings_are_measured_in_a_line() -> None:
    m = tl.measure(ENGLISH, ["byte", "mistral:v3", "mistral:tekken"])
    frame = m.frame()
    assert frame["tokenizer"].to_list() == ["byte", "mistral:v3", "mistral:tekken"]
    assert frame["bytes"].to_list() == [sum(len(text.encode()) for text in ENGLISH)] * 3
    assert frame["bytes_per_token"][0] == 1
    low, rate, high = frame.select(
        "bytes_per_token_low", "bytes_per_token", "bytes_per_token_high"
    ).row(1)
    assert low <= rate <= high
    assert repr(m) == "<measured: text with byte, mistral:v3, mistral:tekken>"


def test_a_library_measures_what_the_command_measures(tmp_path: Path) -> None:
    m = tl.measure("embedded:eng_Latn,hin_Deva", "mistral:v3")
    words = "measure embedded:eng_Latn,hin_Deva -t mistral:v3 --no-cache --json --out"
    done = subprocess.run(
        [sys.executable, "-m", "tokenize_lab", *words.split(), str(tmp_path)],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert json.loads(json.dumps(list(m.rows()))) == told
    assert m.frame()["premium"].to_list() == [row["premium"] for row in told]


@pytest.mark.parametrize("parallel", [None, False])
def test_languages_of_as_many_texts_are_translations(parallel: bool | None) -> None:
    m = tl.measure({"eng_Latn": ENGLISH, "deu_Latn": GERMAN}, "mistral:v3", parallel=parallel)
    german = m.frame().filter(pl.col("language") == "deu_Latn").row(0, named=True)
    tokens = dict(m.frame().select("language", "tokens").rows())
    if parallel is None:
        assert german["premium"] == tokens["deu_Latn"] / tokens["eng_Latn"]
    else:
        assert german["premium"] is None


def test_paths_and_corpora_are_text_too(tmp_path: Path) -> None:
    path = tmp_path / "eng_Latn.txt"
    path.write_text("\n".join(ENGLISH) + "\n", "utf-8")
    size = sum(len(text.encode()) for text in ENGLISH)
    corpus = corpus_of(ENGLISH, name="mine")
    for text in (path, str(path), corpus, (line for line in ENGLISH), pl.Series(ENGLISH)):
        assert tl.measure(text).frame()["bytes"].to_list() == [size]
    both = tl.measure([path, corpus], replicates=0).frame()
    assert both["corpus"].to_list() == ["eng_Latn.txt", "mine"]
    assert tl.measure(ENGLISH, language="eng_Latn").frame()["language"][0] == "eng_Latn"


@pytest.mark.parametrize(
    ("text", "tokenizers", "said"),
    [
        ("no such text", "byte", r"text itself is given in a list: \[text\]"),
        ({"eng_Latn": "one string"}, "byte", "single string"),
        (3, "byte", "give a list of strings"),
        ([], "byte", "no text"),
        (ENGLISH, [], "at least one"),
        (ENGLISH, "mistral:v33", "mistral:v3"),
        (ENGLISH, object(), "not a tokenizer"),
    ],
)
def test_bad_input_is_a_value_error_of_one_line(text: Text, tokenizers: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        tl.measure(text, tokenizers)
    assert "\n" not in str(error.value) and "--" not in str(error.value)


def test_results_show_themselves(tmp_path: Path) -> None:
    m = tl.measure("embedded:eng_Latn,hin_Deva", ["byte", "mistral:v3"])
    figure = m.figure("premium")
    assert figure.save(tmp_path / "premium.svg").read_text("utf-8") == figure.svg
    assert "<svg" in figure._repr_html_()
    page = m.report(tmp_path / "m.html").read_text("utf-8")
    assert "mistral:v3" in page and "hin_Deva" in page
    assert "<table" in m._repr_html_() and "<script" not in m._repr_html_()
    hostile = tl.measure({"<script>alert(1)</script>": ENGLISH}, replicates=0)
    assert "<script" not in hostile._repr_html_()
    with pytest.raises(ValueError, match="premium"):
        m.figure("premiun")


def test_a_vocabulary_is_trained_and_looked_at(tmp_path: Path) -> None:
    trained = tl.train("bpe", "embedded:eng_Latn,fra_Latn", vocab_size=600, out=tmp_path / "mine")
    assert tl.load(trained).vocabulary_size == 600
    curves = tl.vocab_curve("embedded:eng_Latn", trained, at=[300, 600])
    assert curves.frame()["vocabulary_size"].to_list() == [300, 600]
    measured = tl.measure("embedded:eng_Latn", trained).frame()
    assert curves.frame()["tokens"][1] == measured["tokens"][0]
    assert "<svg" in curves.figure().svg
    audit = tl.audit(trained, ENGLISH)
    assert audit["kind"] == "audit" and repr(audit) == "<audit of mine>"
    diff = tl.diff(trained, "mistral:v3", ENGLISH)
    assert diff.frame().height == 1
    mixture = tl.mixture(trained, "embedded:eng_Latn,fra_Latn", merges=200)
    assert abs(sum(mixture.frame()["share"]) - 1) < 1e-9
    for found in (curves, audit, diff, mixture):
        assert found.report(tmp_path / "found.html").stat().st_size > 1000
        assert "<table" in found._repr_html_()
    with pytest.raises(ValueError, match="one of `vocab_size` and `target_compression`"):
        tl.train("bpe", ENGLISH, out=tmp_path / "other")


def test_a_law_is_fitted_to_a_frame_and_tells_the_golden_optimum(tmp_path: Path) -> None:
    optima = tables.table(tables.OPTIMA)
    for runs in (optima, pandas.DataFrame(optima.to_dict(as_series=False)), tl.read_runs(optima)):
        fit = tl.fit(runs, "law2", draws=50)
        rate = fit.predict("compression_rate_opt", compute_flops=1e21)
        assert rate.low is not None and rate.high is not None
        assert rate.low < rate.value < rate.high
    assert "law2" in fit.summary()
    assert set(fit.frame()["coefficient"]) >= {"gamma", "T0"}
    assert "<svg" in fit.figure().svg
    assert fit.report(tmp_path / "fit.html").stat().st_size > 10_000


def test_advice_is_a_call() -> None:
    advice = tl.advise(compute_flops=1e21, language="hin_Deva", tokenizers=["mistral:tekken"])
    assert advice.tokenizers[0].name == "mistral:tekken"
    assert "T*" in str(advice) and advice.frame().height > 3
