"""Whether the learning rate was right: runs that differ by it alone, if the sweep has some."""

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from reports.charts.chart import Chart, decades, linear, panels
from reports.charts.key import legend
from reports.charts.svg import Series, series_style
from reports.html import name, sortable_table
from reports.numbers import UNMEASURED, plural, power
from reports.page import Section, behind, note, paragraphs
from reports.sweep.grid import state_cell
from reports.sweep.results import SweepResults, SweepRun, lowest
from scaling.spec import RunSpec

IDENTITY, TITLE = "sweep-learning", "Learning rates"
_MOST = 8  # lines in one panel, so that each has a colour of its own


def learning(sweep: SweepResults) -> Section:
    """Show bits per byte over the learning rate, or say that nothing tells."""
    groups = differing(sweep.runs)
    if not groups:
        sentence = (
            "No two runs of this sweep differ by learning rate alone, so nothing here tells "
            "whether the learning rates suit the sizes; a wrong one bends isoFLOP curves."
        )
        return Section(IDENTITY, TITLE, paragraphs(sentence))
    shown = [group for group in groups if any(run.usable for run in group)]
    parts = [shown[i : i + _MOST] for i in range(0, len(shown), _MOST)]
    drawn = Markup("").join(_chart(i, sweep, part) for i, part in enumerate(parts))
    words = (
        "Each line is one size, text and seed trained at several learning rates, all else equal; "
        "runs that diverged are in the table alone. A line that falls towards its end has its best "
        "rate beyond; a line of two points has no shape."
    )
    inside = sum(not _at_end(group) for group in shown)
    said = paragraphs(f"Lowest between their ends: {inside} of {plural(len(shown), 'line')}.")
    table = behind("Table: learning rates", _table(sweep, groups))
    return Section(IDENTITY, TITLE, said + drawn + note(words) + table)


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
        key.append(Series(_name(sweep, group[0]), style))
        points = [(run.spec.training.learning_rate, run.loss) for run in group]
        if len(points) > 1:
            marks.append(chart.line(style, points, key[-1].name, "thin"))
        marks += [chart.mark(style, x, y, f"{key[-1].name}: {x:g}, {y:.4f}") for x, y in points]
    title, said = "Bits per byte by learning rate", "the table below holds the values."
    drawn = chart.panel("", f"sweep-learning-{place}", title, f"{len(runs)} runs; {said}", marks)
    return legend(key, lines=True) + panels([drawn], wide=True)


def _name(sweep: SweepResults, run: SweepRun) -> str:
    words = f"{run.tokenization}, T = {run.rate_text}, {run.size}, {power(run.budget)} FLOPs"
    return sweep.named(run.job.text, f"{words}, seed {run.spec.seed}")


def _table(sweep: SweepResults, groups: Sequence[Sequence[SweepRun]]) -> Markup:
    return sortable_table(
        "Runs that differ by learning rate alone",
        "runs: | learning rate | bits per byte | state:",
        [
            [
                name(_name(sweep, run)),
                f"{run.spec.training.learning_rate:g}",
                UNMEASURED if run.bits_per_byte is None else f"{run.bits_per_byte:.4f}",
                state_cell(run),
            ]
            for group in groups
            for run in group
        ],
        style="tall",
    )
