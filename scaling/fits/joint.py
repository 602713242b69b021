"""Fitting the joint law and its rival: least squares over every run, one stage."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import SQUARES, Array, Predictor
from scaling.engine.problem import Problem, grid, search
from scaling.fits.assemble import columns, leave_out_largest, need
from scaling.fits.blocks import budgets_of
from scaling.fits.findings import upside_down
from scaling.fits.single_stage import SEARCH, OneStage, fit_stage, point
from scaling.laws import joint as law
from scaling.laws.registry import DEFAULTS, LAWS, Options, form_of
from scaling.result import FitResult
from scaling.runs import Runs

STARTS = 12
ADDITIVE = ("additive", "additive-shrinking")
FORMS = LAWS["joint"].forms
# Grid nodes per coefficient; those of T0 and rho0 follow the data.
NODES: Mapping[str, Array] = {
    "gamma": np.array([-0.12, -0.2, -0.3]),
    "kappa": np.array([0.15, 0.3]),
    "F": np.array([0.04, 0.12]),
    "g": np.array([0.0, 0.6]),
    "delta": np.array([0.0]),
    "epsilon": np.array([0.0]),
    "phi": np.array([0.0, 0.15]),
    "omega": np.array([0.1]),
    "chi": np.array([0.0]),
}


class Data(NamedTuple):
    """[n] columns of the runs."""

    compute: Array
    rate: Array
    bytes: Array
    loss: Array


def fit_joint(runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES) -> FitResult:
    """Fit a form of the joint law; the largest budget is also left out and predicted.

    Raises:
        InputError: form unknown, a column missing, or too few budgets, rates or runs.
    """
    form = form_of("joint", options.form)
    data = read(runs)
    need(
        runs,
        f"joint ({form})",
        (data.compute, 3, "compute budgets"),
        (data.rate, 3 if "F" in FORMS[form] else 1, "compression rates"),
        (len(data.loss), len(FORMS[form]) + 3, "runs"),
    )
    problem, starts = make_problem(form, data)
    _, cells = np.unique(np.stack([data.compute, data.rate]), axis=1, return_inverse=True)
    stage = OneStage(
        law="joint-additive" if form in ADDITIVE else "joint",
        form=form,
        method=f"least squares; {SEARCH}",
        problem=problem,
        starts=starts,
        formula=lambda p: _formula(form)(p, data.compute, data.rate, data.bytes),
        observed=data.loss,
        inputs={
            "compute_flops": data.compute,
            "compression_rate": data.rate,
            "train_bytes": data.bytes,
        },
        units=LAWS["joint"].units,
        conventions={"params": "effective: C T / (6 B)"},
        holdout=leave_out_largest(
            data.compute, data.loss, lambda left_out: predict_left_out(form, data, left_out)
        ),
        cells=cells.ravel(),
        block="cell",
        strata=budgets_of(data.compute),
        check=upside_down,
        exponents={"gamma": ("E", "L0")},
    )
    return fit_stage(stage, runs, bootstrap)


def fit_joint_terms(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit the nine-coefficient form by least squares.

    Raises:
        InputError: too few budgets, rates or runs, or a column missing.
    """
    name = "joint-terms"
    params, data, rate, loss = columns(runs, name)
    need(
        runs,
        name,
        (runs.column("compute_flops", name), 3, "compute budgets"),
        (rate, 3, "compression rates"),
        (len(loss), len(law.TERMS.names) + 3, "runs"),
    )
    problem, starts = terms_problem(params, data, rate, loss)
    stage = OneStage(
        law=name,
        form="sum of powers",
        method=f"least squares; {SEARCH}",
        problem=problem,
        starts=starts,
        formula=lambda p: law.terms_loss(p, params, data, rate),
        observed=loss,
        inputs={"params": params, "train_bytes": data, "compression_rate": rate},
        units=LAWS[name].units,
        conventions={},
        block="cell",
        strata=budgets_of(runs.column("compute_flops", name)),
        exponents={"alpha": ("A", "E"), "beta": ("B0", "E")},
    )
    return fit_stage(stage, runs, bootstrap)


