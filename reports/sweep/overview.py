"""What a sweep is, how it stands and what it found; and every run of it in one table, with the
machines and programs that trained them."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.html import TableCell, columns, name, sortable_table, strong, visible
from reports.numbers import (
    UNMEASURED,
    compact,
    count,
    listed,
    plural,
    power,
    significant,
    with_interval,
)
from reports.page import Section, bullets, heading, lead, missing
from reports.sweep.grid import remarks, state_cell
from reports.sweep.minima import IsoflopCurve, isoflops_of
from reports.sweep.rates import rate_sentences
from reports.sweep.results import SweepResults, SweepRun, budgets, byte_models, lowest
from scaling.runs import FEWEST_STEPS
from scaling.train.progress import duration


def sweep_overview(sweep: SweepResults) -> Section:
    """Say how the sweep stands and what its runs show."""
    opened = lead(Markup("{} {}").format(strong(sweep.status.name), _stands(sweep)))
    return Section("sweep", "This sweep", opened + bullets(findings(sweep)))


def _stands(sweep: SweepResults) -> str:
    status = sweep.status
    counts = [f"{count:,} {phase}" for phase, count in status.counts.items() if count]
    words = f"is {plural(len(status.runs), 'run')}: {listed(counts)}." if counts else "has no runs."
    spent = [power(budget) for budget in budgets(sweep.runs)]
    if 0 < len(spent) <= 6:
        words += f" Each was given {listed(spent).replace(' and ', ' or ')} training FLOPs;"
        total = power(float(f"{status.flops:.3g}")) if status.flops else "none"
        words += f" {total} were spent in all."
    if not status.ended:
        words += " It has not ended, and this page shows what there is"
        left = status.seconds_left
        words += "." if left is None else f"; some {duration(left)} are left."
    return words


def _too_short(runs: Sequence[SweepRun]) -> list[str]:
    """Return how many runs are too short to be compared."""
    short = sum(run.short for run in runs)
    if not short:
        return []
    return [
        f"{count(short)} of {plural(len(runs), 'run')} {'is' if short == 1 else 'are'} too short, "
        f"of fewer than {FEWEST_STEPS} steps, and left out of everything that is compared or "
        "fitted."
    ]


def _curves(found: Sequence[IsoflopCurve]) -> list[str]:
    """Return of how many isoFLOP curves a best size can be read, or the side on which it lies."""
    curves = [curve for curve in found if curve.fit is not None]
    if not curves:
        return []
    inside = sum(curve.interior for curve in curves)
    bounded = sum(curve.bound is not None for curve in curves)
    words = f"{inside or 'None'} of {plural(len(curves), 'isoFLOP curve')} "
    words += f"{'turns' if inside < 2 else 'turn'} inside the sizes trained."
    if bounded:
        words += f" Of {count(bounded)}, lowest at one end and highest at the other, only the side "
        words += "of the best size can be read."
    if nothing := len(curves) - inside - bounded:
        words += f" Of {count(nothing)}, no best size can be read."
    return [words]


def findings(sweep: SweepResults) -> list[str]:
    """Return what the runs show, a sentence each, in plain text."""
    if not sweep.usable:
        return _too_short(sweep.runs)
    sentences = []
    for text in sweep.texts:
        runs = [run for run in sweep.usable if run.job.text == text]
        if len(runs) > 1:
            best = lowest(runs)
            said = (
                f"lowest of all, {best.loss:.4f} bits per byte, by {best.tokenization} at "
                f"T = {best.rate_text}, {best.size} global layers × width, "
                f"{power(best.budget)} FLOPs."
            )
            sentences.append(f"{text}: {said}" if sweep.several_texts else f"L{said[1:]}")
    sentences += rate_sentences(sweep)
    sentences += [words] if (words := byte_models(sweep.runs)) else []
    sentences += _curves(isoflops_of(sweep.runs))
    sentences += _too_short(sweep.runs)
    sentences.append(
        "All this is of small models on little text: it compares what was trained here, and "
        "forecasts nothing of models a million times as large."
    )
    return sentences


IDENTITY, TITLE = "sweep-runs", "All runs"

_COLUMNS = columns(
    "text: | tokenization: | T | budget, FLOPs | size: | global parameters | bits per byte | "
    "state: | steps | training bytes | bytes per parameter | epochs | forward FLOPs per byte | "
    "learning rate | seed | seconds | remarks: | run:",
    {
        "T": "bytes per patch or token, on the training text",
        "size": "global layers × width",
        "bits per byte": "of held-out text, with its 95 % interval over documents",
    },
)


def runs_table(sweep: SweepResults) -> Section:
    """Show everything, sortable."""
    if not sweep.runs:
        return missing(IDENTITY, TITLE, "No run has a specification that can be read.")
    table = sortable_table(
        f"{len(sweep.runs):,} runs, in the order of the plan",
        _COLUMNS,
        [_row(run) for run in sweep.runs],
        row_headers=2,
        style="tall",
    )
    return Section(IDENTITY, TITLE, table + _provenance(sweep))


def _row(run: SweepRun) -> list[str | Markup | TableCell]:
    status, record = run.status, run.record
    return [
        name(run.job.text),
        name(run.tokenization),
        run.rate_text,
        compact(run.budget),
        run.size,
        count(run.params),
        with_interval(run.bits_per_byte, run.interval, 5),
        state_cell(run),
        count(status.step) + (f" of {status.steps:,}" if status.step < status.steps else ""),
        count(run.spec.train_bytes),
        significant(run.spec.bytes_per_param),
        UNMEASURED if record is None else significant(record.epochs),
        significant(run.forward_flops),
        f"{run.spec.training.learning_rate:.3g}",
        str(run.spec.seed),
        f"{status.seconds:.0f}" if status.seconds else UNMEASURED,
        remarks(run),
        Markup('<span class="code">{}</span>').format(run.job.run_id),
    ]


def _provenance(sweep: SweepResults) -> Markup:
    """Return what the runs were trained with, each once."""
    records = [run.record for run in sweep.runs if run.record is not None]
    facts = {
        "devices": {record.device for record in records},
        "programs": {
            f"{program} {version}"
            for record in records
            for program, version in record.versions.items()
        },
        "commits": {record.commit for record in records},
    }
    rows = Markup("").join(
        Markup("<dt>{}</dt><dd>{}</dd>").format(
            what, Markup("<br>").join(visible(value) for value in sorted(values - {""}))
        )
        for what, values in facts.items()
        if values - {""}
    )
    if not rows:
        return Markup("")
    return heading("Trained with") + Markup('<dl class="facts">{}</dl>').format(rows)
