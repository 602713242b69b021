"""Porian et al. 2024 (arXiv 2406.19146): the optimum by interpolation, its spread by seed noise.

Per budget the losses are interpolated (Akima, in logarithms) and the lowest point of a fine grid is
N*. That is repeated with the noise of a seed added to every loss; the spread of ln N* weighs the
budget in the power law, and the power laws of the repetitions give the interval.
"""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import Akima1DInterpolator

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.fits.assemble import assemble
from scaling.fits.powers import line
from scaling.fits.single_stage import need
from scaling.laws import power
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "approach2"
FORM = "interpolated minima"
POINTS_PER_SIZE = 25
LEAST_STEPS = 0.33 * POINTS_PER_SIZE  # a spread is at least so many steps of the grid

# Standard deviation of a loss from seed to seed, nats per token, by data set. The published code
# means to let it rise with the loss, but compares ln L with a threshold on L, so that every loss
# gets the lowest value; these are the ones its published intervals come from.
SEED_NOISE = {"rw": 0.002, "owt2": 0.01}


class Optimum(NamedTuple):
    """The optimum of one budget: ln N* and ln D* in each repetition, and its spread."""

    ln_params: Array
    ln_tokens: Array
    spread: float


def fit_with_seed_noise(runs: Runs, noise: float, bootstrap: Bootstrap) -> FitResult:
    """Fit N* and D* as powers of C as Porian et al. do.

    Args:
        noise: standard deviation of a loss from seed to seed.
        bootstrap: its draws and seed; the kind does not apply.

    Raises:
        InputError: fewer than three budgets with an optimum inside their grid.
    """
    compute = runs.column("compute_flops", LAW)
    params = runs.column("params", LAW)
    tokens = runs.column("train_tokens", LAW)
    loss = runs.column("nats_per_token", LAW)
    generator = bootstrap.generator()
    found: dict[float, Optimum] = {}
    for budget in np.unique(compute):
        rows = compute == budget
        optimum = _optimum(params[rows], tokens[rows], loss[rows], noise, bootstrap, generator)
        if optimum is not None:
            found[float(budget)] = optimum
    need(runs, LAW, (len(found), 3, "budgets with an optimum inside their grid"))
    ln_compute = np.log(np.array(list(found)))
    weights = np.array([one.spread**-2 for one in found.values()])
    middle = np.array([np.median(one.ln_params) for one in found.values()])
    middle_data = np.array([np.median(one.ln_tokens) for one in found.values()])
    fewest = min(len(one.ln_params) for one in found.values())
    clouds = np.stack([one.ln_params[:fewest] for one in found.values()], axis=1)
    clouds_data = np.stack([one.ln_tokens[:fewest] for one in found.values()], axis=1)
    estimates = {
        name: float(one) for name, one in _public(ln_compute, middle, middle_data, weights).items()
    }
    fitted = np.log(power.params(estimates, np.exp(ln_compute)))
    result = assemble(
        law=LAW,
        form=FORM,
        estimates=estimates,
        draws=_public(ln_compute, clouds, clouds_data, weights),
        observed=middle,
        residuals=middle - fitted,
        parameters=2,
        converged=True,
        method="Akima interpolation per budget; weighted least squares of ln N* on ln C",
        pipeline="",
        bootstrap=bootstrap._replace(kind="residuals"),
        runs=runs,
        inputs={"compute_flops": np.exp(ln_compute)},
        units={"residuals": "ln parameters"},
    )
    how = f"seed noise {noise:g} added to every loss, {fewest} draws, percentiles"
    return result.model_copy(update={"interval_method": how})


def fit_given_optima(compute: Array, params: Array, spread: Array) -> dict[str, float]:
    """Return n0 and a of the weighted power law through optima that somebody else found.

    Args:
        compute, params, spread: [n] C, N*, and the standard deviation of ln N*.
    """
    level, slope = line(np.log(compute), np.log(params), spread**-2)
    return {"n0": float(np.exp(level)), "a": float(slope)}


def _public(ln_compute: Array, params: Array, tokens: Array, weights: Array) -> dict[str, Array]:
    n_level, a = line(ln_compute, params, weights)
    d_level, b = line(ln_compute, tokens, weights)
    return {"n0": np.exp(n_level), "a": a, "d0": np.exp(d_level), "b": b}


def _optimum(
    params: Array,
    tokens: Array,
    loss: Array,
    noise: float,
    bootstrap: Bootstrap,
    generator: np.random.Generator,
) -> Optimum | None:
    """Return the optimum, or None where most repetitions put it at an end of the grid."""
    sizes = np.unique(params)
    if len(sizes) < 3:
        return None
    best = [np.flatnonzero(params == size)[np.argmin(loss[params == size])] for size in sizes]
    x, tokens, loss = np.log(params[best]), np.log(tokens[best]), loss[best]
    fine = np.linspace(x[0], x[-1], (len(x) - 1) * POINTS_PER_SIZE)
    noisy = loss[:, None] + noise * generator.standard_normal((len(x), bootstrap.draws))
    curves = Akima1DInterpolator(x, np.log(noisy))(np.clip(fine, x[0], x[-1]))
    place = np.argmin(curves, axis=0)
    inside = (place > 0) & (place < len(fine) - 1)
    if inside.sum() < bootstrap.draws // 2:
        return None
    stars = fine[place[inside]]
    spread = max(float(stars.std()), LEAST_STEPS * float(fine[1] - fine[0]))
    return Optimum(stars, np.interp(stars, x, tokens), spread * bootstrap.draws / int(inside.sum()))
