"""The best rate, size and loss of each language: from runs, all languages in one bowl, or as given.

Runs of a language at one budget make a bowl in u = ln T and v = ln (B / N),

    ln L = level + k (u - u*)^2 + m (v - v*)^2 + c (u - u*)(v - v*),

whose place is the language's own and whose curvatures k, m and c all languages share: a wrong rate
costs each the same share of its loss. So a language of few rates has a place all the same. With
the squares shared, the rest is linear, and one least squares finds all. Where no more than one size
of a language was trained, the bowl is of u alone, and T* that of such a size.

Runs of one seed share noise, and so have a level of their own where each seed has several.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc

from corpora.errors import InputError
from scaling.engine.newton import Array
from scaling.engine.shared import Labels
from scaling.fits.assemble import need
from scaling.fits.findings import OUTSIDE, failure, warning
from scaling.fits.language_tables import LAW, OwnOptima
from scaling.fits.seed_levels import seeds_of
from scaling.laws.languages import LOSS, RATE, RATIO
from scaling.result import Finding
from scaling.runs import Runs

FEWEST = 3  # languages with an optimum of their own
SURE = 0.01  # p-value below which bowls are said to differ
STEEP = 4.0  # standard errors that a bowl's curvature is above 0, below which it is said to be flat
SAME = np.log(1.05)  # rates nearer to each other are one, realised twice
_STEP = 1e-6
LanguageNames = np.ndarray[tuple[int], np.dtype[np.str_]]


class _Bowls(NamedTuple):
    """The linear form of all bowls: design [n, p], [n] ln L, and where the coefficients stand.

    Attributes:
        places: names of what is sought, `RATE` or `RATE` and `RATIO`.
        told: those, and `LOSS` where a level is that of the best size or of the only one.
        level: [levels] which language each level is of.
        centre: of u and v.
    """

    design: Array
    observed: Array
    places: tuple[str, ...]
    told: tuple[str, ...]
    level: Labels
    centre: Array


def found_optima(runs: Runs, labels: Sequence[str]) -> OwnOptima | Finding:
    """Return the optima that runs of one budget tell, or the failure that there are none.

    Raises:
        InputError: fewer than three languages have two compression rates, or no language has three,
            or there are fewer runs than the bowls have coefficients.
    """
    label = np.array(labels, dtype=str)
    rate, loss = runs.column(RATE, LAW), runs.column(LOSS, LAW)
    names, others = _with_two(label, rate)
    need(runs, LAW, (len(names), FEWEST, "languages of two compression rates or more"))
    sizes = runs.column("params", LAW) if runs.has("params") else np.ones(len(runs))
    places: tuple[str, ...] = (RATE,)
    if runs.has("params") and runs.has("train_bytes"):
        sized, unsized = _with_two(label, sizes)
        both = [name for name in names if name in sized]
        most = max((len(np.unique(sizes[label == name])) for name in both), default=0)
        if len(both) >= FEWEST and most >= 3:
            places = (RATE, RATIO)
            others |= {name: "has runs of one size" for name in names if name in unsized}
            names = both
    kept = np.isin(label, names)
    label, rate, loss, sizes = label[kept], rate[kept], loss[kept], sizes[kept]
    if max(_different(rate[label == name]) for name in names) < 3:
        raise InputError(
            f"{runs.name}: {LAW}: no language has three compression rates, so nothing tells how"
            " much a wrong one costs; train more"
        )
    coordinates = [np.log(rate)]
    if RATIO in places:
        coordinates.append(np.log(runs.column("train_bytes", LAW)[kept] / sizes))
    mixed = runs.rows["mixture"].to_numpy()[kept] if "mixture" in runs.rows.columns else None
    seeds = seeds_of(runs)
    seeds = None if seeds is None else seeds[kept]
    apart = (None if RATIO in places else sizes, mixed)
    levels = _levels([label, *(part.astype(str) for part in apart if part is not None)], seeds)
    one_size = all(len(np.unique(sizes[label == name])) == 1 for name in names)
    told = (*places, LOSS) if RATIO in places or one_size else places
    bowls = _make_bowls(names, label, levels, coordinates, np.log(loss), places, told)
    n, p = bowls.design.shape
    if n <= p or np.linalg.matrix_rank(bowls.design) < p:
        raise InputError(
            f"{runs.name}: {LAW}: {n} runs are too few, or lie at too few rates and sizes, for"
            f" {len(names)} languages ({p} coefficients){runs.remedy_of_few}"
        )
    return _solved(bowls, names, others, label, rate)


def _different(values: Array) -> int:
    """Return how many values there are, those that a realised rate scatters over counted as one."""
    return len(np.unique(np.round(np.log(values) / SAME)))


def _with_two(label: LanguageNames, values: Array) -> tuple[list[str], dict[str, str]]:
    """Return the languages of two values or more, and why the others are not."""
    names = [str(name) for name in dict.fromkeys(label.tolist())]
    enough = [name for name in names if _different(values[label == name]) > 1]
    return enough, {name: "has runs of one rate" for name in names if name not in enough}


def _levels(parts: Sequence[LanguageNames], seeds: LanguageNames | None) -> Labels:
    """Return [n] the level of each run: of its language, of its size where that is not fitted, of
    its mixture of texts, and of its seed where every seed has several runs.

    Args:
        parts: [n] each, but the seeds.
    """
    if seeds is not None:
        by_seed, counts = _numbered([*parts, seeds])
        if counts.min() > 1:
            return by_seed
    return _numbered(parts)[0]


def _numbered(columns: Sequence[LanguageNames]) -> tuple[Labels, Labels]:
    """Return [n] the number of each row's combination, from 0, and how often each comes."""
    found = np.unique(np.stack(columns), axis=1, return_inverse=True, return_counts=True)
    return found[1].ravel(), found[2]


