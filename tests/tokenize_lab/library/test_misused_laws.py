"""Laws and advice, asked wrongly: one line that names the argument, and never a wrong number."""

import itertools
import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.published import tables
from scaling.published.tables import COT_LAW1_LATENT, COT_LAW2_LATENT
from tests.scaling.mixtures.planted import runs_table
from tokenize_lab.library.laws import FittedLaw

LINES = ["The river was high.", "Nobody slept."]
SPENT = {"compute_flops": 1e21}
predict: Any = tl.predict  # which is asked what its types do not allow


@pytest.fixture(scope="module")
def optima() -> pl.DataFrame:
    return tables.table(tables.OPTIMA)


@pytest.fixture(scope="module")
def law2(optima: pl.DataFrame) -> FittedLaw:
    return tl.fit(optima, "law2", form="compute-dependent", draws=20)


def refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as error:
        call()
    assert "\n" not in str(error.value) and "--" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"intervals": "nope"}, "`intervals`: 'nope' is unknown; did you mean 'none'?"),
        ({"minima": "x"}, "`minima`: 'x' is unknown"),
        ({"level": 95}, "`level`"),
        ({"level": 0}, "`level`"),
        ({"level": "x"}, "`level`"),
        ({"draws": -1}, "`draws`"),
        ({"draws": 10.5}, "`draws`"),
        ({"draws": "many"}, "`draws`"),
        ({"seed": -3}, "`seed`"),
        ({"up_to": "x"}, "`up_to`"),
        ({"budget": ["x"]}, "`budget`"),
        ({"form": ["x"]}, "`form`: list"),
        ({"form": "x"}, "has no form"),
        ({"form": 0}, "`form`: 0; must be a text"),
        ({"intervals": []}, "`intervals`: list []; must be a text"),
        ({"target": np.ones(2)}, "`target`: ndarray"),
        ({"budget": range(10**12)}, "`budget`: range"),
        ({"up_to": np.complex128(1e21)}, "`up_to`: complex128"),
        ({"up_to": np.bool_(True)}, "`up_to`: bool"),
        ({"columns": {"bits_per_byte": "bpb"}, "law": "law1"}, "`columns`"),
        ({"law": None}, "law None is unknown"),
        ({"law": ["law1"]}, "did you mean 'law1'"),
        ({"law": "repeated", "base": "besirogli"}, "did you mean 'besiroglu'"),
        ({"law": "repeated", "base": 5}, "`base`: 5"),
        ({"law": "envelope", "irreducible": "x"}, "`irreducible`: 'x'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    optima: pl.DataFrame, options: dict[str, Any], said: str
) -> None:
    runs = tl.read_runs(optima)
    refused(lambda: tl.fit(runs, **{"law": "law2", "draws": 20, **options}), said)


def test_one_budget_needs_no_list() -> None:
    runs = tables.isoflop_runs()
    one, listed = (tl.fit(runs, "isoflop", budget=c, draws=0) for c in (1e20, [1e20]))
    assert one.results == listed.results and len(one) < 24


def test_a_path_that_is_too_long_and_a_column_that_is_a_number(optima: pl.DataFrame) -> None:
    refused(lambda: tl.read_runs("x" * 5_000), "too long for a file's name")
    refused(lambda: tl.fit("x" * 5_000, "law2"), "too long for a file's name")
    wrong: Any = {1: "loss"}
    refused(lambda: tl.read_runs(optima, columns=wrong), "`columns`: no column 1 in a runs table")


def test_a_column_of_another_name_is_asked_for(optima: pl.DataFrame) -> None:
    renamed = optima.rename({"bits_per_byte": "val_bpb"})
    refused(lambda: tl.fit(renamed, "law2"), "say so with `columns`")
    fit = tl.fit(renamed, "law2", columns={"bits_per_byte": "val_bpb"}, draws=0)
    assert fit.only.estimates == tl.fit(optima, "law2", draws=0).only.estimates


