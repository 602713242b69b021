"""Fitting the mixture law: every language, form and arm, and the best mixture of a target."""

from collections.abc import Mapping

import numpy as np

from corpora.arguments import whole
from corpora.bootstrap import Interval
from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, Bootstrap, case_weights, percentiles
from scaling.engine.newton import Array
from scaling.fits.assemble import need
from scaling.laws.registry import DEFAULTS, Options, Quantities, Quantity
from scaling.mixtures.arms import arms_apart
from scaling.mixtures.design import epoch_caps, share_caps
from scaling.mixtures.findings import arm_findings
from scaling.mixtures.optimum import LanguageDraws, best_mixture, sampled_mixture
from scaling.mixtures.regressions import (
    FORMS,
    exponential_fit,
    exponential_fits,
    exponential_left_out,
    gp_fit,
    kernel_basis,
    linear_fit,
    rank_correlation,
    widened,
)
from scaling.mixtures.result import (
    BestMixture,
    FormError,
    LanguageRegressions,
    MixtureArm,
    MixtureLaw,
)
from scaling.mixtures.results import LOSS, MixtureFits
from scaling.mixtures.table import MixtureRuns, language_weights, mixture_runs, of_mixtures
from scaling.runs import Runs
from tokenize_lab.progress import ProgressBars, progress

SPARE_RUNS = 2  # beyond the texts: the exponential law has one coefficient more than there are
_RESAMPLED = 200  # for the interval of a rank correlation
_UNKNOWN = BestMixture(
    shares=(), intervals=(), loss=0, losses={}, loss_intervals={}, caps=(), cost=0, gap=0
)
# What it says of shares is told of a whole table (`predict_table`); of no input, its lowest loss.
QUANTITIES: Quantities = {LOSS: Quantity((), "as the loss", lambda p: p[LOSS])}
LeftOutByForm = Mapping[str, Mapping[str, Array]]  # of a language, by form: [n] predictions


