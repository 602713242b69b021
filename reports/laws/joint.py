"""The joint law: every run in one formula, why it has that form, and how it predicts."""

from markupsafe import Markup

from reports.html import Cell, Column, sortable_table
from reports.laws.allocation import coefficients
from reports.laws.profiles import law2_of
from reports.laws.results import Laws
from reports.laws.text import power, significant, with_interval
from reports.page import Section, absent, behind
from scaling.fits.joint_rivals import FormScore, score_forms
from scaling.laws.joint import DEFAULT_FORM
from scaling.result import FitResult
from scaling.runs import Runs

_WORDS = {
    "chinchilla": "size and data only, one exponent",
    "chinchilla-two": "size and data only, two exponents",
    "one-exponent": "a bowl in T that shrinks with what is left to learn",
    "drift": "the same, and T* drifts with compute",
    "two-exponents": "the same, and ρ* drifts with compute",
    "additive": "Law II's bowl, added, and T* drifts with compute",
    "joint-terms": "two powers scaled by T, a quadratic in ln T added",
}


def joint(laws: Laws) -> Section:
    """Show the forms side by side, with what each predicts of a budget it has not seen."""
    title = "The joint law: every run in one formula"
    fit = next((one for one in laws.of("joint") if one.form == DEFAULT_FORM), laws.one("joint"))
    runs = None if fit is None else laws.runs_of(fit)
    if fit is None:
        note = absent(
            "The joint law was not fitted: tokenize-lab scaling fit RUNS.csv --law joint --out "
            "DIR/laws"
        )
        return Section("laws-joint", title, note)
    body = Markup(
        '<p class="formula">L = E + L<sub>0</sub> C<sup>γ</sup> · exp(F (ln T − ln T*)²) · '
        "valley(ln ρ − ln ρ*), &emsp; ρ* = ρ<sub>0</sub> T<sup>g</sup></p>"
    )
    body += Markup("").join(Markup("<p>{}</p>").format(one) for one in _reasons(fit))
    body += behind("Table: coefficients of the joint law", coefficients(fit, "Joint law"))
    if runs is not None:
        scores = score_forms(runs)
        body += Markup("<p>{}</p><p>{}</p>").format(_verdict(scores), _drift(laws, fit))
        body += _forms(scores, law2_of(laws)) + behind(
            "Table: every budget left out in turn", _left_out(scores, runs)
        )
    return Section("laws-joint", title, body)


def _reasons(fit: FitResult) -> list[str]:
    return [
        "Law I and Law II each see only the minima. The joint law is fitted to every run at once, "
        f"{fit.n} of them here, in one stage, so that no run's information is spent on finding a "
        "minimum first, and its intervals carry no second stage.",
        "Model size enters as the compute it spends: n = C T / (6 B) is the size for which "
        "C = 6 n D would hold, and ρ = B / n. So no convention for counting parameters is needed. "
        "The valley is 1 at ρ* and rises on both sides by a power whose steepness κ is free; at "
        "κ = −γ and without the bowl, the law is Chinchilla's sum of two powers. Along ρ* it is "
        "Law II, but for one thing: the bowl multiplies what is left to learn instead of being "
        "added to it, so a rate that is wrong costs less the more compute has already taken away.",
    ]


def _verdict(scores: tuple[FormScore, ...]) -> str:
    ahead = min(scores, key=lambda one: one.holdout_rmse)
    known = [one for one in scores if one.aicc is not None]
    least = min(known, key=lambda one: one.aicc or 0.0)
    every = min(scores, key=lambda one: one.left_out_mean)
    return (
        f"Of the forms below, {ahead.form} ({ahead.coefficients} coefficients) predicts the "
        f"largest budget best when it has not seen it (RMSE {significant(ahead.holdout_rmse)}); "
        f"{every.form} has the smallest error over all budgets, each left out in turn "
        f"({significant(every.left_out_mean)}); {least.form} has the lowest AICc. "
        f"The project takes {DEFAULT_FORM}: among the forms that predict well it has the fewest "
        "coefficients, and a coefficient more does not make the largest budget's prediction better."
        if ahead.form == DEFAULT_FORM
        else f"Of the forms below, {ahead.form} predicts the largest budget best when it has not "
        f"seen it (RMSE {significant(ahead.holdout_rmse)}); {least.form} has the lowest AICc."
    )


def _drift(laws: Laws, fit: FitResult) -> str:
    """Say what becomes of the drift of T* that Law II finds."""
    if "delta" in fit.estimates or "T0" not in fit.estimates:
        return ""
    text = f"This form holds T* at {_estimate(fit, 'T0')} bytes per token at every budget."
    drifting = next((one for one in laws.of("joint") if one.form == "drift"), None)
    if drifting is not None:
        text += (
            f" With a drift of its own, the same law gives T* = T₀ C to the −δ, "
            f"δ = {_estimate(drifting, 'delta')}"
        )
        law2 = law2_of(laws)
        if law2 is not None and "delta" in law2.estimates:
            text += f", where Law II gives {_estimate(law2, 'delta')}"
        text += "."
    return text


def _estimate(fit: FitResult, name: str) -> str:
    return with_interval(fit.estimates[name], fit.intervals.get(name)).striptags()


def _forms(scores: tuple[FormScore, ...], law2: FitResult | None) -> Markup:
    best = min((one.aicc for one in scores if one.aicc is not None), default=0.0)
    rows: list[list[str | Markup | Cell]] = [
        [
            one.form,
            str(one.coefficients),
            significant(one.rmse),
            "–" if one.aicc is None else f"{one.aicc - best:.1f}",
            significant(one.holdout_rmse),
            significant(one.holdout_lowest_rmse),
            significant(one.left_out_mean),
            _WORDS.get(one.form, ""),
        ]
        for one in scores
    ]
    if law2 is not None and law2.holdout is not None:
        rows.append(
            [
                f"Law II ({law2.form})",
                str(len(law2.estimates)),
                significant(law2.rmse),
                Cell("–", hint="fitted to other rows, so AICc does not compare"),
                "–",
                significant(law2.holdout.rmse),
                "–",
                "optima alone, so only the lowest losses can be predicted",
            ]
        )
    return sortable_table(
        "Forms of the joint law and their rivals on the same runs; errors in bits per byte",
        [
            Column("form", numeric=False),
            Column("coefficients"),
            Column("RMSE"),
            Column("ΔAICc", hint="above the lowest of the table"),
            Column("hold-out RMSE", hint="of the largest budget, predicted from the others"),
            Column("of its lowest", hint="the lowest loss at each rate of the largest budget"),
            Column("each left out", hint="root mean square over budgets, each predicted from "
                   "the others"),
            Column("what it holds", numeric=False),
        ],
        rows,
    )  # fmt: skip


def _left_out(scores: tuple[FormScore, ...], runs: Runs) -> Markup:
    budgets = sorted(scores[0].left_out_rmse)
    return sortable_table(
        f"RMSE of each budget of {len(runs)} runs, predicted from the others",
        [Column("form", numeric=False), *(Column(power(one)) for one in budgets)],
        [
            [one.form, *(significant(one.left_out_rmse[budget]) for budget in budgets)]
            for one in scores
        ],
    )