@pytest.mark.parametrize(
    "value",
    [
        -1, 0, None, math.nan, math.inf, "1e21", True, [], [1e20, 0], object(), range(10**12),
        bytearray(b"x"), np.ma.masked, np.complex128(1),
    ],
)  # fmt: skip
def test_a_prediction_is_of_positive_numbers(law2: FittedLaw, value: Any) -> None:
    refused(lambda: law2.predict("compression_rate_opt", compute_flops=value), "`compute_flops`")


def test_numbers_give_numbers_and_arrays_arrays(law2: FittedLaw) -> None:
    one = law2.predict("compression_rate_opt", **SPENT)
    assert [type(end) for end in one[:3]] == [float] * 3
    whole = law2.predict("compression_rate_opt", compute_flops=10**21)
    assert whole == one
    for budgets in ([1e20, 1e21], np.array([1e20, 1e21]), pl.Series([1e20, 1e21])):
        several = law2.predict("compression_rate_opt", compute_flops=budgets)  # type: ignore[arg-type]
        assert several.value.shape == several.low.shape == (2,) and several.value[1] == one.value


def test_what_a_law_predicts_can_be_listed(law2: FittedLaw) -> None:
    listed = dict(law2.quantities().select("quantity", "inputs").rows())
    assert listed["bits_per_byte"] == "compute_flops, compression_rate"
    refused(
        lambda: law2.predict("compresion_rate_opt", **SPENT), "did you mean 'compression_rate_o"
    )
    refused(
        lambda: law2.predict("compression_rate_opt", compute_flop=1e21),
        "needs compute_flops; it was given compute_flop; did you mean 'compute_flops'?",
    )
    refused(lambda: COT_LAW1_LATENT.predict("params_opt", **SPENT), "6 N B / T")
    refused(
        lambda: law2.predict(
            "bits_per_byte", compute_flops=np.ones(2), compression_rate=np.ones(3)
        ),
        "`compression_rate` (3,)",
    )


def test_a_fit_is_set_beside_others(law2: FittedLaw) -> None:
    rivals = law2.compare("law2:constant", "law2:mean")
    assert rivals["form"].to_list() == ["compute-dependent", "constant", "mean"]
    beside = law2.compare("cot-law2-latent")
    assert dict(beside.select("name", "second").rows()) == COT_LAW2_LATENT.estimates
    assert law2.conventions()["T0"].to_list() == [law2.only.estimates["T0"]]
    refused(lambda: law2.compare(), "`others`")
    refused(lambda: law2.compare("law2:mean", "cot-law2-latent"), "`others`")


def test_another_programs_json_is_not_to_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match="name the folder of the runs") as error:
        tl.read_runs(tmp_path)
    assert "delete" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"compute_flops": "1e21"}, "`compute_flops`: '1e21'"),
        ({"compute_flops": None}, "`compute_flops`"),
        ({"compute_flops": np.array([1e21])}, "`compute_flops`: ndarray array([1.e+21])"),
        ({"language": 5}, "`language`"),
        ({"language": ""}, "`language`"),
        ({"language": None}, "`language`"),
        ({"gpus": 1.5}, "`gpus`"),
        ({"gpu": None}, "`gpu`"),
        ({"parity": "x"}, "`parity`"),
        ({"tokenizers": "byte", "corpus": {"eng_Latn": LINES}}, "has no hin_Deva, but eng_Latn"),
        ({"tokenizers": "byte", "corpus": "raw text"}, "text itself is given in a list: [text]"),
        ({"tokenizers": "byte", "corpus": 5}, "`corpus`"),
        ({"corpus": pandas.DataFrame({"text": LINES})}, "`corpus`: DataFrame"),
        ({"tokenizers": (1, 4.1)}, "`tokenizers`: (1, 4.1); give a name"),
        ({"tokenizers": ("mine", 4.1, None, "0")}, "give a name, bytes per token"),
        ({"laws": ["folder"]}, "`laws`: 'folder'"),
        ({"laws": 5}, "`laws`: 5"),
        ({"family": "subword", "curve": [1, 2]}, "`curve`"),
        ({"family": "subword", "curve": [("x", 2.0)]}, "`curve`: 'x'"),
        ({"family": "subword", "curve": []}, "`curve`"),
    ],
)
def test_advice_asked_wrongly(asked: dict[str, Any], said: str) -> None:
    refused(lambda: tl.advise(**{"language": "hin_Deva", **SPENT, **asked}), said)


