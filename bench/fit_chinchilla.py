"""One Chinchilla fit and 4000 bootstraps, beside the usual loop of 4500 starts of L-BFGS.

    python bench/fit_chinchilla.py [RUNS.csv] [--starts N]

Both minimise the same summed log-Huber objective (delta 1e-3) of the same points, in one run; RUNS
has columns C, N, D and loss, and without it as many points are made from a known law. The usual
loop starts scipy's L-BFGS-B from the grid of Hoffmann et al. 2022 (4500 points), with scipy's own
difference gradients as it is usually written, and once more with the exact gradient.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import minimize
from scipy.special import huber

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.fits.chinchilla import ANNEALED, CHARGES, make_problem
from scaling.laws import chinchilla
from scaling.published.tables import BESIROGLU_REFIT
from scaling.read_runs import read_runs

DELTA = 1e-3
POINTS = 234
GRID = (
    np.arange(0, 30, 5.0),  # a
    np.arange(0, 30, 5.0),  # b
    np.arange(-1, 1.5, 0.5),  # e
    np.arange(0, 2.5, 0.5),  # alpha
    np.arange(0, 2.5, 0.5),  # beta
)


def points(path: str | None) -> tuple[Array, Array, Array]:
    """Return N, D and the loss of a table, or of as many planted runs."""
    if path:
        runs = read_runs(path)
        params, tokens = runs.column("params", "bench"), runs.column("train_tokens", "bench")
        return params, tokens, runs.column("nats_per_token", "bench")
    random = np.random.default_rng(0)
    compute = 10 ** random.uniform(18, 21.5, POINTS)
    params = np.sqrt(compute / 120) * 10 ** random.uniform(-0.6, 0.6, POINTS)
    tokens = compute / 6 / params
    loss = chinchilla.loss(BESIROGLU_REFIT.estimates, params, tokens)
    return params, tokens, loss * np.exp(0.005 * random.standard_normal(POINTS))


def usual_loop(params: Array, tokens: Array, loss: Array, starts: int, exact: bool) -> Array:
    """Return (a, b, e, alpha, beta) of the best of the starts, as everybody's script finds them."""
    x, y, target = np.log(params), np.log(tokens), np.log(loss)

    def terms(theta: Array) -> Array:
        a, b, e, alpha, beta = theta
        return np.stack([a - alpha * x, b - beta * y, np.full_like(x, e)])

    def objective(theta: Array) -> float:
        with np.errstate(over="ignore"):
            return float(huber(DELTA, np.logaddexp.reduce(terms(theta)) - target).sum())

    def gradient(theta: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            logs = terms(theta)
            value = np.logaddexp.reduce(logs)
            share = np.exp(logs - value)
            slope = np.clip(value - target, -DELTA, DELTA)
            a, b, e = share * slope
            return np.array([a.sum(), b.sum(), e.sum(), -(a @ x), -(b @ y)])

    best, lowest = np.zeros(5), np.inf
    for start in itertools.islice(itertools.product(*GRID), starts):
        found = minimize(
            objective, np.array(start), method="L-BFGS-B", jac=gradient if exact else None
        )
        if found.fun < lowest:
            best, lowest = found.x, float(found.fun)
    return np.array([lowest, *best])


def ours(params: Array, tokens: Array, loss: Array) -> Array:
    """Return the objective and the coefficients by grid and Newton."""
    problem, starts = make_problem(params, tokens, loss, CHARGES["log-huber"])
    best, _ = problem.fit(starts, ANNEALED)
    p = problem.public(best.theta)
    logs = [np.log(p["A"][0]), np.log(p["B"][0]), np.log(p["E"][0])]
    return np.array([best.objective[0], *logs, p["alpha"][0], p["beta"][0]])


def timed(work: Callable[[], Array]) -> tuple[float, Array]:
    """Return CPU seconds and what came of them."""
    begin = time.process_time()
    answer = work()
    return time.process_time() - begin, answer


def main() -> None:
    """Print the three side by side, then the bootstraps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("runs", nargs="?")
    parser.add_argument("--starts", type=int, default=4500)
    parser.add_argument("--bootstraps", type=int, default=4000)
    arguments = parser.parse_args()
    data = points(arguments.runs)
    ours(*data)  # the first call pays for imports
    seconds, found = timed(lambda: ours(*data))
    rows = [("grid and Newton", seconds, found)]
    for kind, exact in (("difference", False), ("exact", True)):
        cpu, found = timed(partial(usual_loop, *data, arguments.starts, exact))
        rows.append((f"{arguments.starts} starts of L-BFGS, {kind} gradient", cpu, found))
    print(f"{len(data[0])} points, log-Huber, delta {DELTA:g}")
    for name, cpu, row in rows:
        e, a, b = np.exp(row[3]), np.exp(row[1]), np.exp(row[2])
        print(
            f"{name:<48}{cpu:9.3f} CPU s  x {cpu / seconds:8.1f}  objective {row[0]:.13f}"
            f"  E {e:.5f} A {a:.2f} B {b:.2f} alpha {row[4]:.5f} beta {row[5]:.5f}"
        )
    problem, starts = make_problem(*data, CHARGES["log-huber"])
    best, _ = problem.fit(starts, ANNEALED)
    resampling = Bootstrap("cases", arguments.bootstraps)
    cells = np.zeros(len(data[0]), np.int64)
    cpu, draws = timed(lambda: problem.redraw(best.theta, resampling, cells))
    lost = int(np.isnan(draws).any(axis=1).sum())
    print(f"{arguments.bootstraps} bootstraps: {cpu:.2f} CPU s, {lost} not converged")


if __name__ == "__main__":
    main()