def _make_bowls(
    names: Sequence[str],
    label: LanguageNames,
    levels: Labels,
    coordinates: Sequence[Array],
    observed: Array,
    places: tuple[str, ...],
    told: tuple[str, ...],
) -> _Bowls:
    number = np.array([names.index(name) for name in label])
    centre = np.array([x.mean() for x in coordinates])
    u = [x - middle for x, middle in zip(coordinates, centre, strict=True)]
    of_level = np.eye(int(levels.max()) + 1)[levels]
    of_language = np.eye(len(names))[number]
    squares = [u[0] ** 2, *([u[1] ** 2, u[0] * u[1]] if len(u) > 1 else [])]
    slopes = [of_language * x[:, None] for x in u]
    design = np.concatenate([of_level, *slopes, np.stack(squares, axis=1)], axis=1)
    owner = np.array([number[levels == level][0] for level in range(of_level.shape[1])])
    return _Bowls(design, observed, places, told, owner, centre)


def _optimum(bowls: _Bowls, theta: Array, languages: int) -> Array:
    """Return the places and ln L* of every language, [places + 1, m], and the least curvature."""
    count, sought = len(bowls.level), len(bowls.places)
    levels, slopes = theta[:count], theta[count : count + sought * languages].reshape(sought, -1)
    square = theta[count + sought * languages :]
    bend = np.array([[square[0]]])
    if sought > 1:
        bend = np.array([[square[0], square[2] / 2], [square[2] / 2, square[1]]])
    inverse = np.linalg.inv(bend)
    where = -0.5 * inverse @ slopes
    dip = 0.25 * np.einsum("il,ij,jl->l", slopes, inverse, slopes)
    mean = np.array([levels[bowls.level == one].mean() for one in range(languages)])
    places = where + bowls.centre[:, None]
    return np.concatenate([places.ravel(), mean - dip, np.linalg.eigvalsh(bend)[:1]])