def test_advice_takes_one_tokenizer_or_a_price_as_it_is() -> None:
    for given, names in (
        ("byte", ["byte"]),
        (tl.load("byte"), ["byte"]),
        ((name for name in ("byte", "mistral:v3")), ["byte", "mistral:v3"]),
        (("mine", 4.1), ["mine"]),
        ([("mine", 4.1, 300), "byte"], ["mine", "byte"]),
        (None, []),
    ):
        advice = tl.advise(1e21, tokenizers=given)
        assert [tokenizer.name for tokenizer in advice.tokenizers] == names


def test_advice_takes_fits_and_curves_as_they_are(law2: FittedLaw) -> None:
    wanted = tl.advise(1e21, laws=[law2]).compression_rate_opt
    for laws in (law2, law2[0], {"law2": law2}, {"law2": law2[0]}):
        assert tl.advise(1e21, laws=laws).compression_rate_opt == wanted
    assert tl.advise(1e21, laws=None) == tl.advise(1e21)
    curve = tl.vocab_curve("embedded:eng_Latn", "mistral:tekken", replicates=0)
    read, measured = (
        tl.advise(1e21, family="subword", tokenizers="mistral:tekken", curve=c)
        for c in (curve, None)
    )
    assert read.granularity == measured.granularity and read.granularity.value is not None
    several = tl.vocab_curve("embedded:eng_Latn,fra_Latn", "mistral:tekken", replicates=0)
    refused(lambda: tl.advise(1e21, family="subword", curve=several), "`curve`: 2 curves")


def test_a_law_is_kept_in_a_folder_of_any_name(law2: FittedLaw, tmp_path: Path) -> None:
    assert law2.save(str(tmp_path)) == law2.save(tmp_path) == tmp_path / "laws"
    refused(lambda: law2.save(""), "`folder`")
    refused(lambda: tl.read_runs(""), "`runs`")


def test_a_fit_is_set_beside_a_fit(law2: FittedLaw) -> None:
    for other in (law2, law2[0]):
        beside = law2.compare(other)
        assert beside["difference"].to_list() == [0.0] * 6 and beside["overlap"].all()
    others: Any
    for others in (5, ["law2:mean"], ""):
        refused(lambda others=others: law2.compare(others), "`others`")  # type: ignore[misc]


def test_a_table_is_read_as_told(optima: pl.DataFrame) -> None:
    wrong: Any
    for wrong in (["bpb"], "bpb"):
        refused(lambda wrong=wrong: tl.read_runs(optima, columns=wrong), "`columns`")  # type: ignore[misc]
    wrong = "no"
    refused(lambda: tl.read_runs(optima, keep_short=wrong), "`keep_short`")
    refused(lambda: tl.advise(1e21, tokenizers=("mine", 4.1, 1.5)), "`tokenizers`")


NO_NAMES: tuple[Any, ...] = (
    math.nan, [], {}, object(), Path("x"), np.arange(3), pl.DataFrame({"a": [1]}), range(10**12),
)  # fmt: skip


@pytest.mark.parametrize("name", ["family", "setting", "gpu"])
def test_what_is_no_name_is_refused_by_advice(name: str) -> None:
    for value in NO_NAMES:
        told: dict[str, Any] = {**SPENT, name: value}
        with pytest.raises(InputError, match=f"`{name}`: .*; must be a text"):
            tl.advise(**told)


@pytest.mark.parametrize("name", ["name", "params", "flops_convention", "loss"])
def test_what_is_no_name_is_refused_of_a_table(name: str, optima: pl.DataFrame) -> None:
    for value in NO_NAMES:
        told: dict[str, Any] = {name: value}
        with pytest.raises(InputError, match=f"`{name}`: .*; must be a text"):
            tl.read_runs(optima, **told)


