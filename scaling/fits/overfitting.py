"""Fitting what repeated data costs, the coefficients of a law of one epoch held."""

import numpy as np

from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import SQUARES, Array, Predictor
from scaling.engine.problem import Problem, grid
from scaling.fits.assemble import columns, need
from scaling.fits.findings import NO_LIMITS, Limit, Limits
from scaling.fits.other_laws import BASE, given_base, with_base
from scaling.fits.single_stage import OneStage, fit_stage
from scaling.laws.chinchilla import loss as fresh_loss
from scaling.laws.overfitting import overfitting_loss
from scaling.laws.registry import DEFAULTS, LAWS, Options, form_of
from scaling.result import FitResult
from scaling.runs import Runs

POWERS = np.array([0.5, 1.0, 2.0])  # of the repetitions and of the capacity, to start from
LARGEST_POWER = 5.0  # beyond which all that costs is the run of most epochs, or of most parameters
LIMITS: Limits = {
    "delta": Limit("runs of more numbers of epochs", LARGEST_POWER),
    "kappa": Limit("runs of more sizes on one text", LARGEST_POWER),
}
SIZES = np.array([1e-4, 1e-2, 1.0])  # the penalty at the means, nats per token


def fit_overfitting(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit P, and the two exponents of form `powers`, by least squares of ln L.

    Raises:
        InputError: no base law, form unknown, a column missing, or fewer than three numbers of
            epochs.
    """
    law, form = "overfitting", form_of("overfitting", options.form)
    base = given_base(law, options)
    params, tokens, unique, loss = columns(runs, law)
    unique = np.minimum(unique, tokens)
    names = LAWS[law].forms[form]
    repeats = tokens / unique - 1
    need(
        runs,
        law,
        (np.round(repeats, 3), 3, "numbers of epochs"),
        (len(loss), len(names) + 3, "runs"),
    )
    held = {name: float(base[name]) for name in BASE}
    fresh, capacity = fresh_loss(held, params, tokens), params / unique
    if form == "powers":
        problem, starts = _powers(repeats, capacity, fresh, loss)
    else:
        problem, starts = _one(repeats * capacity, fresh, loss)
    stage = OneStage(
        law=law,
        form=form,
        method="least squares of ln L; base law given; Newton",
        problem=problem,
        starts=starts,
        formula=lambda p: overfitting_loss({**held, **p}, params, tokens, unique),
        observed=loss,
        inputs={"params": params, "tokens": tokens, "unique_tokens": unique},
        units=LAWS[law].units,
        conventions={"loss": "nats per token"},
        limits=LIMITS if form == "powers" else NO_LIMITS,
        exponents={"P": ("delta", "kappa")} if form == "powers" else {},
    )
    return with_base(fit_stage(stage, runs, bootstrap), held)


def _one(product: Array, fresh: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the problem in the mean penalty, of either sign, and its starts."""
    scale = float(product.mean())
    unit = product / scale

    def value(theta: Array) -> Array:
        with np.errstate(invalid="ignore"):  # no loss is negative; the engine refuses such a step
            return np.asarray(np.log(fresh + theta * unit))

    def jacobian(theta: Array) -> Array:
        return np.asarray((unit / (fresh + theta * unit))[..., None])

    def curvature(theta: Array, slopes: Array) -> Array:
        second = -((unit / (fresh + theta * unit)) ** 2)
        return np.asarray((slopes * second).sum(-1))[:, None, None]

    def public(theta: Array) -> dict[str, Array]:
        return {"P": theta[:, 0] / scale}

    least_squares = float(unit @ (loss - fresh)) / float(unit @ unit)
    model = Predictor(value, jacobian, curvature)
    starts = np.array([[0.0], [max(least_squares, 0.0)]])
    return Problem(model, np.log(loss), SQUARES, ("P",), public), starts


def _powers(repeats: Array, capacity: Array, fresh: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the problem in theta = (penalty at the means, delta, kappa), and its starts.

    The penalty may be 0, where nothing tells its exponents.
    """
    again = repeats > 0
    logs = [np.log(repeats[again]), np.log(capacity[again])]
    means = [float(one.mean()) for one in logs]
    directions = np.zeros((2, len(loss)))
    directions[:, again] = [one - mean for one, mean in zip(logs, means, strict=True)]

    def shares(theta: Array) -> tuple[Array, Array]:
        """Return [R, n] what a penalty of 1 adds, over L; and L."""
        unit = np.exp(theta[:, 1:] @ directions) * again
        total = fresh + theta[:, :1] * unit
        return unit / total, total

    def value(theta: Array) -> Array:
        return np.asarray(np.log(shares(theta)[1]))

    def jacobian(theta: Array) -> Array:
        unit, _ = shares(theta)
        slopes = (theta[:, :1] * unit)[..., None] * directions.T
        return np.concatenate([unit[..., None], slopes], axis=-1)

    def curvature(theta: Array, slopes: Array) -> Array:
        along = jacobian(theta)
        out = -np.swapaxes(along * slopes[..., None], -1, -2) @ along
        unit = slopes * shares(theta)[0]
        mixed = unit @ directions.T
        out[:, 0, 1:] += mixed
        out[:, 1:, 0] += mixed
        out[:, 1:, 1:] += (directions * (theta[:, :1] * unit)[:, None]) @ directions.T
        return np.asarray(out)

    def public(theta: Array) -> dict[str, Array]:
        with np.errstate(over="ignore"):
            price = theta[:, 0] * np.exp(-theta[:, 1:] @ np.array(means))
        return {"P": price, "delta": theta[:, 1], "kappa": theta[:, 2]}

    high = np.array([np.inf, LARGEST_POWER, LARGEST_POWER])
    model = Predictor(value, jacobian, curvature, np.zeros(3), high)
    starts = grid([SIZES, POWERS, POWERS])
    return Problem(model, np.log(loss), SQUARES, ("P", "delta", "kappa"), public), starts
