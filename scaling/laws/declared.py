"""What the declaration of a law is made of: `scaling.laws.registry` declares them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

BITS = "bits per byte"
NATS = "nats per token"


class Quantity(NamedTuple):
    """One thing a law can tell.

    Attributes:
        inputs: names of its inputs, all of them required.
        unit: of the answer.
        formula: (coefficients by name, **inputs) -> the answer; everything broadcasts.
    """

    inputs: tuple[str, ...]
    unit: str
    formula: Callable[..., Any]


Quantities = Mapping[str, Quantity]


class Options(NamedTuple):
    """What a law may be told besides its runs.

    Attributes:
        form: which form of the law; empty for its default.
        minima: how Law II finds the optima of runs, `parabola` or `lowest`.
        irreducible: E of the envelope.
        base: E, A, B, alpha and beta under the law of repeated data.
        chance: the task error of guessing, 1 where it is not known.
        parity: bytes per byte of English by language, for the laws over languages.
        target: languages of a mixture, `NAME=WEIGHT,NAME` or weights by name; empty for all alike.
    """

    form: str = ""
    minima: str = "parabola"
    irreducible: float | None = None
    base: Mapping[str, float] | None = None
    chance: float | None = None
    parity: Mapping[str, float] | None = None
    target: str | Mapping[str, float] = ""


DEFAULTS = Options()
MINIMA = ("parabola", "lowest")


class Law(NamedTuple):
    """A law that can be fitted.

    Attributes:
        about: one line of help.
        fit: `module:function`, (runs of one family, options, bootstrap) -> a result or several.
        quantities: `module:name` of what it predicts.
        columns: of a table, without which it cannot be fitted.
        forms: its forms, with their coefficients; none where there is but one.
        default: the form that is fitted where none is named.
        takes: the other fields of `Options` that mean something to it.
        resampling: how its intervals are found by default, `cases` or `residuals`.
        across: columns that divide families, of which this law takes several together.
        one_stage: whether they may come from the objective at the optimum as well.
        by_budget: whether it is of curves, each of several runs of one budget.
        units: of the residuals and the coefficients that have one.
    """

    about: str
    fit: str
    quantities: str
    columns: tuple[str, ...]
    forms: Mapping[str, tuple[str, ...]] = {}
    default: str = ""
    takes: tuple[str, ...] = ()
    resampling: str = "cases"
    across: tuple[str, ...] = ()
    one_stage: bool = False
    by_budget: bool = False
    units: Mapping[str, str] = {}
