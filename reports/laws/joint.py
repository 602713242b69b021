"""The joint law: every run in one formula, why it has that form, and how it predicts."""

from markupsafe import Markup

from reports.html import Column, TableCell, columns, sortable_table
from reports.laws.allocation import coefficients
from reports.laws.profiles import law2_of
from reports.laws.results import Laws
from reports.numbers import UNMEASURED, power, significant, with_interval
from reports.page import Section, behind, missing, paragraphs
from scaling.compare import FormScore, score_forms
from scaling.laws.joint import DEFAULT_FORM
from scaling.result import FitResult
from scaling.runs import Runs

_WORDS = {
    "chinchilla": "size and data only, one exponent",
    "chinchilla-two": "size and data only, two exponents",
    "one-exponent": "a bowl in T that shrinks with what is left to learn",
    "drift": "the same, and T* drifts with compute",
    "two-exponents": "the same, and ρ* drifts with compute",
    "widening": "the same as one-exponent, and the valley widens with compute",
    "widening-two-exponents": "the same, and ρ* drifts with compute",
    "widening-by-rate": "the valley widens with compute and steepens with T",
    "shrinking": "the bowl in T shrinks by a power of its own besides",
    "shrinking-drift": "the same, and T* drifts with compute",
    "free": "the same, and T* and ρ* drift with compute",
    "additive": "Law II's bowl, added, the same at every budget, and T* drifts",
    "additive-shrinking": "Law II's bowl, added, shrinking by a power of its own, and T* drifts",
    "joint-terms": "two powers scaled by T, a quadratic in ln T added",
}


def joint(laws: Laws) -> Section:
    """Show the forms side by side, with what each predicts of a budget it has not seen."""
    title = "The joint law: every run in one formula"
    fit = laws.one("joint", DEFAULT_FORM)
    runs = None if fit is None else laws.runs_of(fit)
    if fit is None:
        reason = (
            "The joint law was not fitted: tokenize-lab scaling fit RUNS.csv --law joint --out DIR"
        )
        return missing("laws-joint", title, reason)
    body = Markup(
        '<p class="formula">L = E + L<sub>0</sub> C<sup>γ</sup> · exp(F (ln T − ln T*)²) · '
        "valley(ln ρ − ln ρ*), &emsp; ρ* = ρ<sub>0</sub> T<sup>g</sup></p>"
    )
    body += paragraphs(*_reasons(fit))
    body += behind("Table: coefficients of the joint law", coefficients(fit, "Joint law"))
    if runs is not None:
        scores = score_forms(runs)
        body += paragraphs(_verdict(scores), _drift(laws, fit))
        body += _forms(scores, law2_of(laws)) + behind(
            "Table: every budget left out in turn", _left_out(scores, runs)
        )
    gist = "why it has that form, and how well it predicts budgets it has not seen"
    return Section("laws-joint", title, body, gist=gist)


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
    ahead = min(scores, key=lambda score: score.holdout_rmse)
    known = [score for score in scores if score.aicc is not None]
    least = min(known, key=lambda score: score.aicc or 0.0)
    every = min(scores, key=lambda score: score.left_out_mean)
    text = (
        f"Of the forms below, {ahead.form} ({ahead.coefficients} coefficients) predicts the "
        f"largest budget best when it has not seen it (RMSE {significant(ahead.holdout_rmse)}); "
        f"{every.form} has the smallest error over all budgets, each left out in turn "
        f"({significant(every.left_out_mean)}); {least.form} has the lowest AICc. "
    )
    if ahead.form == DEFAULT_FORM:
        return (
            f"{text}The project takes {DEFAULT_FORM}: among the forms that predict well it has the "
            "fewest coefficients, and a coefficient more does not make the largest budget's "
            "prediction better."
        )
    chosen = next((score for score in scores if score.form == DEFAULT_FORM), ahead)
    return (
        f"{text}What else rests on the joint law takes {DEFAULT_FORM} (RMSE "
        f"{significant(chosen.holdout_rmse)} of the largest budget), which has the fewest "
        "coefficients of the forms with a bowl and a valley of their own."
    )


def _drift(laws: Laws, fit: FitResult) -> str:
    """Say what becomes of the drift of T* that Law II finds."""
    if "delta" in fit.estimates or "T0" not in fit.estimates:
        return ""
    text = f"This form holds T* at {_estimate(fit, 'T0')} bytes per token at every budget."
    drifting = next((other for other in laws.of("joint") if other.form == "drift"), None)
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
    best = min((score.aicc for score in scores if score.aicc is not None), default=0.0)
    rows: list[list[str | Markup | TableCell]] = [
        [
            score.form,
            str(score.coefficients),
            significant(score.rmse),
            UNMEASURED if score.aicc is None else f"{score.aicc - best:.1f}",
            significant(score.holdout_rmse),
            significant(score.holdout_lowest_rmse),
            significant(score.holdout_two_rmse),
            significant(score.left_out_mean),
            _WORDS.get(score.form, ""),
        ]
        for score in scores
    ]
    if law2 is not None and law2.holdout is not None:
        rows.append(
            [
                f"Law II ({law2.form})",
                str(len(law2.estimates)),
                significant(law2.rmse),
                TableCell(UNMEASURED, hint="fitted to other rows, so AICc does not compare"),
                UNMEASURED,
                significant(law2.holdout.rmse),
                UNMEASURED,
                UNMEASURED,
                "optima alone, so only the lowest losses can be predicted",
            ]
        )
    return sortable_table(
        "Forms of the joint law and their rivals on the same runs; errors in bits per byte",
        columns(
            "form: | coefficients | RMSE | ΔAICc | hold-out RMSE | of its lowest | of two budgets "
            "| each left out | what it holds:",
            {
                "ΔAICc": "above the lowest of the table",
                "hold-out RMSE": "of the largest budget, predicted from the others",
                "of its lowest": "the lowest loss at each rate of the largest budget",
                "of two budgets": "the two largest budgets, predicted from the others",
                "each left out": "root mean square over budgets, each predicted from the others",
            },
        ),
        rows,
    )


def _left_out(scores: tuple[FormScore, ...], runs: Runs) -> Markup:
    budgets = sorted(scores[0].left_out_rmse)
    return sortable_table(
        f"RMSE of each budget of {len(runs)} runs, predicted from the others",
        [Column("form", numeric=False), *(Column(power(budget)) for budget in budgets)],
        [
            [score.form, *(significant(score.left_out_rmse[budget]) for budget in budgets)]
            for score in scores
        ],
    )
