"""Fits that are read from files which lack a coefficient, or have one that cannot be."""

import contextlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from reports.build import build_report
from scaling.advise.answer import Advice
from scaling.published import tables
from scaling.result import FitResult, read_fit
from tests.cli import answer
from tests.scaling.mixtures.planted import runs_table

LINES = {
    "language": ["eng", "fra", "vie", "arb", "rus", "hin"],
    "parity": [1.0, 1.2, 1.4, 1.6, 2.0, 2.6],
    "compression_rate_opt": [3.71, 4.16, 5.11, 4.58, 5.67, 8.09],
}
# Of each law, coefficients to lose; an answer needs all of them.
LAWS = {
    "law1": ("B0", "alpha", "beta", "N0"),
    "law2": ("gamma", "L0", "E", "F", "T0"),
    "languages": tuple(f"compression_rate_{end}" for end in ("at_1", "tau", "new")),
    "downstream": ("eps", "k", "gamma"),
}


@pytest.fixture(scope="module")
def fits() -> dict[str, FitResult]:
    losses = [0.7 + 0.05 * n for n in range(12)]
    wrong = [0.9 - 0.9 * 2.7 ** (-1.5 * loss) + 0.004 * (n % 3) for n, loss in enumerate(losses)]
    of: dict[str, Any] = {
        "law1": tables.isoflop_runs(),
        "law2": tables.optima(),
        "languages": pl.DataFrame(LINES),
        "downstream": pl.DataFrame({"bits_per_byte": losses, "error": wrong}),
    }
    return {law: tl.fit(runs, law, draws=0).only for law, runs in of.items()}


def written(fit: FitResult, path: Path, **changes: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**json.loads(fit.to_json()), **changes}), "utf-8")
    return path


def asked(law: str, path: Path) -> Advice:
    """Return advice by the fit of a file, for a language that none is of."""
    told: dict[str, Any] = {"downstream": path} if law == "downstream" else {"laws": read_fit(path)}
    return tl.advise(1e21, "tel_Telu", parity=1.9, **told)


@pytest.mark.parametrize("law", LAWS)
def test_a_coefficient_that_is_missing_is_named(
    fits: dict[str, FitResult], law: str, tmp_path: Path
) -> None:
    """Draws that do not fit the estimates were seen; a fit without draws was a `KeyError`."""
    fit = fits[law]
    for name in LAWS[law]:
        rest = {key: value for key, value in fit.estimates.items() if key != name}
        path = written(fit, tmp_path / "laws" / f"{law}.json", estimates=rest)
        with pytest.raises(InputError, match=rf"not a fit \(estimates.{name} is missing\)"):
            asked(law, path)
    with contextlib.suppress(InputError):
        build_report(tmp_path)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("value", [-1.5, 0, 1e99])
def test_a_coefficient_that_cannot_be_gives_no_warning(
    fits: dict[str, FitResult], law: str, value: float, tmp_path: Path
) -> None:
    fit = fits[law]
    for name in LAWS[law]:
        estimates = {**fit.estimates, name: value}
        path = written(fit, tmp_path / "laws" / f"{law}.json", estimates=estimates)
        with contextlib.suppress(InputError):
            asked(law, path)


def test_a_range_that_is_missing_bounds_nothing(fits: dict[str, FitResult], tmp_path: Path) -> None:
    path = written(fits["languages"], tmp_path / "laws" / "languages.json", data_range={})
    assert asked("languages", path).placement.basis == "line"


@pytest.mark.parametrize("parity", [1e-320, 1e-300, 1e300])
def test_no_language_has_such_a_parity(parity: float) -> None:
    with pytest.raises(InputError, match=r"`parity` .*: bytes per byte of English, 0\.01 to 100"):
        tl.advise(1e21, "tel_Telu", parity=parity)


def test_a_mixture_is_known_however_it_is_laid_out_and_its_parts_fit(tmp_path: Path) -> None:
    """An editor's spaces made it a fit of another law; a list too short ended the report."""
    tl.fit(runs_table(30, 0.004), "mixture", draws=20).save(tmp_path)
    path = tmp_path / "laws" / "mixture.json"
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(content, indent=1, sort_keys=True), "utf-8")
    assert len(tl.predict(path, runs_table(5, 0.0))) == 5
    build_report(tmp_path)
    del content["arms"][0]["sampled"][0]
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match="coefficients that cannot be"):
        build_report(tmp_path)


def test_a_law_put_in_that_tells_no_loss_is_said_of_the_law(tmp_path: Path) -> None:
    """It was said of the table, whose losses are right."""
    runs = tables.isoflop_runs()
    joint = tl.fit(runs, "joint", draws=0).only
    path = written(joint, tmp_path / "joint.json", estimates=dict.fromkeys(joint.estimates, -1.0))
    with pytest.raises(InputError, match="`bias`: the fit of the joint law tells no loss"):
        tl.fit(runs, "law1", draws=0).bias(by=read_fit(path))


def test_a_loss_that_is_none_has_no_task_error(fits: dict[str, FitResult], tmp_path: Path) -> None:
    """It was said to be an input, which nobody gave."""
    path = written(
        fits["law2"], tmp_path / "law2.json", estimates={**fits["law2"].estimates, "E": -9}
    )
    told = tl.predict(path, compute_flops=1e21, downstream=fits["downstream"])
    found = {row.quantity: row.value for row in told.rows}
    assert found["bits_per_byte_opt"] is not None and found["bits_per_byte_opt"] < 0
    assert found["error_opt"] is None


def test_far_beyond_all_numbers_is_strict_json(fits: dict[str, FitResult], tmp_path: Path) -> None:
    """A budget near nothing, or a range near nothing, was a factor that JSON does not have."""
    path = written(fits["law2"], tmp_path / "law2.json")
    (row, *_) = answer("scaling predict --compute 1e-320", path)["predictions"]
    assert row["outside"]["compute_flops"] > 1e300


def test_a_fit_of_languages_without_any_is_said_so(
    fits: dict[str, FitResult], tmp_path: Path
) -> None:
    """It was `not to be used: converged`."""
    path = written(fits["law1"], tmp_path / "languages.json", law="languages")
    with pytest.raises(InputError, match="tells of no language; fit again"):
        asked("languages", path)


@pytest.mark.parametrize("form", ["one-exponent", "additive", "free"])
def test_a_coefficient_of_the_form_is_not_held_instead(form: str, tmp_path: Path) -> None:
    """A joint law that had lost its `g` or `delta` gave another T* and B*, and no word of it."""
    fit = tl.fit(tables.isoflop_runs(), "joint", form=form, draws=0).only
    for name in fit.estimates:
        rest = {key: value for key, value in fit.estimates.items() if key != name}
        path = written(fit, tmp_path / "joint.json", estimates=rest)
        with pytest.raises(InputError, match=rf"not a fit \(estimates.{name} is missing\)"):
            tl.predict(path, compute_flops=1e20, compression_rate=4.0)