@pytest.mark.parametrize("name", ["engine", "pattern"])
def test_what_is_no_name_is_refused_of_a_trainer(name: str, tmp_path: Path) -> None:
    for value in NO_NAMES:
        told: dict[str, Any] = {name: value}
        with pytest.raises(InputError, match=f"`{name}`: .*; must be a text"):
            tl.train("bpe", LINES, vocab_size=300, out=tmp_path, **told)


def test_an_array_of_no_dimension_is_a_number_and_no_text(law2: FittedLaw) -> None:
    budget: Any = np.array(1e21)
    found = tl.predict(law2, compute_flops=budget)
    assert len(found.rows) == len(tl.predict(law2, compute_flops=1e21).rows)
    texts: Any = np.array(3)
    with pytest.raises(InputError, match="`text`: ndarray; give a list"):
        tl.measure(texts, ["byte"])
    with pytest.raises(InputError, match="`text`: eng_Latn has a ndarray; give a list"):
        tl.measure({"eng_Latn": texts}, ["byte"])


@pytest.mark.parametrize("name", ["tokenizers", "laws"])
def test_what_has_no_end_or_is_no_list_is_refused_by_advice(name: str) -> None:
    for value in (itertools.repeat("byte"), np.array(3), range(10**12), pl.Series([1])):
        told: dict[str, Any] = {**SPENT, name: value}
        with pytest.raises(InputError):
            tl.advise(**told)


def test_texts_of_a_language_that_are_no_list_are_refused_by_advice() -> None:
    for text in (math.nan, None, np.array("x")):
        corpus: Any = {"eng_Latn": text}
        with pytest.raises(InputError, match="give a list"):
            tl.advise(1e21, corpus=corpus)


def test_more_accelerators_than_there_are_numbers() -> None:
    refused(lambda: tl.advise(1e21, gpus=10**15), "`gpus`: at most")
    refused(lambda: tl.advise(1e21, gpus=10**400), "; must be at most")


@pytest.mark.parametrize("loss", [1e-320, 1e-99, 1e-40, 1e-30])
def test_a_loss_that_no_run_has_is_one_line_or_a_fit(loss: float) -> None:
    sizes = [(p, d) for p in (1e7, 3e7, 1e8, 3e8) for d in (1e9, 3e9, 1e10)]
    losses = [1.7 + 400 / p**0.34 + 410 / d**0.28 for p, d in sizes]
    columns = {"params": [p for p, _ in sizes], "tokens": [d for _, d in sizes]}
    runs = pl.DataFrame({**columns, "loss": [loss, *losses[1:]]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError, match=r"not one of at least 1e-100|beyond any number"):
            tl.fit(runs, "chinchilla", draws=3)


def test_what_is_no_file_is_refused_as_a_fit(law2: FittedLaw, tmp_path: Path) -> None:
    class Bytes:
        def __fspath__(self) -> bytes:
            return b"x"

    wrong: Any
    for wrong in (Bytes(), "a\0b", "\ud800", "", 5, None):
        refused(lambda wrong=wrong: predict(wrong, **SPENT), "`fit`")  # type: ignore[misc]
        refused(lambda wrong=wrong: law2.save(wrong), "`folder`")  # type: ignore[misc]
    for call in (
        lambda: predict("x" * 5000, **SPENT),
        lambda: predict(law2, **SPENT, downstream="x" * 5000),
        lambda: law2.compare("x" * 5000),
    ):
        with pytest.raises(InputError, match="too long for a file's name"):
            call()


def test_what_a_mixture_does_not_take_and_what_is_no_joint_law(law2: FittedLaw) -> None:
    mixed = tl.fit(runs_table(30, 0.004), "mixture", draws=0)
    told: Any
    for told in (SPENT, {"downstream": law2}, {"nonsense": "x"}):
        said = f"`{next(iter(told))}`: a mixture law predicts the mixtures of a table"
        refused(lambda told=told: predict(mixed, runs_table(5, 0.0), **told), said)  # type: ignore[misc]
    surfaces = tl.fit(tables.isoflop_runs(), "isoflop-surface", budget=1e20, draws=0)
    for told in (5, "x", {}, np.ones(2)):
        refused(lambda told=told: surfaces.bias(told), "`by`")  # type: ignore[misc]
