"""The grid of a sweep: every run's state, in colour and in a word, and what it reached."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts.rows import HeatScale
from reports.html import Column, TableCell, columns, name, sortable_table
from reports.numbers import UNMEASURED, compact
from reports.page import Section, paragraphs
from reports.sweep.results import TOKENS, SweepResults, SweepRun, arms, lowest, sizes
from scaling.sweep.status import RunStatus

IDENTITY, TITLE = "sweep-grid", "The grid"
# Of several runs in a cell, the state that is shown: the worst first.
_ORDER = ("failed", "diverged", "unreadable", "running", "stopped", "waiting", "short", "finished")
_WORDS = {"short": "too short"}


def grid(sweep: SweepResults) -> Section:
    """Show one table for each text and arm."""
    if not sweep.runs:
        reason = "No run of this sweep has a specification that can be read."
        return Section(IDENTITY, TITLE, _faults(sweep), absences=[("", reason)])
    introduction = paragraphs(
        "Each cell is a run: what became of it, and the bits per byte of held-out text that it "
        "reached, in colour: the darker, the lower. Where a cell holds several runs (seeds, "
        "learning rates) it shows the lowest, and the worst state. A run that is too short is "
        "shown, and left out of everything that is compared or fitted. One seed says nothing of "
        "what another would have given."
    )
    scales = loss_scales(sweep)
    body = introduction
    for text, arm in arms(sweep.runs):
        scale = scales.get(text)
        body += (scale.key if scale else Markup("")) + _table(sweep, text, arm, scale)
    return Section(IDENTITY, TITLE, body + _faults(sweep))


def loss_scales(sweep: SweepResults) -> dict[str, HeatScale]:
    """Return what colours mean in the grids of each text: the same in all of its arms."""
    scales = {}
    for text in sweep.texts:
        losses = [run.loss for run in sweep.usable if run.job.text == text]
        if losses:
            low, high = min(losses), max(losses)
            ends = (f"{low:.4f} bits per byte, the lowest of {text}", f"{high:.4f}, the highest")
            scales[text] = HeatScale(low, high, ends)
    return scales


def state(run: RunStatus, short: bool = False) -> str:
    """Return a run's state in a word."""
    if run.phase == "waiting" and run.step:
        return "stopped"
    return "short" if short and run.phase == "finished" else run.phase


def state_cell(run: SweepRun) -> TableCell:
    """Return a run's state for a table of runs."""
    found = state(run.status, run.short)
    return TableCell(_WORDS.get(found, found), f"state-{found}", remarks(run))


def remarks(run: SweepRun) -> str:
    """Return why a run ended as it did, and what the plan says of it."""
    return "; ".join(part for part in (run.status.reason, *run.job.marks) if part)


def _table(sweep: SweepResults, text: str, arm: str, scale: HeatScale | None) -> Markup:
    runs = [run for run in sweep.runs if (run.job.text, run.arm) == (text, arm)]
    shown = sizes(runs)
    tokens = arm == TOKENS
    rows = sorted({_row(run) for run in runs})
    params = {run.size: run.params for run in runs}
    heads: list[Column] = columns("T", {"T": "bytes per patch or token, on the training text"})
    if tokens:
        heads.insert(0, Column("tokenizer", numeric=False))
    return sortable_table(
        Markup("{}: state and bits per byte, by size (global layers × width)").format(
            name(sweep.named(text, arm))
        ),
        [
            *heads,
            Column("budget, FLOPs"),
            *(Column(size, hint=f"{params[size]:,} global parameters") for size in shown),
        ],
        [
            [
                *([name(tokenizer)] if tokens else []),
                f"{rate:.3g}",
                compact(budget),
                *(
                    _cell([run for run in runs if _row(run) == row and run.size == size], scale)
                    for size in shown
                ),
            ]
            for row in rows
            for rate, budget, tokenizer in [row]
        ],
        row_headers=len(heads) + 1,
        style="heat states",
    )


def _row(run: SweepRun) -> tuple[float, float, str]:
    return run.rate, run.budget, run.tokenization if run.arm == TOKENS else ""


def _cell(runs: Sequence[SweepRun], scale: HeatScale | None) -> TableCell:
    if not runs:
        return TableCell("", "none", "not in this sweep")
    states = [state(run.status, run.short) for run in runs]
    worst = min(states, key=_ORDER.index)
    word = _WORDS.get(worst, worst)
    if len(runs) > 1:
        word += f" ({states.count(worst)} of {len(runs)})"
    ended = [run for run in runs if run.bits_per_byte is not None]
    if ended:
        shown = f"{lowest(ended).loss:.4f}"
    elif worst in ("running", "stopped"):
        going = next(run.status for run in runs if state(run.status) == worst)
        shown = f"{100 * going.step / max(going.steps, 1):.0f} %"
    else:
        shown = UNMEASURED
    hints = [f"{run.job.run_id}: {said}" for run in runs if (said := remarks(run))]
    content = Markup('{} <span class="state">{}</span>').format(shown, word)
    known = [run.loss for run in runs if run.usable]
    colour = f" h{scale.step(min(known))}" if scale and known else ""
    return TableCell(content, f"state-{worst}{colour}", "; ".join(hints))


def _faults(sweep: SweepResults) -> Markup:
    """Return a table of the runs that have something to be said of, or nothing."""
    said = [
        (run.status, state(run.status, run.short), remarks(run), run.size, run.rate_text)
        for run in sweep.runs
        if remarks(run)
    ]
    said += [
        (
            status,
            status.phase,
            status.reason or "its specification is not there",
            UNMEASURED,
            UNMEASURED,
        )
        for status in sweep.unread
    ]
    if not said:
        return Markup("")
    return sortable_table(
        "Runs that something is to be said of",
        "run: | text: | tokenization: | T | size: | state: | why:",
        [
            [
                status.job.run_id,
                name(status.job.text),
                name(status.job.label),
                rate,
                size,
                TableCell(_WORDS.get(word, word), f"state-{word}"),
                why,
            ]
            for status, word, why, size, rate in said
        ],
        style="tall",
    )
