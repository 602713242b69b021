"""Bits per byte against what a byte costs to read: the Pareto front of each budget."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts.chart import Chart, Panel, decades, linear, panels
from reports.charts.key import legend
from reports.html import name, sortable_table
from reports.numbers import compact, power, significant
from reports.page import Section, absent, behind, note
from reports.sweep.results import Styles, SweepResults, SweepRun, budgets, reading_flops

IDENTITY, TITLE = "sweep-inference", "Bits per byte against the cost of inference"


def inference(sweep: SweepResults) -> Section:
    """Show one panel for each text and budget, with its front."""
    runs = sweep.usable
    if not runs:
        return Section(IDENTITY, TITLE, absent("No run long enough to be compared has finished."))
    styles = Styles(
        sorted({run.asked_rate for run in runs}), list(dict.fromkeys(r.arm for r in runs))
    )
    key = legend(styles.key([f"T = {rate:.3g}" for rate in styles.colours], styles.shapes))
    groups = {
        (text, budget): part
        for text in sweep.texts
        for budget in budgets(runs)
        if (part := [run for run in runs if (run.job.text, run.budget) == (text, budget)])
    }
    drawn = panels(
        (
            _panel(i, sweep.named(text, f"{power(budget)} training FLOPs"), part, styles)
            for i, ((text, budget), part) in enumerate(groups.items())
        ),
        wide=True,
    )
    words = (
        "Each marker is a run; rings, joined by a line, are those that no other run of the same "
        "budget beats both in bits per byte and in forward FLOPs per byte of text (counted in "
        "full, attention and head with them)." + _uncounted(runs) + " This scale does not say "
        "where the front of large models lies."
    )
    body = key + drawn + note(words)
    body += behind("Table: the fronts", _table(sweep, list(groups.values())))
    return Section(IDENTITY, TITLE, body)


def _uncounted(runs: Sequence[SweepRun]) -> str:
    """Return what entropy patches cost at inference beside the models; empty without any."""
    found = [(flops, run) for run in runs if (flops := reading_flops(run)) is not None]
    if not found:
        return ""
    read = max(flops for flops, _ in found)
    models = [run.forward_flops for _, run in found]
    return (
        " The byte model that places entropy patches must read every byte at inference as well, "
        f"and is not counted here: at most {_power(read)} FLOPs per byte, where the models it "
        f"serves take {_power(min(models))} to {_power(max(models))}. With it, their runs lie that "
        "much further to the right."
    )


def _power(value: float) -> str:
    return power(float(f"{value:.3g}"))


def front(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return the runs that no other equals in cost and beats in loss, or the reverse, by rising
    cost."""
    kept: list[SweepRun] = []
    for run in sorted(runs, key=lambda run: (run.forward_flops, run.loss)):
        if not kept or run.loss < kept[-1].loss:
            kept.append(run)
    return kept


def _panel(place: int, caption: str, runs: Sequence[SweepRun], styles: Styles[float, str]) -> Panel:
    chart = Chart(
        decades("forward FLOPs per byte of text", [run.forward_flops for run in runs]),
        linear("bits per byte", [run.loss for run in runs]),
        width=520,
        height=360,
    )
    best = front(runs)
    marks = [chart.line(None, [(run.forward_flops, run.loss) for run in best], more="front")]
    marks += [
        chart.mark(styles(run.asked_rate, run.arm), run.forward_flops, run.loss, _hint(run))
        for run in runs
    ]
    marks += [
        chart.ring(run.forward_flops, run.loss, f"{_hint(run)}, on the front") for run in best
    ]
    return chart.panel(
        name(caption),
        f"sweep-inference-{place}",
        f"Bits per byte against inference FLOPs, {caption}",
        f"{len(runs)} runs, {len(best)} on the front; the table below holds these.",
        marks,
    )


def _hint(run: SweepRun) -> str:
    return (
        f"{run.tokenization}, T = {run.rate_text}, {run.size}: "
        f"{significant(run.forward_flops)} FLOPs per byte, {run.loss:.4f}"
    )


def _table(sweep: SweepResults, groups: Sequence[Sequence[SweepRun]]) -> Markup:
    return sortable_table(
        "Runs on the front of their budget",
        "tokenization: | T | size: | budget, FLOPs | forward FLOPs per byte | bits per byte",
        [
            [
                name(sweep.named(run.job.text, run.tokenization)),
                run.rate_text,
                run.size,
                compact(run.budget),
                significant(run.forward_flops),
                f"{run.loss:.4f}",
            ]
            for runs in groups
            for run in front(runs)
        ],
        style="tall",
    )
