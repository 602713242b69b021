"""A fitted mixture law: its runs, three regressions of every language, and the best mixture.

It carries its runs: a Gaussian process is made of them, and a report draws them.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from corpora.bootstrap import Interval, bounds_text
from corpora.errors import InputError
from corpora.json_file import read_content
from scaling.engine.bootstrap import percentiles
from scaling.engine.newton import Array
from scaling.engine.stored import DrawTable, Finite, StoredInterval, StoredNumber
from scaling.mixtures.regressions import (
    Process,
    exponential_value,
    gp_value,
    linear_value,
    squared_distances,
)
from scaling.result import FIT_REMEDY, Finding

FIT_FILE = "FIT.json"
_OF_A_MIXTURE = re.compile(rb'"law"\s*:\s*"mixture"')  # however an editor laid it out


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LanguageRegressions(_Stored):
    """One language's loss over the shares, by each form.

    Attributes:
        linear: [K + 1] intercept and slopes. exponential: [K + 1] c and u_j.
        length, noise, mean, pull: of the Gaussian process (`scaling.mixtures.regressions.Process`).
        draws: [draws, K + 1] bootstrap of `exponential`.
    """

    linear: tuple[StoredNumber, ...]
    exponential: tuple[StoredNumber, ...]
    length: Finite
    noise: Finite
    mean: Finite
    pull: tuple[Finite, ...]
    draws: DrawTable = np.empty((0, 0))

    def value(self, form: str, shares: Array, squares: Array) -> Array:
        """Return [m] losses at [m, K] shares, at [m, n] squared distances from those fitted."""
        if form == "linear":
            return linear_value(np.array(self.linear), shares)
        if form == "exponential":
            return exponential_value(np.array(self.exponential), shares)
        process = Process(self.length, self.noise, self.mean, np.array(self.pull))
        return gp_value(process, squares)


class FormError(_Stored):
    """How well a form predicts runs that it was not fitted to, each left out in turn.

    Attributes:
        of: `target`, or a language. form: `linear`, `exponential` or `gp`.
        rmse: root mean square error. rank_correlation: Spearman's, of predictions and losses;
            `interval` is its.
    """

    of: str
    form: str
    rmse: Finite
    rank_correlation: Finite
    interval: StoredInterval | None = None


class BestMixture(_Stored):
    """The lowest place of the exponential law under caps.

    Attributes:
        shares: [K]. intervals: of each share. draws: [draws, K], the best mixture of each.
        loss, losses: at it, of the target and of each language with a weight; `loss_interval` and
            `loss_intervals` are theirs, at the same mixture.
        caps: [K] largest shares. cost: what they add to the target's loss; `cost_interval` is its.
        gap: upper bound of what the search left, as a share of the loss above its floor.
    """

    shares: tuple[Finite, ...]
    intervals: tuple[StoredInterval | None, ...]
    draws: DrawTable = np.empty((0, 0))
    loss: Finite
    loss_interval: StoredInterval | None = None
    losses: dict[str, Finite]
    loss_intervals: dict[str, StoredInterval | None]
    caps: tuple[Finite, ...]
    cost: Finite
    cost_interval: StoredInterval | None = None
    gap: Finite


class MixtureArm(_Stored):
    """The runs of one tokenizer or patcher, and what was fitted to them.

    Attributes:
        name: empty where there is but one and the table does not name it.
        rows: [n] in the table. shares: [n, K]. losses: [n, L].
        regressions: of each language. errors: the table that compares the forms.
        best: the optimum. sampled: [K] the mean of the best of many draws, by the form chosen.
    """

    name: str
    rows: tuple[int, ...]
    shares: DrawTable
    losses: DrawTable
    regressions: dict[str, LanguageRegressions]
    errors: tuple[FormError, ...]
    best: BestMixture
    sampled: tuple[Finite, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def tried(self) -> NDArray[np.bool_]:
        """[K] whether a text is in some run."""
        return np.asarray((self.shares > 0).any(axis=0), np.bool_)

    @property
    def capped(self) -> bool:
        """Whether the best mixture has caps, but for the texts that no run has tried."""
        return bool((np.array(self.best.caps) < self.tried).any())

    def value(self, form: str, weights: Mapping[str, float], shares: Array) -> Array:
        """Return [m] weighted mean losses at [m, K] shares."""
        total = sum(weights.values())
        near = squared_distances(shares, self.shares) if form == "gp" else np.empty(0)
        parts = [
            weight / total * self.regressions[name].value(form, shares, near)
            for name, weight in weights.items()
            if weight
        ]
        return np.asarray(np.sum(parts, axis=0))


class ArmsApart(_Stored):
    """Whether the best mixture of one arm is that of another.

    Attributes:
        first, second: arms. differences: [K] shares of the first less those of the second, with
            `intervals` at the level that all of them hold together.
        moves: whether an interval leaves out 0; None without draws.
        cost_for_first: what the best mixture of the second adds to the loss of the first;
            cost_for_second: the other way round. Their intervals beside them.
    """

    first: str
    second: str
    differences: tuple[Finite, ...]
    intervals: tuple[StoredInterval | None, ...]
    moves: bool | None
    cost_for_first: Finite
    cost_for_first_interval: StoredInterval | None = None
    cost_for_second: Finite
    cost_for_second_interval: StoredInterval | None = None


class MixtureLaw(_Stored):
    """A mixture law fitted to a table.

    Attributes:
        form: by which losses are predicted. chosen: whether leave-one-out chose it.
        texts: K. languages: L. target: weights of the languages whose mean is minimised.
        unit: of the losses. level: of all intervals. seed: of the bootstrap.
        text_bytes: of each text, those known. train_bytes: that a run read, if known.
        arms: one a tokenizer. apart: each pair of them.
        data, data_sha256: the table.
    """

    law: Literal["mixture"] = "mixture"
    form: str
    chosen: bool
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    target: dict[str, Finite]
    unit: str
    level: float
    seed: int | None
    text_bytes: dict[str, Finite]
    train_bytes: Finite | None
    arms: tuple[MixtureArm, ...]
    apart: tuple[ArmsApart, ...] = ()
    data: str
    data_sha256: str

    @property
    def name(self) -> str:
        """What the target is called: a language, or the weights of several."""
        return weights_text(self.target, self.languages)

    def arm(self, name: str) -> MixtureArm:
        """Return the arm of that name, or the only one.

        Raises:
            InputError: there is none of that name, or several and no name.
        """
        if not name and len(self.arms) == 1:
            return self.arms[0]
        for arm in self.arms:
            if name and arm.name == name:
                return arm
        names = ", ".join(arm.name or "(no name)" for arm in self.arms)
        what = f"no arm is called {name!r}" if name else "there are several"
        raise InputError(f"`arm`: {what}; name one of {names}")


class WithInterval(NamedTuple):
    """A number and its interval."""

    value: float
    interval: Interval | None


def spread(value: float, draws: Array, level: float) -> WithInterval:
    """Return a value with the percentile interval of its draws, none where there are none."""
    if not len(draws):
        return WithInterval(value, None)
    low, high = percentiles(draws, level)
    return WithInterval(value, Interval(float(low), float(high)))


def shown(value: float, interval: Interval | None, digits: int = 4) -> str:
    """Return a number with its interval, where there is one."""
    ends = "" if interval is None else f" {bounds_text(*interval, digits)}"
    return f"{value:.{digits}g}{ends}"


def weights_text(weights: Mapping[str, float], languages: Sequence[str]) -> str:
    """Return weights of languages in a few words."""
    named = {name: weight for name, weight in weights.items() if weight}
    if len(named) == 1:
        return next(iter(named))
    if len(set(named.values())) == 1:
        all_ = len(named) == len(languages) > 3
        return f"mean of {f'all {len(named)} languages' if all_ else ', '.join(named)}"
    return ", ".join(f"{name} x {weight:g}" for name, weight in named.items())


def read_mixture(path: Path) -> MixtureLaw | None:
    """Return the mixture law of a file; None where it holds a fit of another law.

    Raises:
        InputError: it is a mixture's, and damaged, or more than can be held.
    """
    content = read_content(path, FIT_REMEDY)
    if not _OF_A_MIXTURE.search(content):
        return None
    try:
        return MixtureLaw.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        said = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise InputError(f"{path}: not a mixture's fit ({said})") from error
