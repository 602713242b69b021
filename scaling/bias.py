"""What a fit says of runs without noise: the bias of parabolas, surfaces and what rests on them.

IsoFLOP curves are no parabolas, nor are bowls paraboloids, and a grid that lies aside draws their
minima along. So a law of every run, the joint law, is fitted to the same runs; its own losses, free
of noise, are put in their place; and the fit is made once more. What comes out beside what that law
says itself is the bias of the design and the method, which more runs of the same design do not
lessen and no bootstrap sees.

What the joint law says itself of a parabola's minimum, and of what is fitted to minima in a second
stage (Law I, approach 2), is the same fit to curves that are parabolas, through the law's minima
and as curved as the law is there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from corpora.arguments import refused
from corpora.errors import InputError
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.engine.newton import Array
from scaling.fits.assemble import FAMILY, FitContext
from scaling.fits.fit import fit
from scaling.fits.joint import fit_joint
from scaling.fits.minima import make_cells, optima_given
from scaling.fits.results import Fits
from scaling.laws.joint import DEFAULT_FORM
from scaling.laws.optimum import best_rate
from scaling.laws.registry import Options
from scaling.result import FitResult
from scaling.runs import Runs

STAGED = ("isoflop", "isoflop-surface", "law1", "law2", "approach2")
STEP = 0.01  # in ln B, of the law's curvature at its minimum
LOSS = "bits_per_byte"
# Coefficients of Law II that the joint law has as well, along its optimum.
_SHARED = ("gamma", "L0", "E", "T0", "delta")


class BiasRow(NamedTuple):
    """One coefficient or quantity of a fit.

    Attributes:
        name: of it.
        estimate: of the runs. noise_free: of the law's own losses in their place.
        law: what the law says itself; None where it has no such thing.
        bias: noise_free less law.
        of_half_width: that over half the width of the estimate's interval; None where it has none.
    """

    name: str
    estimate: float
    noise_free: float | None
    law: float | None
    bias: float | None
    of_half_width: float | None


class FitBias(NamedTuple):
    """The bias of one fit.

    Attributes:
        context: what the fit is confined to. by: the law and form whose losses were put in.
        rows: its coefficients, and of Law II what it says of T* and L* at the ends of the budgets.
    """

    context: FitContext
    by: str
    rows: tuple[BiasRow, ...]


def bias_of(
    fits: Fits, runs: Runs, by: FitResult | None = None, **options: Any
) -> tuple[FitBias, ...]:
    """Return what each fit would say of runs without noise, beside what their law says.

    Args:
        fits: of a law in `STAGED`. runs: what was fitted.
        by: a fit of the joint law whose losses are put in; by default it is fitted to the runs.
        options: of `scaling.fits.fit.fit`, as the fits were made.

    Raises:
        InputError: a law that is fitted to runs in one stage, a `by` of another law, or runs that
            the joint law cannot be fitted to.
    """
    if fits.law not in STAGED:
        raise InputError(
            f"`bias`: {fits.law} is fitted to the runs themselves; it is told of what rests on"
            f" minima found before ({', '.join(STAGED)})"
        )
    if by is not None and not isinstance(by, FitResult):
        raise refused("by", by, "a fit of the joint law")
    if by is not None and by.law != "joint":
        raise InputError(f"`bias`: losses of the joint law are put in, and a fit of {by.law} given")
    told = {**options, "intervals": "none", "draws": 0}
    found = []
    for context, part in runs.groups(FAMILY):
        law = by or _law_of_all(part)
        own = [one for one in fits if context.items() <= one.context.items()]
        told["form"] = own[0].form if own and fits.law == "law2" else ""
        clean = fit(_noise_free(part, law, fits.law), fits.law, **told)
        exact = None if fits.law in ("law2", "isoflop-surface") else _exact(part, law, fits, told)
        for one in clean:
            original = next((other for other in own if other.context == one.context), None)
            if original is None or not original.estimates:
                continue
            says = _says(law, one, part) if exact is None else _same(exact, one)
            rows = tuple(_rows(original, one, says))
            found.append(FitBias(original.context, f"{law.law} ({law.form})", rows))
    return tuple(found)


def bias_json(bias: FitBias) -> dict[str, Any]:
    """Return what `scaling fit --bias --json` prints of one fit."""
    return {**bias.context, "by": bias.by, "quantities": [row._asdict() for row in bias.rows]}


def _law_of_all(runs: Runs) -> FitResult:
    rates = len(np.unique(runs.column("compression_rate", "joint")))
    form = DEFAULT_FORM if rates > 2 else "chinchilla-two"
    return fit_joint(runs, Options(form), NO_BOOTSTRAP)


def _coordinates(runs: Runs) -> tuple[Array, Array]:
    compute, rate = (runs.column(name, "joint") for name in ("compute_flops", "compression_rate"))
    return compute, rate


def _with_losses(runs: Runs, loss: Array) -> Runs:
    return replace(runs, rows=runs.rows.with_columns(pl.Series(LOSS, loss)))


def _noise_free(runs: Runs, law: FitResult, name: str) -> Runs:
    compute, rate = _coordinates(runs)
    at = {"compute_flops": compute, "compression_rate": rate}
    if name == "law2" and optima_given(runs, name):
        loss = law.predict("bits_per_byte_opt", **at).value
    else:
        at["train_bytes"] = runs.column("train_bytes", "joint")
        loss = law.predict(LOSS, **at).value
    if not (np.isfinite(loss) & (loss > 0)).all():
        raise InputError(
            "`bias`: the fit of the joint law tells no loss of some of these runs, so its"
            " coefficients cannot be; fit again"
        )
    return _with_losses(runs, loss)


def _exact(runs: Runs, law: FitResult, fits: Fits, told: Mapping[str, Any]) -> Fits:
    """Return the fits to curves that are parabolas through the law's own minima."""
    cells, kept = make_cells(runs, fits.law)
    loss = np.empty(len(kept))
    for cell in cells:
        at = {"compute_flops": cell.compute, "compression_rate": cell.rate}
        place = np.log(law.predict("train_bytes_opt", **at).value)
        around = np.exp(place + STEP * np.array([-1.0, 0.0, 1.0]))
        low, lowest, high = law.predict(LOSS, **at, train_bytes=around).value
        bend = (low + high - 2 * lowest) / STEP**2 / 2
        loss[cell.rows] = lowest + bend * (cell.x + cell.centre - place) ** 2
    return fit(_with_losses(kept, loss), fits.law, **told)


