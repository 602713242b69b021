"""What a newcomer tries: a wrong value is one line that names the argument, and never a result."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas
import polars as pl
import pytest

import tokenize_lab as tl
from tests.conftest import ROOT

TEXT = ["The river was high.", "Nobody slept."]
BOTH = "embedded:eng_Latn,hin_Deva"


class Bytes:
    """The tokenizer of `tl.load`'s documentation."""

    name = "mine"
    token_bytes: Sequence[bytes] | Mapping[Any, Any] = [bytes([i]) for i in range(256)]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode()) for text in texts]


class Doubled(Bytes):
    token_bytes = [b"xx"] * 256


class Torn(Bytes):
    token_bytes: Mapping[Any, Any] = {0: b"a", 3: None}


class Lettered(Bytes):
    token_bytes: Mapping[Any, Any] = {"a": 1}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(tl.InputError) as error:
        call()
    text = str(error.value)
    assert "\n" not in text and "--" not in text
    return text


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("jobs", -2, "at least 0"),
        ("jobs", 1.5, "whole number"),
        ("jobs", True, "whole number"),
        ("replicates", "many", "whole number"),
        ("replicates", -1, "at least 0"),
        ("replicates", 10**6, "at most 100,000"),
        ("seed", "a", "whole number"),
        ("graphemes", "yes", "True or False"),
        ("parallel", "no", "True or False"),
        ("language", "", "a text"),
        ("language", 5, "a text"),
        ("reference", None, "a text"),
        ("group_by", None, "a list"),
        ("group_by", "langage", "did you mean 'language'"),
        ("words", [], "whitespace, uax29"),
        ("cache", 3, "a path"),
    ],
)
def test_a_setting_of_measure_that_cannot_be(argument: str, value: Any, said: str) -> None:
    text = refusal(lambda: tl.measure(TEXT, **{argument: value}))
    assert f"`{argument}`" in text and said in text


@pytest.mark.parametrize(
    "frame", [pandas.DataFrame({"text": TEXT, "n": [1, 2]}), pl.DataFrame({"text": TEXT})]
)
def test_a_table_is_no_text_but_its_column_is(frame: Any) -> None:
    assert 'frame["text"]' in refusal(lambda: tl.measure(frame))
    assert tl.measure(frame["text"]).frame()["documents"].to_list() == [2]


def test_nothing_names_nothing() -> None:
    assert "an empty name" in refusal(lambda: tl.measure(""))
    assert "an empty name" in refusal(lambda: tl.load(""))
    assert "NoneType" in refusal(lambda: tl.measure({"eng_Latn": None}))
    assert "`language`: None" in refusal(lambda: tl.measure({None: TEXT}))
    assert "`path`: None" in refusal(lambda: tl.measure(TEXT).report(None))  # type: ignore[arg-type]
    assert "no rate None" in refusal(lambda: tl.measure(TEXT).figure(None))  # type: ignore[arg-type]


def test_names_of_files_in_a_list_are_text_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The river was high.\n")
    with pytest.warns(UserWarning, match="each is taken as text"):
        tl.measure([str(tmp_path / "a.txt")])
    assert tl.measure([tmp_path / "a.txt"]).frame()["bytes"].to_list() == [19]


def test_a_tokenizer_shows_itself_in_a_line() -> None:
    for spec, ids in (("byte", "256"), ("mistral:tekken", "131,072"), ("character", "1,114,112")):
        assert repr(tl.load(spec)).startswith(f"<tokenizer {spec}: {ids} ids, by ")
    assert repr(tl.load(Bytes())).startswith("<tokenizer mine: 256 ids, by ")
    assert len(repr(tl.load("truncated:4096:mistral:tekken"))) < 100


def test_a_reference_that_is_not_there_is_said() -> None:
    with pytest.warns(UserWarning, match="reference nope: no parity, no premium"):
        m = tl.measure({"eng_Latn": TEXT, "deu_Latn": TEXT}, reference="nope")
    assert "reference nope" in m._repr_html_()


