"""Law II's nested forms: coordinates to fit them in, and the one that a table speaks for."""

from typing import NamedTuple

import numpy as np

from scaling.engine.newton import SQUARES, Array, Predictor, minimise
from scaling.engine.problem import Problem, grid, search
from scaling.fits.assemble import goodness
from scaling.fits.findings import ROUNDING, note, vary
from scaling.laws.registry import LAWS
from scaling.result import Finding

FORMS = LAWS["law2"].forms
GAMMAS = -np.geomspace(0.02, 1.0, 24)
DELTAS = np.linspace(-0.15, 0.3, 19)
# Where the bowl follows compute: fewer of those, and phi, and ln T* as a share of the rates.
FEW_GAMMAS, FEW_DELTAS, PHIS = GAMMAS[::3], DELTAS[::4], np.array([0.0, 0.1, 0.25])
PLACES = np.linspace(0.1, 0.9, 5)
BASE, RICHER = LAWS["law2"].default, ("proportional", "shrinking")
FEWEST_BUDGETS, FEWEST_RATES = 5, 3  # of a choice: three are left when two are left out


class LeftOut(NamedTuple):
    """How a form predicts budgets that it has not seen: root mean square errors, bits per byte.

    Attributes:
        largest, two_largest: of the largest budget, and of the two largest, from the others.
        each: of every budget, each predicted from the others.
        aicc: of the form fitted to all.
    """

    largest: float
    two_largest: float
    each: float
    aicc: float


def leave_budgets_out(form: str, compute: Array, rate: Array, loss: Array) -> LeftOut:
    """Return how a form predicts the largest budgets of [m] optima, and each, from the others."""
    problem, starts = make_problem(form, compute, rate, loss)
    theta = problem.fit(starts)[0].theta
    budgets = np.unique(compute)
    left_out = np.stack([*(compute == budget for budget in budgets), compute >= budgets[-2]])
    again = np.repeat(theta, len(left_out), axis=0)
    kept = minimise(problem.model, loss, np.where(left_out, 0.0, 1.0), again, problem.loss)
    missed = (loss - problem.model.value(kept.theta)) ** 2
    errors = np.sqrt(np.sum(missed, axis=1, where=left_out) / left_out.sum(axis=1))
    aicc = goodness(loss, problem.residuals(theta), len(FORMS[form])).get("aicc", np.inf)
    each = float(np.sqrt(np.mean(errors[:-1] ** 2)))
    return LeftOut(float(errors[-2]), float(errors[-1]), each, float(aicc))


def chosen_form(compute: Array, rate: Array, loss: Array) -> tuple[str, list[Finding]]:
    """Return the form to fit to [m] optima where none is named, and a note where it is not `BASE`.

    A bowl that shrinks is taken where it predicts the largest budget, and the two largest, with
    less error than the paper's form does, and has the lower AICc as well; of two such forms, that
    with the least error at the two largest.
    """
    few = len(np.unique(compute)) < FEWEST_BUDGETS or len(np.unique(rate)) < FEWEST_RATES
    if few or not vary(loss):
        return BASE, []
    base = leave_budgets_out(BASE, compute, rate, loss)
    if base.each <= ROUNDING * float(np.abs(loss).max()):
        return BASE, []  # what it leaves is rounding
    rivals = [form for form in RICHER if len(FORMS[form]) + 2 < len(loss)]
    tried = {form: leave_budgets_out(form, compute, rate, loss) for form in rivals}
    better = [
        form
        for form, left_out in tried.items()
        if left_out.aicc < base.aicc
        and left_out.largest < base.largest
        and left_out.two_largest < base.two_largest
    ]
    if not better:
        return BASE, []
    form = min(better, key=lambda name: tried[name].two_largest)
    text = (
        f"{form}: it predicts the largest budget from the others to {tried[form].largest:.2g} bits"
        f" per byte, and the two largest to {tried[form].two_largest:.2g}; {BASE} to"
        f" {base.largest:.2g} and {base.two_largest:.2g}"
    )
    return form, [note("form chosen", text)]