def _same(exact: Fits, one: FitResult) -> Mapping[str, float]:
    return next((other.estimates for other in exact if other.context == one.context), {})


def _says(law: FitResult, one: FitResult, runs: Runs) -> Mapping[str, float]:
    """Return what the joint law says of Law II's coefficients, or of the optimum of a budget."""
    p = law.estimates
    if one.law == "law2":
        return {name: p.get(name, 0.0) for name in _SHARED if name in p or name == "delta"}
    compute = float(one.context["compute_flops"])
    rate = float(best_rate(p, np.array(compute)))
    at = {"compute_flops": compute, "compression_rate": rate}
    here = runs.only(np.isclose(_coordinates(runs)[0], compute))
    data = float(law.predict("train_bytes_opt", **at).value)
    return {
        "compression_rate_opt": rate,
        "bytes_per_param_opt": data / _params_near(here, rate, data),
        "bits_per_byte_opt": float(law.predict("bits_per_byte_opt", **at).value),
    }


def _params_near(runs: Runs, rate: float, data: float) -> float:
    """Return N of a model of one budget's runs, at T and B: by a quadratic in their logarithms, in
    which runs count the more the nearer they lie."""

    def features(ln_rate: Array, ln_data: Array) -> Array:
        t, b = np.broadcast_arrays(ln_rate - np.log(rate), ln_data - np.log(data))
        return np.stack([np.ones_like(t), t, b, t * t, t * b, b * b], axis=-1)

    names = ("compression_rate", "train_bytes", "params")
    t, b, n = (np.log(runs.column(name, "joint")) for name in names)
    design = features(t, b)
    weight = np.exp(-(design[:, 1] ** 2 + design[:, 2] ** 2) / 4)
    solved, *_ = np.linalg.lstsq(design * weight[:, None], n * weight, rcond=None)
    return float(np.exp(solved[0]))


def _rows(original: FitResult, clean: FitResult, says: Mapping[str, float]) -> Iterator[BiasRow]:
    for name, estimate in original.estimates.items():
        yield _row(name, estimate, original, clean.estimates.get(name), says.get(name))
    if original.law != "law2" or "T0" not in clean.estimates:
        return
    for compute in original.data_range["compute_flops"]:
        at = {"compute_flops": compute}
        true = {name: says[name] for name in _SHARED}
        told = original.predict("compression_rate_opt", **at)
        again = float(clean.predict("compression_rate_opt", **at).value)
        name = f"compression_rate_opt at {compute:g}"
        width = None if told.interval is None else told.interval.high - told.interval.low
        rate = float(best_rate(true, np.array(compute)))
        yield BiasRow(
            name, float(told.value), again, rate, again - rate, _over(again - rate, width)
        )


def _row(
    name: str, estimate: float, original: FitResult, clean: float | None, law: float | None
) -> BiasRow:
    ends = original.intervals.get(name)
    width = None if ends is None else ends.high - ends.low
    bias = None if clean is None or law is None else clean - law
    return BiasRow(name, estimate, clean, law, bias, _over(bias, width))


def _over(bias: float | None, width: float | None) -> float | None:
    if bias is None or width is None or not 0 < width < np.inf:
        return None
    return 2 * bias / width
