"""The best bits per byte at each compression rate, and against what a byte costs to read: the
Pareto front of each budget."""

from collections.abc import Sequence
from itertools import product

from markupsafe import Markup

from reports.charts.chart import Chart, Panel, decades, linear, octaves, panels
from reports.charts.svg import Styles, legend
from reports.html import columns, name, sortable_table
from reports.numbers import compact, power, significant, with_interval
from reports.page import Section, behind, missing, note, paragraphs
from reports.sweep.results import (
    SweepResults,
    SweepRun,
    arms,
    budgets,
    byte_models,
    grouped,
    lowest,
    reading_flops,
)

_RATES = "sweep-rates", "Bits per byte by compression rate"
_INFERENCE = "sweep-inference", "Bits per byte against the cost of inference"


def best_rates(sweep: SweepResults) -> Section:
    """Show one panel for each text, one line for each arm and budget."""
    if not sweep.usable:
        return missing(*_RATES, "No run long enough to be compared has finished.")
    best = best_by_rate(sweep.usable)
    key, drawn = rate_panels(sweep)
    words = (
        "The lowest bits per byte of the sizes trained, at each rate and budget, with the record's "
        "95 % interval over held-out documents. All runs of a text are scored on the same "
        "documents, so that differences between them are surer than these intervals, which they "
        "share, make them look; what another seed would give, the intervals do not hold. Where the "
        "lowest is the smallest or largest model long enough to be compared, another size may "
        "have done better, and the line may have another shape."
    )
    words = " ".join(part for part in (words, byte_models(best)) if part)
    body = paragraphs(*rate_sentences(sweep)) + key + panels(drawn, wide=True)
    body += note(words)
    return Section(*_RATES, body + behind("Table: lowest by rate", _table(sweep, best)))


def rate_panels(sweep: SweepResults) -> tuple[Markup, list[Panel]]:
    """Return the lowest loss over the compression rate, a panel for each text, and the key."""
    best = best_by_rate(sweep.usable)
    styles = Styles(budgets(best), list(dict.fromkeys(run.arm for run in best)))
    names = [f"{power(budget)} FLOPs" for budget in styles.colours]
    drawn = [
        _panel(i, sweep, text, [run for run in best if run.job.text == text], styles)
        for i, text in enumerate(dict.fromkeys(run.job.text for run in best))
    ]
    return legend(styles.key(names, styles.shapes), lines=True), drawn


