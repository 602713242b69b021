"""The best bits per byte at each compression rate: where a budget is spent best over T."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts.chart import Chart, Panel, linear, octaves, panels
from reports.charts.key import legend
from reports.html import columns, name, sortable_table
from reports.numbers import compact, power, with_interval
from reports.page import Section, absent, behind, note, paragraphs
from reports.sweep.results import Styles, SweepResults, SweepRun, arms, budgets, byte_models, lowest

IDENTITY, TITLE = "sweep-rates", "Bits per byte by compression rate"


def best_rates(sweep: SweepResults) -> Section:
    """Show one panel for each text, one line for each arm and budget."""
    if not sweep.usable:
        return Section(IDENTITY, TITLE, absent("No run long enough to be compared has finished."))
    best = best_by_rate(sweep.usable)
    styles = Styles(budgets(best), list(dict.fromkeys(run.arm for run in best)))
    key = legend(
        styles.key([f"{power(budget)} FLOPs" for budget in styles.colours], styles.shapes),
        lines=True,
    )
    drawn = panels(
        (
            _panel(i, sweep, text, [run for run in best if run.job.text == text], styles)
            for i, text in enumerate(dict.fromkeys(run.job.text for run in best))
        ),
        wide=True,
    )
    words = (
        "The lowest bits per byte of the sizes trained, at each rate and budget, with the record's "
        "95 % interval over held-out documents. All runs of a text are scored on the same "
        "documents, so that differences between them are surer than these intervals, which they "
        "share, make them look; what another seed would give, the intervals do not hold. Where the "
        "lowest is the smallest or largest model long enough to be compared, another size may "
        "have done better, and the line may have another shape."
    )
    words = " ".join(part for part in (words, byte_models(best)) if part)
    body = paragraphs(*rate_sentences(sweep)) + key + drawn
    body += note(words)
    return Section(IDENTITY, TITLE, body + behind("Table: lowest by rate", _table(sweep, best)))


def best_by_rate(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return the best run of every text, arm, budget and rate, in that order."""
    groups: dict[tuple[str, str, float, float], list[SweepRun]] = {}
    for run in runs:
        groups.setdefault((run.job.text, run.arm, run.budget, run.rate), []).append(run)
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
