"""Loss curves, a panel for each compression rate; and whether the learning rate was right, where
runs differ by it alone."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Panel, decades, linear, panels
from reports.charts.svg import Series, Styles, legend, series_style
from reports.html import name, sortable_table
from reports.numbers import UNMEASURED, plural, power, significant
from reports.page import Section, behind, missing, note, paragraphs
from reports.sweep.grid import state_cell
from reports.sweep.results import SweepResults, SweepRun, budgets, lowest, sizes, view, views
from scaling.spec import RunSpec

_CURVES = "sweep-curves", "Loss curves"
_MOST_LINES = 8  # lines in one panel, so that each has a colour of its own
_LEARNING = "sweep-learning", "Learning rates"
MOST_PANELS = 24
MOST_CURVES = 12  # in a panel
_SHOWN = 30.0  # the axis spans this ratio: what came before is a fall from chance


def curves(sweep: SweepResults) -> Section:
    """Show what the runs' losses did while they trained."""
    found = [run for run in sweep.runs if len(_shown(run, 0.0)) > 1]
    if not found:
        return missing(*_CURVES, "No run has trained for two steps yet.")
    begin = max(run.curve[-1][0] for run in found) / _SHOWN
    seen = [run for run in found if len(_shown(run, begin)) > 1]
    chosen = views(seen)[:MOST_PANELS]
    parts = {key: chosen_curves([run for run in seen if view(run) == key]) for key in chosen}
    runs = [run for part in parts.values() for run in part]
    styles = Styles(sizes(runs), budgets(runs))
    axes = {
        text: _axes([run for run in runs if run.job.text == text], begin)
        for text in dict.fromkeys(run.job.text for run in runs)
    }
    drawn = panels(
        _panel(i, _name(sweep, part[0]), part, begin, axes[part[0].job.text], styles)
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
    return Section(*_CURVES, body)


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


def learning(sweep: SweepResults) -> Section:
    """Show bits per byte over the learning rate, or say that nothing tells."""
    checked = differing(sweep.checks)
    groups = [*differing(sweep.runs), *checked]
    if not groups:
        sentence = (
            "No two runs of this sweep differ by learning rate alone, so nothing here tells "
            "whether the learning rates suit the sizes; a wrong one bends isoFLOP curves."
        )
        return Section(*_LEARNING, paragraphs(sentence))
    shown = [group for group in groups if any(run.usable for run in group)]
    parts = [shown[i : i + _MOST_LINES] for i in range(0, len(shown), _MOST_LINES)]
    drawn = Markup("").join(_chart(i, sweep, part) for i, part in enumerate(parts))
    words = (
        "Each line is one size, text and seed trained at several learning rates, all else equal; "
        "runs that diverged are in the table alone. A line that falls towards its end has its best "
        "rate beyond; a line of two points has no shape."
    )
    inside = sum(not _at_end(group) for group in shown)
    said = paragraphs(f"Lowest between their ends: {inside} of {plural(len(shown), 'line')}.")
    said += paragraphs(*_from_tuned(sweep, checked))
    table = behind("Table: learning rates", _learning_table(sweep, groups))
    return Section(*_LEARNING, said + drawn + note(words) + table)


def _from_tuned(sweep: SweepResults, checked: Sequence[Sequence[SweepRun]]) -> list[str]:
    """Return how far the ends of the grid are from tuned: by how much the best of the rates around
    a run's own, which is the middle one of the check, is below it."""
    sentences = []
    for group in checked:
        own, usable = group[len(group) // 2], [run for run in group if run.usable]
        if not own.usable:
            continue
        best = lowest(usable)
        factor = best.spec.training.learning_rate / own.spec.training.learning_rate
        words = f"{own.loss - best.loss:.3f} bits per byte above the best, at {factor:g} times it"
        if best is own:
            words = "the best of the check"
        elif best in (usable[0], usable[-1]):
            words += ", the end of the check, so that more may be gained beyond"
        sentences.append(f"{_line_name(sweep, own)}: the grid's own rate is {words}.")
    return sentences


def differing(runs: Sequence[SweepRun]) -> list[list[SweepRun]]:
    """Return the groups of runs whose specifications differ by learning rate alone."""
    groups: dict[RunSpec, list[SweepRun]] = {}
    for run in runs:
        plain = replace(run.spec.training, learning_rate=0.0)
        groups.setdefault(replace(run.spec, training=plain, name=""), []).append(run)
    return [
        sorted(group, key=lambda run: run.spec.training.learning_rate)
        for group in groups.values()
        if len(group) > 1
    ]


def _at_end(group: Sequence[SweepRun]) -> bool:
    usable = [run for run in group if run.usable]
    return lowest(usable) in (usable[0], usable[-1])


def _chart(place: int, sweep: SweepResults, groups: Sequence[Sequence[SweepRun]]) -> Markup:
    usable = [[run for run in group if run.usable] for group in groups]
    runs = [run for group in usable for run in group]
    chart = Chart(
        decades("learning rate", [run.spec.training.learning_rate for run in runs]),
        linear("bits per byte", [run.loss for run in runs]),
        width=520,
        height=380,
    )
    marks, key = [], []
    for number, group in enumerate(usable):
        style = series_style(number)
        key.append(Series(_line_name(sweep, group[0]), style))
        points = [(run.spec.training.learning_rate, run.loss) for run in group]
        if len(points) > 1:
            marks.append(chart.line(style, points, key[-1].name, "thin"))
        marks += [chart.mark(style, x, y, f"{key[-1].name}: {x:g}, {y:.4f}") for x, y in points]
    title, said = "Bits per byte by learning rate", "the table below holds the values."
    drawn = chart.panel("", f"sweep-learning-{place}", title, f"{len(runs)} runs; {said}", marks)
    return legend(key, lines=True) + panels([drawn], wide=True)


def _line_name(sweep: SweepResults, run: SweepRun) -> str:
    words = f"{run.tokenization}, T = {run.rate_text}, {run.size}, {power(run.budget)} FLOPs"
    return sweep.named(run.job.text, f"{words}, seed {run.spec.seed}")


def _learning_table(sweep: SweepResults, groups: Sequence[Sequence[SweepRun]]) -> Markup:
    return sortable_table(
        "Runs that differ by learning rate alone",
        "runs: | learning rate | bits per byte | state:",
        [
            [
                name(_line_name(sweep, run)),
                f"{run.spec.training.learning_rate:g}",
                UNMEASURED if run.bits_per_byte is None else f"{run.bits_per_byte:.4f}",
                state_cell(run),
            ]
            for group in groups
            for run in group
        ],
        style="tall",
    )