def best_by_rate(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return the best run of every text, arm, budget and rate, in that order."""
    groups = grouped(runs, lambda run: (run.job.text, run.arm, run.budget, run.rate))
    order = {key: place for place, key in enumerate(arms(runs))}
    keys = sorted(groups, key=lambda key: (order[key[:2]], *key[2:]))
    return [lowest(groups[key]) for key in keys]


def rate_sentences(sweep: SweepResults) -> list[str]:
    """Return where each arm's line is lowest, and whether that is inside the rates trained."""
    best = best_by_rate(sweep.usable)
    sentences = []
    for text, arm in arms(best):
        said = []
        for budget in budgets(best):
            line = [
                run for run in best if (run.job.text, run.arm, run.budget) == (text, arm, budget)
            ]
            if len(line) > 1:
                said.append(f"at {power(budget)} FLOPs {_lowest_words(line)}")
        if said:
            sentences.append(f"{sweep.named(text, arm)}: {'; '.join(said)}.")
    return sentences


def _lowest_words(line: Sequence[SweepRun]) -> str:
    run = lowest(line)
    words = f"{run.loss:.4f} bits per byte at T = {run.rate_text}"
    if run.rate == max(other.rate for other in line):
        return f"{words}, the highest rate trained, so that the best one may lie beyond"
    if run.rate == min(other.rate for other in line):
        return f"{words}, the lowest rate trained, so that the best one may lie below"
    return f"{words}, between the rates trained"


def _panel(
    place: int, sweep: SweepResults, text: str, best: Sequence[SweepRun], styles: Styles[float, str]
) -> Panel:
    ends = [end for run in best for end in run.interval or ()]
    chart = Chart(
        octaves("compression rate T, bytes per patch or token", [run.rate for run in best]),
        linear("bits per byte, lowest of the sizes", [*(run.loss for run in best), *ends]),
        width=520,
        height=380,
    )
    marks = []
    for _, arm in arms(best):
        for budget in budgets(best):
            line = [run for run in best if (run.arm, run.budget) == (arm, budget)]
            style = styles(budget, arm)
            points = [(run.rate, run.loss) for run in line]
            if len(points) > 1:
                marks.append(chart.line(style, points, f"{arm}, {power(budget)} FLOPs", "thin"))
            marks += [
                chart.mark(style, run.rate, run.loss, _hint(run), y_ends=run.interval)
                for run in line
            ]
    caption = sweep.named(text) or "every arm"
    return chart.panel(
        name(sweep.named(text)),
        f"sweep-rates-{place}",
        f"Lowest bits per byte by compression rate, {caption}",
        f"{len(best)} rates and budgets; the table below holds the values.",
        marks,
    )


def _hint(run: SweepRun) -> str:
    return (
        f"{run.tokenization}, T = {run.rate_text}, {power(run.budget)} FLOPs: "
        f"{run.loss:.4f}, {run.size}"
    )


def _table(sweep: SweepResults, best: Sequence[SweepRun]) -> Markup:
    return sortable_table(
        "Lowest bits per byte by rate and budget, with 95 % intervals over held-out documents",
        columns(
            "tokenization: | T | budget, FLOPs | bits per byte | size: | where: | of runs",
            {
                "where": "among the sizes long enough to be compared",
                "of runs": "long enough to be compared",
            },
        ),
        [
            [
                name(sweep.named(run.job.text, run.tokenization)),
                run.rate_text,
                compact(run.budget),
                with_interval(run.loss, run.interval, 5),
                run.size,
                _where(run, peers),
                str(len(peers)),
            ]
            for run in best
            for peers in [_peers(sweep, run)]
        ],
        style="tall",
    )


def _peers(sweep: SweepResults, run: SweepRun) -> list[SweepRun]:
    def key(run: SweepRun) -> tuple[str, str, float, float]:
        return run.job.text, run.arm, run.rate, run.budget

    return [other for other in sweep.usable if key(other) == key(run)]


def _where(run: SweepRun, peers: Sequence[SweepRun]) -> str:
    params = {peer.params for peer in peers}
    if len(params) < 2:
        return "the only size"
    if run.params == min(params):
        return "smallest size"
    return "largest size" if run.params == max(params) else "inside the sizes"


def inference(sweep: SweepResults) -> Section:
    """Show one panel for each text and budget, with its front."""
    runs = sweep.usable
    if not runs:
        return missing(*_INFERENCE, "No run long enough to be compared has finished.")
    styles = Styles(
        sorted({run.asked_rate for run in runs}), list(dict.fromkeys(r.arm for r in runs))
    )
    key = legend(styles.key([f"T = {rate:.3g}" for rate in styles.colours], styles.shapes))
    found = grouped(runs, lambda run: (run.job.text, run.budget))
    groups = {key: found[key] for key in product(sweep.texts, budgets(runs)) if key in found}
    drawn = panels(
        (
            _front_panel(i, sweep.named(text, f"{power(budget)} training FLOPs"), part, styles)
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
    body += behind("Table: the fronts", _front_table(sweep, list(groups.values())))
    return Section(*_INFERENCE, body)


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


def _front_panel(
    place: int, caption: str, runs: Sequence[SweepRun], styles: Styles[float, str]
) -> Panel:
    chart = Chart(
        decades("forward FLOPs per byte of text", [run.forward_flops for run in runs]),
        linear("bits per byte", [run.loss for run in runs]),
        width=520,
        height=360,
    )
    best = front(runs)
    marks = [chart.line(None, [(run.forward_flops, run.loss) for run in best], more="front")]
    marks += [
        chart.mark(styles(run.asked_rate, run.arm), run.forward_flops, run.loss, _front_hint(run))
        for run in runs
    ]
    marks += [
        chart.ring(run.forward_flops, run.loss, f"{_front_hint(run)}, on the front") for run in best
    ]
    return chart.panel(
        name(caption),
        f"sweep-inference-{place}",
        f"Bits per byte against inference FLOPs, {caption}",
        f"{len(runs)} runs, {len(best)} on the front; the table below holds these.",
        marks,
    )


def _front_hint(run: SweepRun) -> str:
    return (
        f"{run.tokenization}, T = {run.rate_text}, {run.size}: "
        f"{significant(run.forward_flops)} FLOPs per byte, {run.loss:.4f}"
    )


def _front_table(sweep: SweepResults, groups: Sequence[Sequence[SweepRun]]) -> Markup:
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
