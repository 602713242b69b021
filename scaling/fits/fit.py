"""Fitting a law by its name: one result per family, and per budget where the law is of one."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from corpora.errors import InputError, did_you_mean
from scaling.engine.bootstrap import CASES, RESIDUALS, Bootstrap
from scaling.fits.chinchilla import CHARGES, fit_chinchilla
from scaling.fits.findings import vary
from scaling.fits.isoflop import fit_parabolas
from scaling.fits.joint import FORMS as JOINT_FORMS
from scaling.fits.joint import fit_joint
from scaling.fits.joint_rivals import fit_joint_terms
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.overtraining import fit_overtraining
from scaling.fits.powers import fit_approach1, fit_approach2, fit_envelope
from scaling.fits.repeated import fit_repeated
from scaling.fits.single_stage import FAMILY, Context, fit_each
from scaling.fits.surface import fit_surfaces
from scaling.fits.vocabulary import fit_vocabulary
from scaling.laws.joint import DEFAULT_FORM
from scaling.laws.law2 import FORMS as LAW2_FORMS
from scaling.laws.vocabulary import FORMS as VOCABULARY_FORMS
from scaling.result import FitResult
from scaling.runs import LOSSES, Runs


class Options(NamedTuple):
    """What a law may be told besides its runs.

    Attributes:
        form: which form of the law; empty for the law's own choice.
        minima: how Law II finds the optima of runs, `parabola` or `lowest`.
        irreducible: E of the envelope.
        base: E, A, B, alpha and beta under the law of repeated data.
    """

    form: str = ""
    minima: str = "parabola"
    irreducible: float | None = None
    base: Mapping[str, float] | None = None


class Law(NamedTuple):
    """A law that can be asked for.

    Attributes:
        about: one line of help.
        forms: its forms, the default first.
        bootstrap: its own way of resampling.
        fit: (runs of one family, options, bootstrap) -> results.
    """

    about: str
    forms: tuple[str, ...]
    bootstrap: Bootstrap
    fit: Callable[[Runs, Options, Bootstrap], tuple[FitResult, ...]]


def fit(
    runs: Runs, law: str, options: Options, bootstrap: Bootstrap | None = None
) -> list[FitResult]:
    """Fit a law to a table, to each tokenization, language and data set in it on its own.

    One of them that cannot be fitted has a result that says why, if another one can be.

    Args:
        bootstrap: how intervals are found; None for the law's own way.

    Raises:
        InputError: the law or form is unknown, or the table lacks what the law needs.
    """
    if law not in LAWS:
        raise InputError(f"law {law!r} is unknown{did_you_mean(law, LAWS)} ({', '.join(LAWS)})")
    chosen = LAWS[law]
    if options.form and options.form not in chosen.forms:
        has = ", ".join(chosen.forms) or "none"
        raise InputError(
            f"{law} has no form {options.form!r}{did_you_mean(options.form, chosen.forms)} ({has})"
        )
    kind = (bootstrap or chosen.bootstrap).kind
    if kind in ("hessian", "profile") and law not in ONE_STAGE:
        raise InputError(
            f"{law} is fitted in stages, and {kind} intervals see only the last; use cases or "
            f"residuals ({kind} intervals are offered for {', '.join(ONE_STAGE)})"
        )
    _refuse_unused(law, options)

    def fit_one(context: Context, family: Runs) -> tuple[FitResult, ...]:
        _refuse_constant(family, context)
        return chosen.fit(family, options, bootstrap or chosen.bootstrap)

    return list(fit_each(law, runs.groups(FAMILY), fit_one))


def _refuse_unused(law: str, options: Options) -> None:
    """Refuse what was asked of another law than the one that takes it."""
    usual = Options()
    for option, takes in (("minima", "law2"), ("irreducible", "envelope"), ("base", "repeated")):
        if law != takes and getattr(options, option) != getattr(usual, option):
            raise InputError(f"--{option} is for {takes}; leave it out of {law}")


def _refuse_constant(runs: Runs, context: Context) -> None:
    """Refuse losses that differ by nothing but rounding: a law would be fitted to that."""
    for column in LOSSES:
        if runs.has(column):
            losses = runs.column(column, "a law")
            if len(losses) > 1 and not vary(losses):
                where = "".join(f", {name} {value}" for name, value in context.items())
                raise InputError(
                    f"{runs.name}{where}: {column} is {losses[0]:g} in every row, so nothing can be"
                    " learnt; see how the table was made"
                )


def _isoflop(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return fit_parabolas(runs, bootstrap)


def _surface(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return fit_surfaces(runs, bootstrap)


def _law1(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return (fit_law1(runs, bootstrap),)


def _law2(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    form = options.form or LAWS["law2"].forms[0]
    return (fit_law2(runs, form, bootstrap, options.minima),)


def _chinchilla(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    charge = options.form or LAWS["chinchilla"].forms[0]
    return (fit_chinchilla(runs, charge, bootstrap),)


def _approach1(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return (fit_approach1(runs, bootstrap),)


def _approach2(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return (fit_approach2(runs, bootstrap),)


def _envelope(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    if options.irreducible is None:
        raise InputError("envelope needs the irreducible loss E: give --irreducible, e.g. 1.6")
    return (fit_envelope(runs, options.irreducible, bootstrap),)


def _overtraining(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return (fit_overtraining(runs, bootstrap),)


def _vocabulary(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return (fit_vocabulary(runs, options.form or LAWS["vocabulary"].forms[0], bootstrap),)


def _repeated(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    if options.base is None:
        raise InputError(
            "repeated needs a Chinchilla law of one epoch to stand on: give --base FIT.json, "
            "or --base muennighoff-repeated for the published one"
        )
    return (fit_repeated(runs, options.base, bootstrap),)


def _joint(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return (fit_joint(runs, options.form or DEFAULT_FORM, bootstrap),)


def _joint_terms(runs: Runs, options: Options, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    return (fit_joint_terms(runs, bootstrap),)


# Laws for which an interval may come from the objective at the optimum instead of from replicates.
ONE_STAGE = ("law2", "chinchilla", "overtraining", "vocabulary", "repeated", "joint", "joint-terms")
LAWS: Mapping[str, Law] = {
    "isoflop": Law("a parabola in ln B for every budget and rate", (), RESIDUALS, _isoflop),
    "isoflop-surface": Law("a paraboloid in ln T and ln rho per budget", (), CASES, _surface),
    "law1": Law("B*, N* and rho* as powers of compute and rate", (), RESIDUALS, _law1),
    "law2": Law(
        "the price of a compression rate, and T*(C)",
        tuple(reversed(LAW2_FORMS)),
        RESIDUALS,
        _law2,
    ),
    "chinchilla": Law("L = E + A / N^alpha + B / D^beta", tuple(CHARGES), CASES, _chinchilla),
    "approach1": Law("N* and D* along the envelope of losses", (), CASES, _approach1),
    "approach2": Law("N* and D* through the isoFLOP minima", (), RESIDUALS, _approach2),
    "envelope": Law("L* = E + A C^-alpha with E given", (), RESIDUALS, _envelope),
    "overtraining": Law("one exponent for size and data", (), CASES, _overtraining),
    "vocabulary": Law(
        "loss by vocabulary size", tuple(reversed(VOCABULARY_FORMS)), CASES, _vocabulary
    ),
    "repeated": Law("what an epoch more is worth", (), CASES, _repeated),
    "joint": Law(
        "every run in one formula",
        (DEFAULT_FORM, *(form for form in JOINT_FORMS if form != DEFAULT_FORM)),
        CASES,
        _joint,
    ),
    "joint-terms": Law("its rival of nine coefficients", (), CASES, _joint_terms),
}
