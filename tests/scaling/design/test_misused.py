"""A design asked wrongly: one line that names the argument, before anything is read or trained."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from scaling.design.text import weights_of

ASKED = {
    "corpus": "embedded:eng_Latn,deu_Latn", "languages": "eng=.6,deu=.4", "compute_flops": 1e21,
    "largest": 1024,
}  # fmt: skip
NO_NAMES: tuple[Any, ...] = (
    None,
    5,
    [None],
    [["bpe"]],
    [{}],
    [np.arange(3)],
    [pl.Series(["bpe"])],
    [b"bpe"],
)


def refused(folder: Path, **changes: Any) -> str:
    told: dict[str, Any] = {"out": folder, **ASKED, **changes}
    with pytest.raises(tl.InputError) as error:
        tl.design(**told)
    assert "\n" not in str(error.value) and not list(folder.iterdir())
    return str(error.value)


@pytest.mark.parametrize("name", ["kinds", "patterns"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    for value in (*NO_NAMES, [], "", "bqe", itertools.repeat("bpe")):
        assert refused(tmp_path, **{name: value}).startswith(f"`{name}`: ")


@pytest.mark.parametrize("setting", ["", 0, False, [], {}, np.array([]), "mono"])
def test_what_counts_as_nothing_is_no_setting(tmp_path: Path, setting: Any) -> None:
    assert "`setting`" in refused(tmp_path, setting=setting)


@pytest.mark.parametrize("languages", [
    {None: 1.0}, {5: 1.0}, {"": 1.0}, {"\ud800": 1.0}, {"eng": 0.6, "en": 0.4}, {"eng": math.nan},
    {f"l{number}": 1e-5 for number in range(100_000)},
])  # fmt: skip
def test_weights_of_what_is_no_language(languages: Mapping[str, float]) -> None:
    with pytest.raises(tl.InputError, match="`languages`: "):
        weights_of(languages)


def test_serving_of_any_price_and_no_vocabulary_to_cut(tmp_path: Path) -> None:
    assert "`serve_price`" in refused(tmp_path, serve_price=1e20)
    told = {"kinds": "parity-bpe", "vocabularies": "language"}
    assert "`kinds`: parity-bpe is one vocabulary of all" in refused(tmp_path, **told)


def test_no_number_is_beyond_those_that_a_float_holds(tmp_path: Path) -> None:
    for name in ("max_vocab", "largest"):
        assert f"`{name}`" in refused(tmp_path, **{name: 10**400})


def test_a_parity_is_of_a_language_by_any_name_of_it(tmp_path: Path) -> None:
    thai = {"corpus": "embedded:eng_Latn,tha_Thai", "languages": "eng=.5,tha=.5"}
    for given in ("th=-1", {"tha_Thai": -1}, {"tha": 2, None: 2}, "tha=2,tha=3"):
        assert "`parity`" in refused(tmp_path, **thai, parity=given)
    assert "`parity`: of xyz; the languages are eng, tha" in refused(
        tmp_path, **thai, parity="xyz=2"
    )


def test_what_is_no_place(tmp_path: Path) -> None:
    for wrong in ("", "a\0b", "\ud800", b"x", 5):
        assert "`out`" in refused(tmp_path, out=wrong)
    assert "too long for a file's name" in refused(tmp_path, out="x" * 5000)