def make_problem(form: str, compute: Array, rate: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the engine's problem and its starts, in logarithms from the data's centre."""
    coordinates = _Law2Coordinates(form, np.log(compute), np.log(rate))
    model = Predictor(coordinates.value, coordinates.jacobian)
    problem = Problem(model, loss, SQUARES, FORMS[form], coordinates.public)
    return problem, coordinates.starts(loss)


class _Law2Coordinates:
    """Law II in centred coordinates, c = ln C - mean and t = ln T - mean.

    theta follows the form's names, with l = L0' and e = E linear, f = F' or K and tau = ln T0':
    `l exp(gamma c) + e + f w (t - tau + delta c)^2`, where w is exp(-phi c), or l exp(gamma c) of
    a bowl that is proportional to it.
    """

    def __init__(self, form: str, ln_compute: Array, ln_rate: Array) -> None:
        self.names = FORMS[form]
        self.centre, self.middle = float(ln_compute.mean()), float(ln_rate.mean())
        self.c, self.t = ln_compute - self.centre, ln_rate - self.middle

    def starts(self, loss: Array) -> Array:
        """Return the best grid nodes, the linear part solved at each."""
        if "phi" in self.names or "K" in self.names:
            return self._starts_of_shrinking(loss)
        axes = [GAMMAS, DELTAS] if "delta" in self.names else [GAMMAS]
        nodes = search(self._design, loss, np.ones(len(loss)), grid(axes), SQUARES, keep=6)
        level, floor = nodes.linear[:, 0], nodes.linear[:, 1]
        if "F" not in self.names:
            return np.stack([nodes.exponents[:, 0], level, floor], axis=1)
        f, slope = nodes.linear[:, 2], nodes.linear[:, 3]
        tau = -slope / (2 * np.where(f == 0, 1e-12, f))
        columns = [nodes.exponents[:, 0], level, floor - f * tau**2, f, tau]
        if "delta" in self.names:
            columns.append(nodes.exponents[:, 1])
        return np.stack(columns, axis=1)

    def public(self, theta: Array) -> dict[str, Array]:
        """Return the published coefficients, [R] each, in raw FLOPs and bytes per token."""
        p = dict(zip(self.names, theta.T, strict=True))
        with np.errstate(over="ignore"):
            p["L0"] = p["L0"] * np.exp(-p["gamma"] * self.centre)
            if "T0" in p:
                p["T0"] = np.exp(p["T0"] + self.middle + p.get("delta", 0.0) * self.centre)
            if "phi" in p:
                p["F"] = p["F"] * np.exp(p["phi"] * self.centre)
        return p

    def value(self, theta: Array) -> Array:
        """Return [R, m] losses."""
        value = theta[:, 1:2] * np.exp(theta[:, :1] * self.c) + theta[:, 2:3]
        if "T0" in self.names:
            value = value + theta[:, 3:4] * self._scale(theta) * self._away(theta) ** 2
        return np.asarray(value)

    def jacobian(self, theta: Array) -> Array:
        """Return [R, m, p] their derivatives."""
        power = np.exp(theta[:, :1] * self.c)
        columns = [theta[:, 1:2] * power * self.c, power, np.ones_like(power)]
        if "T0" in self.names:
            away, scale = self._away(theta), self._scale(theta)
            bowl = theta[:, 3:4] * scale * away**2
            if "K" in self.names:
                columns[0] = columns[0] + bowl * self.c
                columns[1] = power * (1 + theta[:, 3:4] * away**2)
            columns += [scale * away**2, -2 * theta[:, 3:4] * scale * away]
            if "delta" in self.names:
                columns.append(2 * theta[:, 3:4] * scale * away * self.c)
            if "phi" in self.names:
                columns.append(-bowl * self.c)
        return np.stack(columns, axis=-1)

    def _away(self, theta: Array) -> Array:
        away = self.t - theta[:, 4:5]
        return away + theta[:, 5:6] * self.c if "delta" in self.names else away

    def _scale(self, theta: Array) -> Array:
        """Return w, by which the bowl's curvature follows compute; 1 where it does not."""
        if "K" in self.names:
            return np.asarray(theta[:, 1:2] * np.exp(theta[:, :1] * self.c))
        if "phi" in self.names:
            return np.asarray(np.exp(-theta[:, 6:7] * self.c))
        return np.ones((len(theta), len(self.c)))

    def _design(self, exponents: Array) -> Array:
        """Return columns in which the form is linear: with u = t + delta c, f (u - tau)^2 is."""
        power = np.exp(exponents[:, :1] * self.c)
        ones = np.ones_like(power)
        if "F" not in self.names:
            return np.stack([power, ones], axis=-1)
        u = self.t + exponents[:, 1:] * self.c if "delta" in self.names else self.t * ones
        return np.stack([power, ones, u**2, u], axis=-1)

    def _starts_of_shrinking(self, loss: Array) -> Array:
        """Return the best nodes of gamma, delta, tau and phi, where the level, the floor and the
        bowl's curvature are linear; phi is -gamma of a proportional bowl."""
        tied = "K" in self.names
        places = np.quantile(self.t, PLACES)
        axes = [FEW_GAMMAS, FEW_DELTAS, places, *([] if tied else [PHIS])]

        def design(nodes: Array) -> Array:
            gamma, delta, tau = (nodes[:, [i]] for i in range(3))
            power = np.exp(gamma * self.c)
            scale = power if tied else np.exp(-nodes[:, [3]] * self.c)
            away = self.t - tau + delta * self.c
            return np.stack([power, np.ones_like(power), scale * away**2], axis=-1)

        best = search(design, loss, np.ones(len(loss)), grid(axes), SQUARES, keep=6)
        (gamma, delta, tau), (level, floor, f) = best.exponents.T[:3], best.linear.T
        if tied:
            return np.stack([gamma, level, floor, f / level, tau, delta], axis=1)
        return np.stack([gamma, level, floor, f, tau, delta, best.exponents[:, 3]], axis=1)