def terms_problem(params: Array, data: Array, rate: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the engine's problem of the nine-coefficient form, and its starts."""
    return law.TERMS.problem({"N": params, "B": data, "T": rate}, loss, SQUARES, 8)


def read(runs: Runs) -> Data:
    """Return the columns the joint law needs.

    Raises:
        InputError: one is missing.
    """
    return Data(*columns(runs, "joint"))


def predict_left_out(form: str, data: Data, left_out: NDArray[np.bool_]) -> Array:
    """Return predictions of the rows left out, from a fit to the others."""
    kept = Data(*(column[~left_out] for column in data))
    p = point(*make_problem(form, kept))
    rows = (data.compute[left_out], data.rate[left_out], data.bytes[left_out])
    return _formula(form)(p, *rows)


def _formula(form: str) -> Callable[..., Array]:
    return law.loss_additive if form in ADDITIVE else law.loss


def make_problem(form: str, data: Data) -> tuple[Problem, Array]:
    """Return the engine's problem and its starts.

    theta follows the form's names, with (E, L0') linear, ln rho0' for rho0 and ln T0' for T0, all
    measured from the data's centre, where they are hardly correlated with the exponents.
    """
    return _JointCoordinates(form, data).problem(data.loss)


class _Factors(NamedTuple):
    """What a loss is made of, [R, n] or broadcast to it.

    Attributes:
        parts: [R, 1] of every coefficient. z: of the effective rho. steepness: k of the valley.
        shrunk: what is left of the bowl at C. away: ln T beside the best.
        bowl: its exponent, or what it adds. log_valley: ln of the valley's bracket.
        valley: the factor. reducible: what is left to learn at C.
    """

    parts: dict[str, Array]
    z: Array
    steepness: Array
    shrunk: Array
    away: Array
    bowl: Array
    log_valley: Array
    valley: Array
    reducible: Array


class _JointCoordinates:
    """The joint law in centred logarithms: c of C, t of T, z0 of the effective rho."""

    def __init__(self, form: str, data: Data) -> None:
        self.names = FORMS[form]
        self.additive = form in ADDITIVE
        c, t = np.log(data.compute), np.log(data.rate)
        ratio = np.log(6) + 2 * np.log(data.bytes) - c - t
        self.middle = np.array([c.mean(), t.mean(), ratio.mean()])
        self.c, self.t, self.ratio = c - self.middle[0], t - self.middle[1], ratio - self.middle[2]

    def problem(self, loss: Array) -> tuple[Problem, Array]:
        model = Predictor(self.value, self.jacobian)
        return Problem(model, loss, SQUARES, self.names, self.public), self._starts(loss)

    def public(self, theta: Array) -> dict[str, Array]:
        """Return the published coefficients, in raw FLOPs, bytes per token and bytes."""
        p = self._parts(theta)
        mc, mt, mr = self.middle
        exponents = ("gamma", "g", "delta", "epsilon", "phi", "omega", "chi")
        gamma, g, delta, epsilon, phi, omega, chi = (p[name][:, 0] for name in exponents)
        with np.errstate(over="ignore"):
            everything = {
                "E": p["E"][:, 0],
                "L0": p["L0"][:, 0] * np.exp(-gamma * mc),
                "gamma": gamma,
                "rho0": np.exp(p["rho0"][:, 0] + mr - g * mt - epsilon * mc),
                "F": p["F"][:, 0] * np.exp(phi * mc),
                "T0": np.exp(p["T0"][:, 0] + mt + delta * mc),
                "g": g,
                "kappa": p["kappa"][:, 0] * np.exp(omega * mc - chi * mt),
                "omega": omega,
                "chi": chi,
                "delta": delta,
                "epsilon": epsilon,
                "phi": phi,
            }
        return {name: everything[name] for name in self.names}

    def value(self, theta: Array) -> Array:
        at = self._factors(theta)
        if self.additive:
            return np.asarray(theta[:, :1] + at.reducible * at.valley + at.bowl)
        return np.asarray(theta[:, :1] + at.reducible * at.valley * np.exp(at.bowl))

    def jacobian(self, theta: Array) -> Array:
        p, z, k, shrunk, away, bowl, log_valley, valley, reducible = self._factors(theta)
        gamma, e = p["gamma"], p["epsilon"]
        scaled = reducible * valley * (1.0 if self.additive else np.exp(bowl))
        outer = np.ones_like(scaled) if self.additive else scaled
        share = 1 - e**2
        # d ln bracket: by z, by k at fixed z, by e at fixed z.
        with np.errstate(over="ignore"):  # far down the valley's side, where up is 0
            up = 1 / (1 + np.exp(np.log1p(e) - np.log1p(-e) - 2 * k * z))
        sides = (1 + e) * up - (1 - e) * (1 - up)
        by_z, by_k = k * sides, z * sides
        power = -gamma / (k * share)
        by_ratio = -scaled * power * by_z
        by_steepness = scaled * (power * by_k - power / k * log_valley)
        by_place = -outer * 2 * (p["F"] * shrunk) * away

        def by_e() -> Array:
            bracket = up * (k * z - 1 / (1 - e)) + (1 - up) * (k * z + 1 / (1 + e))
            moved = power * bracket + power * 2 * e / share * log_valley
            return np.asarray(scaled * (moved - power * by_z * self.c))

        # Forms have few of them: those that are not asked for are not worked out.
        slopes: dict[str, Callable[[], Array]] = {
            "E": lambda: np.ones_like(scaled),
            "L0": lambda: scaled / p["L0"],
            "gamma": lambda: scaled * (self.c - log_valley / (k * share)),
            "rho0": lambda: by_ratio,
            "F": lambda: outer * shrunk * away**2,
            "T0": lambda: by_place,
            "g": lambda: by_ratio * self.t,
            "kappa": lambda: by_steepness * k / p["kappa"],
            "omega": lambda: -by_steepness * k * self.c,
            "chi": lambda: by_steepness * k * self.t,
            "delta": lambda: -by_place * self.c,
            "phi": lambda: -outer * bowl * self.c,
            "epsilon": by_e,
        }
        found = {name: slopes[name]() for name in self.names}
        if "kappa" not in self.names:
            # kappa is tied to -gamma / (1 - e^2), the valley of two plain powers.
            by_kappa = slopes["kappa"]()
            found["gamma"] = found["gamma"] - by_kappa / share
            if "epsilon" in found:
                found["epsilon"] = found["epsilon"] + by_kappa * k * 2 * e / share
        return np.stack([np.broadcast_to(found[name], scaled.shape) for name in self.names], -1)

    def _parts(self, theta: Array) -> dict[str, Array]:
        """Return [R, 1] of every coefficient, those the form lacks at their neutral values."""
        p = {name: theta[:, [index]] for index, name in enumerate(self.names)}
        zero = np.zeros((len(theta), 1))
        p.setdefault("epsilon", zero)
        p.setdefault("delta", zero)
        p.setdefault("phi", zero)
        p.setdefault("omega", zero)
        p.setdefault("chi", zero)
        p.setdefault("g", zero + 1)
        p.setdefault("F", zero)
        p.setdefault("T0", zero)
        p.setdefault("kappa", -p["gamma"] / (1 - p["epsilon"] ** 2))
        return p

    def _factors(self, theta: Array) -> "_Factors":
        # What a form lacks is 0, and left out: it would be a column for every run.
        p = self._parts(theta)
        z = self.ratio - p["rho0"] - p["g"] * self.t
        if "epsilon" in self.names:
            z = z - p["epsilon"] * self.c
        k = p["kappa"]
        if "omega" in self.names or "chi" in self.names:
            k = k * np.exp(p["chi"] * self.t - p["omega"] * self.c)
        shrunk = np.exp(-p["phi"] * self.c) if "phi" in self.names else np.ones(1)
        away = self.t - p["T0"]
        if "delta" in self.names:
            away = away + p["delta"] * self.c
        power = -p["gamma"] / (k * (1 - p["epsilon"] ** 2))
        log_valley = law.log_valley(k, p["epsilon"], z)
        return _Factors(
            p,
            z,
            np.asarray(k),
            shrunk,
            away,
            p["F"] * shrunk * away**2,
            log_valley,
            np.exp(power * log_valley),
            p["L0"] * np.exp(p["gamma"] * self.c),
        )

    def _starts(self, loss: Array) -> Array:
        """Return the best grid nodes, E and L0 solved at each."""
        free = [name for name in self.names if name not in ("E", "L0")]
        places = {
            "T0": np.quantile(self.t, [0.35, 0.6]),
            "rho0": np.quantile(self.ratio, [0.25, 0.5, 0.75]),
        }
        nodes = grid([places[name] if name in places else NODES[name] for name in free])

        def design(exponents: Array) -> Array:
            theta = np.ones((len(exponents), len(self.names)))
            theta[:, [self.names.index(name) for name in free]] = exponents
            at = self._factors(theta)
            column = at.reducible * at.valley * (1.0 if self.additive else np.exp(at.bowl))
            return np.stack([np.ones_like(column), column], axis=-1)

        best = search(design, loss, np.ones(len(loss)), nodes, SQUARES, STARTS)
        theta = np.empty((len(best.linear), len(self.names)))
        theta[:, :2] = best.linear
        theta[:, [self.names.index(name) for name in free]] = best.exponents
        return theta
