"""Tokenizers or patchers side by side under one law: what each is worth in compute."""

from markupsafe import Markup

from reports.charts.rows import Dot, dot_plot
from reports.charts.svg import series_style
from reports.html import columns, sortable_table
from reports.laws.results import Laws, of_family
from reports.numbers import ends_of, ends_text, plural, significant, with_interval
from reports.page import Section, figure, lead, note
from scaling.laws.arms import COMPUTE_RATIO, FACTOR
from scaling.result import FitResult

_FACTOR = FACTOR.format("")


def arms(laws: Laws) -> Section | None:
    """Show the factor and the compute ratio of every arm; None where that law was not fitted."""
    fits = laws.of("arms")
    if not fits:
        return None
    body = lead(
        "One law with shared exponents was fitted to all of them, so that the runs of each also "
        "inform the others. The compute ratio says how many times its compute the reference needs "
        "to reach the same loss: above 1, the arm is the better one."
    )
    for place, fit in enumerate(fits):
        body += _one(fit, of_family(fit, laws.fits), place)
    return Section("arms", "Tokenizers under one law", body)


def _one(fit: FitResult, where: str, place: int) -> Markup:
    reference = fit.conventions.get("reference", "")
    names = [key.removeprefix(_FACTOR) for key in fit.estimates if key.startswith(_FACTOR)]
    ratio = {name: COMPUTE_RATIO.format(name) for name in names}
    ranked = sorted(names, key=lambda name: -fit.estimates[ratio[name]])
    rows = []
    for name in ranked:
        value, interval = fit.estimates[ratio[name]], fit.intervals.get(ratio[name])
        hint = f"{name}: {significant(value)} {ends_text(interval)}".strip()
        rows.append((name, [Dot(series_style(0), 0, value, ends_of(interval), hint)]))
    if not rows:
        return note(f"No factor was found{where}: see the findings.")
    title = f"Compute that {reference} needs to reach the same, times its own{where}"
    drawn = dot_plot(
        f"arms-{place}",
        title,
        f"{plural(len(rows), 'arm')} beside {reference}, each with the interval of its ratio.",
        f"times the compute of {reference}",
        rows,
        origin=1.0,
    )
    best = ranked[0]
    says = (
        f"Beside {reference}, {best} reaches the same loss with"
        f" {significant(1 / fit.estimates[ratio[best]], 2)} times the compute"
        if fit.estimates[ratio[best]] > 1
        else f"None of the others reaches what {reference} does for the same compute"
    )
    table = sortable_table(
        f"Factors and compute ratios{where}, {reference} being 1",
        columns("arm: | factor of the loss above E | compute ratio", {}),
        [
            [
                name,
                with_interval(
                    fit.estimates[FACTOR.format(name)], fit.intervals.get(FACTOR.format(name))
                ),
                with_interval(fit.estimates[ratio[name]], fit.intervals.get(ratio[name])),
            ]
            for name in ranked
        ],
    )
    shared = (
        f"exponents {significant(fit.estimates['alpha'])} and {significant(fit.estimates['beta'])}"
    )
    return figure(drawn, title) + note(f"{says} ({plural(fit.n, 'run')}, {shared}).") + table