def fit_mixture(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> MixtureFits:
    """Fit the law by least squares (marginal likelihood, for the process) to a whole table.

    Runs are resampled by mixture, the same ones in every arm. Losses of the draws are moved away
    from the fit's by sqrt(n / (n - K - 1)), since least squares leave too small residuals.

    Args:
        options: `form` by which losses are predicted, that of the lowest leave-one-out error by
            default; `target`, languages by weight, all alike by default.

    Raises:
        InputError: what the table lacks (`mixture_runs`), an unknown target, fewer runs of an arm
            than its texts need, or intervals other than by cases.
    """
    if bootstrap.kind not in ("cases", "none"):
        raise InputError(
            f"`intervals={bootstrap.kind}`: a mixture law resamples whole runs; give cases or none"
        )
    if bootstrap.block not in ("", "row"):
        raise InputError("`block`: a mixture law resamples by mixture; leave it out")
    runs = of_mixtures(runs)
    table = mixture_runs(runs)
    target = language_weights(options.target, table.languages, "target")
    names = list(dict.fromkeys(table.arms.tolist()))
    for name in names:
        there, of = table.arms == name, f" of {name}" if len(names) > 1 else ""
        texts = len(table.texts)
        need(
            runs,
            "mixture",
            (int(there.sum()), texts + SPARE_RUNS, f"runs{of} for {texts} texts"),
            (table.mixtures[there], texts + 1, f"different mixtures{of} for {texts} texts"),
        )
    caps = default_caps(table)
    resampled = _resampled(table, bootstrap)
    total = len(names) * len(table.languages)
    with progress("fitting languages", total, bytes=False) as bars:
        fitted = [_fitted(table, name, resampled, bars) for name in names]
    errors = [_errors(arm, left, target, bootstrap.level) for arm, left in fitted]
    form = options.form or _lowest([row for rows in errors for row in rows])
    arms = []
    for (arm, _), rows in zip(fitted, errors, strict=True):
        best = best_mixture(
            LanguageDraws(arm.regressions, target), caps, bootstrap.level, arm.tried
        )
        found = arm.model_copy(update={"errors": tuple(rows), "best": best})
        base = _base(table, found)
        sampled = sampled_mixture(found, form, target, base, caps, bootstrap.seed)
        found = found.model_copy(update={"sampled": tuple(sampled.tolist())})
        findings = arm_findings(found, table.texts, target, form, bootstrap.level)
        arms.append(found.model_copy(update={"findings": findings}))
    law = MixtureLaw(
        form=form,
        chosen=not options.form,
        texts=table.texts,
        languages=table.languages,
        target=target,
        unit=table.unit,
        level=bootstrap.level,
        seed=bootstrap.seed if len(resampled) else None,
        text_bytes=table.text_bytes,
        train_bytes=table.train_bytes,
        arms=tuple(arms),
        data=runs.name,
        data_sha256=runs.sha256,
    )
    law = law.model_copy(update={"apart": arms_apart(law)})
    left_out = [_of(left, target, form) for _, left in fitted]
    return MixtureFits(law, runs, left_out)


def default_caps(table: MixtureRuns) -> Array:
    """Return [K] largest shares: four epochs of each text of known size at the runs' own budget."""
    if table.train_bytes is None:
        return np.ones(len(table.texts))
    known = {text: table.text_bytes[text] for text in table.texts if text in table.text_bytes}
    caps = epoch_caps(known, table.train_bytes)
    if sum(caps.get(text, 1.0) for text in table.texts) < 1:
        return np.ones(len(table.texts))  # the runs themselves repeated their texts more often
    return share_caps(list(table.texts), caps)


def _resampled(table: MixtureRuns, bootstrap: Bootstrap) -> Array:
    """Return [draws, mixtures] weights of the mixtures."""
    draws = whole("draws", bootstrap.draws, 0) if bootstrap.kind == "cases" else 0
    count = int(table.mixtures.max()) + 1
    one_cell = np.zeros(count, np.int64)
    fewest = min(len(table.texts) + SPARE_RUNS, count - 1)
    return case_weights(one_cell, draws, bootstrap.generator(), fewest)


def _fitted(
    table: MixtureRuns, name: str, resampled: Array, bars: ProgressBars
) -> tuple[MixtureArm, LeftOutByForm]:
    there = np.flatnonzero(table.arms == name)
    shares, weights = table.shares[there], resampled[:, table.mixtures[there]]
    basis = kernel_basis(shares)
    wider = np.sqrt(len(there) / (len(there) - len(table.texts) - 1))
    regressions, left_out = {}, {}
    for i, language in enumerate(table.languages):
        losses = table.losses[there, i]
        linear, linear_out = linear_fit(shares, losses)
        theta = exponential_fit(shares, losses)
        found = exponential_fits(shares, losses, weights, np.tile(theta, (len(weights), 1))).theta
        process, process_out = gp_fit(basis, losses)
        left_out[language] = {
            "linear": linear_out,
            "exponential": exponential_left_out(shares, losses, theta),
            "gp": process_out,
        }
        regressions[language] = LanguageRegressions(
            linear=tuple(linear.tolist()),
            exponential=tuple(theta.tolist()),
            length=process.length,
            noise=process.noise,
            mean=process.mean,
            pull=tuple(process.pull.tolist()),
            draws=widened(theta, found, wider, shares, losses),
        )
        bars.advance(1)
    arm = MixtureArm(
        name=name,
        rows=tuple(table.rows[there].tolist()),
        shares=shares,
        losses=table.losses[there],
        regressions=regressions,
        errors=(),
        best=_UNKNOWN,
        sampled=(),
    )
    return arm, left_out


def _of(left_out: LeftOutByForm, target: Mapping[str, float], form: str) -> Array:
    total = sum(target.values())
    parts = [weight / total * left_out[name][form] for name, weight in target.items()]
    return np.asarray(np.sum(parts, axis=0))


def _errors(
    arm: MixtureArm, left_out: LeftOutByForm, target: Mapping[str, float], level: float
) -> list[FormError]:
    """Return the leave-one-out errors of every form, of the target and then of each language."""
    total, names = sum(target.values()), list(left_out)
    weights = np.array([target.get(name, 0.0) / total for name in names])
    rows = [
        _error("target", form, arm.losses @ weights, _of(left_out, target, form), level)
        for form in FORMS
    ]
    rows += [
        _error(name, form, arm.losses[:, i], left_out[name][form], level)
        for i, name in enumerate(names)
        for form in FORMS
    ]
    return rows


def _error(of: str, form: str, observed: Array, predicted: Array, level: float) -> FormError:
    pairs = np.stack([observed, predicted])
    chosen = np.random.default_rng(0).integers(0, len(observed), (_RESAMPLED, len(observed)))
    drawn = rank_correlation(pairs[:, chosen])
    drawn = drawn[np.isfinite(drawn)]
    low, high = percentiles(drawn, level) if len(drawn) else (-1.0, 1.0)
    return FormError(
        of=of,
        form=form,
        rmse=float(np.sqrt(np.mean((predicted - observed) ** 2))),
        rank_correlation=float(np.nan_to_num(rank_correlation(pairs[:, None])[0])),
        interval=Interval(float(low), float(high)),
    )


def _lowest(rows: list[FormError]) -> str:
    """Return the form of the lowest error of the target, over all arms."""
    squares = {
        form: sum(row.rmse**2 for row in rows if row.of == "target" and row.form == form)
        for form in FORMS
    }
    return min(FORMS, key=squares.__getitem__)


def _base(table: MixtureRuns, arm: MixtureArm) -> Array:
    """Return [K] shares of the texts in all bytes, or, where sizes are not known, the mean of the
    mixtures tried."""
    if all(text in table.text_bytes for text in table.texts):
        sizes = np.array([table.text_bytes[text] for text in table.texts])
        return np.asarray(sizes / sizes.sum())
    return np.asarray(arm.shares.mean(axis=0))
