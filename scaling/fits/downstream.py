"""Fitting task error to loss, and following a law of the loss through to it."""

import numpy as np
from scipy.special import fdtrc

from corpora.arguments import real
from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, Bootstrap, percentiles
from scaling.engine.newton import SQUARES, Array
from scaling.fits.assemble import need
from scaling.fits.findings import warning
from scaling.fits.single_stage import OneStage, fit_stage
from scaling.laws.downstream import NAMES, downstream_problem, error
from scaling.laws.registry import BITS, DEFAULTS, NATS, Options, quantity
from scaling.result import FitResult, Prediction
from scaling.runs import Runs

FEWEST = 4  # runs
LIKELY = 0.05  # chance that errors which do not fall would look as if they did


def fit_downstream(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit Err = eps - k exp(-gamma L) by least squares.

    The loss is bits per byte where the table has it, else nats per token, with a warning.

    Raises:
        InputError: no column of errors or losses, fewer than four runs, errors beyond chance, or
            errors that do not fall with the loss.
    """
    law = "downstream"
    chance = 1.0 if options.chance is None else real("chance", options.chance, 0, 1)
    wrong = runs.column("error", law)
    in_bits = runs.has("bits_per_byte")
    loss = runs.column("bits_per_byte" if in_bits else "nats_per_token", law)
    need(runs, law, (len(wrong), FEWEST, "runs"), (loss, FEWEST, "losses"))
    if wrong.max() > 1:
        raise InputError(
            f"{runs.name}: {law} needs `error` as a share of answers, and it reaches"
            f" {wrong.max():g}; divide percentages by 100"
        )
    problem, starts = downstream_problem(loss, wrong, SQUARES, chance)
    unit = BITS if in_bits else NATS
    stage = OneStage(
        law=law,
        form="exponential",
        method="least squares of the error; Newton from ten starts",
        problem=problem,
        starts=starts,
        formula=lambda p: error(p, loss),
        observed=wrong,
        inputs={"loss": loss},
        units={"residuals": "share of answers", "gamma": f"per {unit.replace(' per ', '/')}"},
        conventions={"loss": unit, "chance": f"{chance:g}"},
    )
    fit = fit_stage(stage, runs, bootstrap)
    _refuse_guessing(runs, np.asarray(fit.residuals), wrong)
    if in_bits:
        return fit
    text = "the losses are nats per token, so this law holds for one tokenizer only"
    return fit.model_copy(update={"findings": (*fit.findings, warning("loss per token", text))})


def _refuse_guessing(runs: Runs, residuals: Array, wrong: Array) -> None:
    """Refuse errors that a constant tells as well: models that guess do not say what gamma is."""
    free = len(wrong) - len(NAMES)
    flat, left = float(np.sum((wrong - wrong.mean()) ** 2)), float(residuals @ residuals)
    if left <= 0 or free < 1:
        return
    ratio = max(flat - left, 0.0) / (len(NAMES) - 1) / (left / free)
    if float(fdtrc(len(NAMES) - 1, free, ratio)) > LIKELY:
        raise InputError(
            f"{runs.name}: downstream needs errors that fall with the loss, and a constant of"
            f" {wrong.mean():.3g} tells these as well: the models guess, or there are too few of"
            " them; add larger models or easier tasks"
        )


@np.errstate(all="ignore")  # as `FitResult.predict`
@np.errstate(all="ignore")  # as in `FitResult.predict`
def predict_error(
    upstream: FitResult, name: str, downstream: FitResult, **inputs: float
) -> Prediction:
    """Return the task error at a loss that another law predicts, both laws' bootstraps together.

    Args:
        upstream: a law of the loss; name: of its quantity, such as `bits_per_byte_opt`.
        downstream: a fit of the law `downstream`, to that loss.
        inputs: of that quantity.

    Raises:
        InputError: the fit is of another law, or the loss in another unit than it was fitted to.
    """
    loss = upstream.predict(name, **inputs)
    asked = quantity(upstream.law, upstream.form, name, tuple(inputs))
    check_unit(downstream, asked.unit)
    wrong = downstream.predict("error", loss=loss.value)
    told = Prediction(wrong.value, None, None, {**loss.outside, **wrong.outside})
    if not len(upstream.draws) or not len(downstream.draws):
        return told
    columns = dict(zip(upstream.estimates, upstream.draws.T, strict=True))
    spread = np.broadcast_to(asked.formula(columns, **inputs), len(upstream.draws))
    ends = percentiles(
        error_draws(np.array([loss.value, *spread]), downstream)[1:], downstream.level
    )
    return told._replace(low=float(ends[0]), high=float(ends[1]))


def error_draws(loss: Array, downstream: FitResult) -> Array:
    """Return [1 + R] task errors at [1 + R'] losses, the estimate first in each.

    The draws of the loss and of the law of errors are independent and are paired in the order in
    which they were drawn; the shorter sequence ends it.
    """
    count = min(len(loss) - 1, len(downstream.draws))
    return error(downstream.coefficients(count), loss[: 1 + count])


def check_unit(downstream: FitResult, unit: str) -> None:
    """Refuse a fit that tells no task error of losses in a unit.

    Raises:
        InputError: it is of another law, or of losses in another unit.
    """
    if downstream.law != "downstream":
        raise InputError(f"`downstream`: a fit of {downstream.law}; give one of downstream")
    fitted = downstream.conventions.get("loss", unit)
    if fitted != unit:
        raise InputError(
            f"`downstream`: task errors by {fitted}, and the loss is in {unit}; fit them to the"
            " loss in that unit"
        )