def test_tokenizers_come_one_or_many_and_under_names() -> None:
    mine = Bytes()
    names = tl.measure(TEXT, {"a": mine, "b": "byte", "c": "byte"}, baseline="b").frame()
    assert names["tokenizer"].to_list() == ["a", "b", "c"]
    assert names["tokens"].n_unique() == 1
    for several in (iter(["byte", mine]), {"byte": "byte", "mine": mine}.values()):
        assert tl.measure(TEXT, several).frame()["tokenizer"].to_list() == ["byte", "mine"]
    assert tl.measure(TEXT, {"byte"}).frame().height == 1
    for twice in ([mine, mine], ["byte", "byte"]):
        assert "given twice" in refusal(lambda twice=twice: tl.measure(TEXT, twice))  # type: ignore[misc]
    assert "2 given" in refusal(lambda: tl.load(["byte", "character"]))


def test_a_tokenizer_of_ones_own_that_is_none() -> None:
    assert "give an object of it" in refusal(lambda: tl.load(Bytes))
    assert "of id 3 it is NoneType" in refusal(lambda: tl.load(Torn()))
    assert "`token_bytes`: 'a'" in refusal(lambda: tl.load(Lettered()))
    for texts in (TEXT, TEXT[:1]):
        assert tl.measure(texts, Doubled()).frame()["exact_share"].to_list() == [0]


def test_folders_are_strings_or_paths(tmp_path: Path) -> None:
    folder = str(tmp_path)
    m = tl.measure(TEXT, cache=folder + "/cache")
    m.save(folder + "/measured")
    assert (tmp_path / "measured" / "provenance.json").exists()
    audit = tl.audit("byte", TEXT, cache=folder + "/cache")
    assert audit.save(folder).exists() and "ids used" in audit.summary()
    assert "`folder`" in refusal(lambda: audit.save(None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"vocab_size": "300"}, "`vocab_size`: '300'; must be a whole number"),
        ({"vocab_size": 300.0}, "`vocab_size`: 300.0; must be a whole number"),
        ({"vocab_size": 300, "seed": "x"}, "`seed`: 'x'"),
        ({"target_compression": "3"}, "`target_compression`: '3'; must be a number"),
        ({"vocab_size": 300, "kind": None}, "`kind`: None is unknown (bpe, "),
        ({"vocab_size": 300, "out": None}, "`out`: None; must be a path"),
    ],
)
def test_a_recipe_that_cannot_be(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    recipe = {"kind": "bpe", "out": tmp_path, **settings}
    assert said in refusal(lambda: tl.train(corpus=TEXT, **recipe))


def test_a_trained_tokenizer_is_no_tuple_and_short(tmp_path: Path) -> None:
    trained = tl.train("bpe", BOTH, vocab_size=400, out=tmp_path)
    path, card = trained
    assert not isinstance(trained, tuple) and path == trained.path and card is trained.card
    assert repr(trained) == f"<trained: {path}, 400 ids>"
    for at in (300, None, ["a"], [300.5]):
        assert "`at`" in refusal(lambda at=at: tl.vocab_curve(BOTH, trained, at=at))  # type: ignore[misc]
    for name, value in (("merges", 0), ("most_bytes", -1), ("replicates", -1), ("seed", "x")):
        one = {name: value}
        assert f"`{name}`" in refusal(lambda one=one: tl.mixture(trained, BOTH, **one))  # type: ignore[misc]
    with pytest.warns(UserWarning, match="share of .* are .* too little text"):
        tl.mixture(trained, BOTH, merges=100, most_bytes=1000)


@pytest.mark.parametrize("name", ["reports.py", "scaling/__init__.py"])
def test_a_package_of_ones_own_of_such_a_name_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(1, {str(ROOT)!r})\nimport tokenize_lab\n"
        "tokenize_lab.advise(1e21)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env={})
    found = (tmp_path / name).parent if name.startswith("scaling") else tmp_path / name
    said = f"ImportError: {found} is found in place of tokenize-lab's own package {found.stem}"
    assert said in done.stderr and "rename it" in done.stderr
