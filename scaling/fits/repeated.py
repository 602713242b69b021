"""Fitting the law of repeated data: the two decays, on top of a Chinchilla law that is given."""

from collections.abc import Mapping

import numpy as np

from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import Array, Loss, Model
from scaling.engine.problem import Problem, grid
from scaling.fits.single_stage import Stage, fit_stage, need
from scaling.laws import repeated as law
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "repeated"
HUBER = Loss(1e-3)
LIVES = np.log(np.array([1.0, 4.0, 16.0, 64.0]))  # epochs, and excess sizes, to start from


def fit_repeated(runs: Runs, base: Mapping[str, float], bootstrap: Bootstrap = CASES) -> FitResult:
    """Fit R_D* and R_N* by Huber of ln L (delta 1e-3), the base law's coefficients held.

    Args:
        base: E, A, B, alpha and beta of a Chinchilla law fitted to runs of one epoch.

    Raises:
        InputError: a column missing, or fewer than three numbers of epochs.
    """
    params = runs.column("params", LAW)
    tokens = runs.column("train_tokens", LAW)
    unique = np.minimum(runs.column("unique_tokens", LAW), tokens)
    loss = runs.column("nats_per_token", LAW)
    epochs = np.round(tokens / unique, 3)
    need(
        runs,
        LAW,
        (len(np.unique(epochs)), 3, "numbers of epochs"),
        (len(loss), 5, "runs"),
    )
    problem = make_problem(params, tokens, unique, loss, base)
    held = {name: float(base[name]) for name in law.BASE}
    stage = Stage(
        law=LAW,
        form="base law given",
        method="Huber of ln L, delta 1e-3, summed; grid, then Gauss-Newton",
        problem=problem,
        starts=grid([LIVES, LIVES]),
        formula=lambda p: law.loss({**held, **p}, params, tokens, unique),
        observed=loss,
        inputs={"params": params, "tokens": tokens, "unique_tokens": unique},
        units={"residuals": "nats per token", "R_D": "epochs", "R_N": "multiples of U_N"},
        conventions={"loss": "nats per token"},
        annealed=(1e-1, 1e-2),
    )
    return _with_base(fit_stage(stage, runs, bootstrap), held)


def _with_base(result: FitResult, held: Mapping[str, float]) -> FitResult:
    """Return the result with the given coefficients among its estimates, so that it can predict."""
    draws = tuple((*held.values(), *row) for row in result.draws)
    reason = f"{', '.join(held)} are given, not fitted"
    return result.model_copy(
        update={
            "estimates": {**held, **result.estimates},
            "intervals": {**dict.fromkeys(held), **result.intervals},
            "interval_reason": "; ".join(one for one in (result.interval_reason, reason) if one),
            "draws": draws,
        }
    )


def make_problem(
    params: Array, tokens: Array, unique: Array, loss: Array, base: Mapping[str, float]
) -> Problem:
    """Return the engine's problem in theta = (ln R_D*, ln R_N*)."""
    deserved = law.unique_params(base, params, unique)
    repeats, excess = tokens / unique - 1, params / deserved - 1

    def terms(theta: Array) -> tuple[Array, Array, Array, Array]:
        lives = np.exp(theta)
        data = law.worth(unique, repeats, lives[:, :1])
        size = law.worth(deserved, excess, lives[:, 1:])
        return (
            base["A"] * size ** -base["alpha"],
            base["B"] * data ** -base["beta"],
            law.worth_slope(deserved, excess, lives[:, 1:]) * lives[:, 1:] / size,
            law.worth_slope(unique, repeats, lives[:, :1]) * lives[:, :1] / data,
        )

    def value(theta: Array) -> Array:
        size, data, _, _ = terms(theta)
        return np.asarray(np.log(base["E"] + size + data))

    def jacobian(theta: Array) -> Array:
        size, data, size_slope, data_slope = terms(theta)
        total = base["E"] + size + data
        by_data = -base["beta"] * data * data_slope / total
        by_size = -base["alpha"] * size * size_slope / total
        return np.stack([by_data, by_size], axis=-1)

    def public(theta: Array) -> dict[str, Array]:
        return {"R_D": np.exp(theta[:, 0]), "R_N": np.exp(theta[:, 1])}

    return Problem(Model(value, jacobian), np.log(loss), HUBER, law.FITTED, public)