def _solved(
    bowls: _Bowls,
    names: Sequence[str],
    others: Mapping[str, str],
    label: LanguageNames,
    rate: Array,
) -> OwnOptima | Finding:
    m, (n, p) = len(names), bowls.design.shape
    theta: Array = np.linalg.lstsq(bowls.design, bowls.observed, rcond=None)[0].astype(float)
    residuals = bowls.observed - bowls.design @ theta
    variance = float(residuals @ residuals) / (n - p)
    found = _optimum(bowls, theta, m)
    if not found[-1] > 0:
        text = "the losses of the languages form no bowl, so no rate or size is best"
        return failure("no minimum in T", text)
    step = _STEP * np.maximum(np.abs(theta), 1e-2)
    jacobian = np.stack(
        [
            (_optimum(bowls, theta + e, m) - _optimum(bowls, theta - e, m)) / (2 * e.sum())
            for e in np.diag(step)
        ],
        axis=1,
    )
    covariance = variance * jacobian @ np.linalg.inv(bowls.design.T @ bowls.design) @ jacobian.T
    rows = {name: slice(i * m, (i + 1) * m) for i, name in enumerate(bowls.told)}
    errors = {name: covariance[part, part] for name, part in rows.items()}
    if LOSS in errors:
        errors[LOSS] = errors[LOSS] + np.diag(_between_levels(bowls, theta, m))
    logs = {name: found[part] for name, part in rows.items()}
    findings = _bowl_findings(bowls, theta, residuals, names, label)
    steepness = float(found[-1] / np.sqrt(max(covariance[-1, -1], 1e-300)))
    if steepness < STEEP:
        text = (
            f"the bowl's curvature is {steepness:.2g} times its own standard error: these runs"
            " hardly tell a best place, and the languages' own are crude; train rates further apart"
        )
        findings.append(warning("flat minimum", text))
    findings += _beyond_own_rates(names, logs[RATE], label, rate)
    method = f"one bowl in {'ln T' if RATIO not in errors else 'ln T and ln rho'} of {n} runs"
    return OwnOptima(
        tuple(names), dict(others), logs, errors, float(n - p), method, tuple(findings)
    )


def _between_levels(bowls: _Bowls, theta: Array, languages: int) -> Array:
    """Return [m] variance of each language's mean level, from how levels of one language differ."""
    levels = theta[: len(bowls.level)]
    of = [levels[bowls.level == one] for one in range(languages)]
    free = sum(len(part) - 1 for part in of)
    squares = sum(float(np.sum((part - part.mean()) ** 2)) for part in of)
    return np.array([squares / max(free, 1) / len(part) for part in of])


def _bowl_findings(
    bowls: _Bowls, theta: Array, residuals: Array, names: Sequence[str], label: LanguageNames
) -> list[Finding]:
    """Return a finding where the bowls of languages differ by more than noise (an F test)."""
    squares = 1 if len(bowls.places) == 1 else 3
    shared = bowls.design[:, -squares:]
    own = np.concatenate(
        [bowls.design, *(shared * (label == name)[:, None] for name in names[1:])], axis=1
    )
    n, p = bowls.design.shape
    rank = int(np.linalg.matrix_rank(own))
    if n <= rank or rank == p:
        return []
    apart = bowls.observed - own @ np.linalg.lstsq(own, bowls.observed, rcond=None)[0]
    inside, all_in_one = float(apart @ apart), float(residuals @ residuals)
    ratio = (all_in_one - inside) / (rank - p) / max(inside / (n - rank), 1e-300)
    if fdtrc(rank - p, n - rank, max(ratio, 0.0)) >= SURE:
        return []
    missed = {name: float(np.sum(residuals[label == name] ** 2)) for name in names}
    worst = max(missed, key=lambda name: missed[name])
    text = (
        f"the languages' bowls differ in more than their place (F {ratio:.3g}), most that of"
        f" {worst}, with {missed[worst] / all_in_one:.0%} of what one bowl misses: their errors are"
        f" larger than said; fit without {worst} as well"
    )
    return [warning("bowls differ", text)]


def _beyond_own_rates(
    names: Sequence[str], log_rate: Array, label: LanguageNames, rate: Array
) -> list[Finding]:
    said = []
    for name, best in zip(names, np.exp(log_rate), strict=True):
        low, high = rate[label == name].min(), rate[label == name].max()
        if not low <= best <= high:
            said.append(f"{name} {best:.3g} ({low:.3g} to {high:.3g})")
    if not said:
        return []
    text = f"T* of its own runs lies outside the rates trained: {', '.join(said)}"
    return [warning(OUTSIDE, text)]
