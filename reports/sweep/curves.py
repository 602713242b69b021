"""Loss curves: training bits per byte over training bytes, a panel for each compression rate."""

from collections.abc import Sequence
from itertools import groupby

from reports.charts.chart import Axis, Chart, Panel, decades, linear, panels
from reports.charts.key import legend
from reports.numbers import plural, power, significant
from reports.page import Section, absent, note
from reports.sweep.results import Styles, SweepResults, SweepRun, budgets, sizes, view, views

IDENTITY, TITLE = "sweep-curves", "Loss curves"
MOST_PANELS = 24
MOST_CURVES = 12  # in a panel
_SHOWN = 30.0  # the axis spans this ratio: what came before is a fall from chance


def curves(sweep: SweepResults) -> Section:
    """Show what the runs' losses did while they trained."""
    found = [run for run in sweep.runs if len(_shown(run, 0.0)) > 1]
    if not found:
        return Section(IDENTITY, TITLE, absent("No run has trained for two steps yet."))
    begin = max(run.curve[-1][0] for run in found) / _SHOWN
    seen = [run for run in found if len(_shown(run, begin)) > 1]
    chosen = views(seen)[:MOST_PANELS]
    parts = {key: chosen_curves([run for run in seen if view(run) == key]) for key in chosen}
    runs = [run for part in parts.values() for run in part]
    styles = Styles(sizes(runs), budgets(runs))
    axes = _axes(runs, begin)
    drawn = panels(
        _panel(i, _name(sweep, part[0]), part, begin, axes, styles)
        for i, part in enumerate(parts.values())
    )
    key = legend(
        styles.key(
            [f"{size} (global layers × width)" for size in styles.colours],
            [f"{power(budget)} FLOPs" for budget in styles.shapes],
        ),
        lines=True,
    )
    words = (
        "Each line is one run: the bits per byte of the text it was training on, where each point "
        "is the mean of the steps within 8 % of the bytes read, so that the lines wander with the "
        f"text. Only the last factor of {_SHOWN:g} of the longest run's bytes is drawn. Lines that "
        "still fall at their end would have gone on falling: of how these models compare when "
        "trained for long, runs of this length say nothing."
        + _left_out(len(found), len(seen), len(runs))
    )
    body = key + drawn + note(words)
    return Section(IDENTITY, TITLE, body)


def chosen_curves(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return the runs of a panel that are drawn: of each size and budget the first seed, then the
    second and so on, each time the largest budgets first, as many as there is room for."""

    def key(run: SweepRun) -> tuple[float, int, str]:
        return -run.budget, run.params, run.size

    ranked = [
        (rank, run)
        for _, group in groupby(sorted(runs, key=key), key)
        for rank, run in enumerate(sorted(group, key=lambda run: run.spec.seed))
    ]
    return [run for _, run in sorted(ranked, key=lambda pair: pair[0])][:MOST_CURVES]


def _name(sweep: SweepResults, run: SweepRun) -> str:
    return sweep.named(run.job.text, f"{run.tokenization}, T = {run.rate_text}")


def _shown(run: SweepRun, begin: float) -> list[tuple[float, float]]:
    return [(x, y) for x, y in run.curve if x >= begin]


def _axes(runs: Sequence[SweepRun], begin: float) -> tuple[Axis, Axis]:
    points = [point for run in runs for point in _shown(run, begin)]
    x = decades("training bytes", [x for x, _ in points])
    return x, linear("bits per byte, training", [y for _, y in points])


def _panel(
    place: int,
    caption: str,
    runs: Sequence[SweepRun],
    begin: float,
    axes: tuple[Axis, Axis],
    styles: Styles[str, float],
) -> Panel:
    chart = Chart(*axes)
    marks = [
        chart.line(
            styles(run.size, run.budget),
            _shown(run, begin),
            f"{run.size}, {power(run.budget)} FLOPs, seed {run.spec.seed}, "
            f"{run.status.phase}: {run.curve[-1][1]:.3f} bits per byte after "
            f"{significant(run.curve[-1][0])} bytes",
            "thin",
        )
        for run in runs
    ]
    said = f"{len(marks)} runs; where they ended stands in the table of all runs."
    return chart.panel(caption, f"sweep-curve-{place}", f"Loss curves, {caption}", said, marks)


def _left_out(found: int, seen: int, drawn: int) -> str:
    """Return how many of the curves found are not drawn, and why."""
    early, crowded = found - seen, seen - drawn
    words = ""
    if early:
        words += f" {early:,} of {plural(found, 'run')} ended before that part begins."
    if crowded:
        words += (
            f" {crowded:,} of {plural(seen, 'curve')} are left out: a panel holds {MOST_CURVES}, "
            "first seeds before second ones and large budgets before small ones, and there are at "
            f"most {MOST_PANELS} panels, in the order of the plan."
        )
    return words
