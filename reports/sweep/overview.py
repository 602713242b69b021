"""What a sweep is, how it stands and what it found; and every run of it in one table, with the
machines and programs that trained them."""

from collections.abc import Sequence

import polars as pl
from markupsafe import Markup

from corpora.errors import InputError
from reports.charts.chart import panels
from reports.charts.figure import again
from reports.html import TableCell, columns, name, sortable_table, strong, visible
from reports.laws.results import budget, inside
from reports.numbers import (
    UNMEASURED,
    compact,
    count,
    ends_text,
    listed,
    plural,
    power,
    significant,
    with_interval,
)
from reports.page import Section, behind, bullets, heading, lead, missing, paragraphs
from reports.sweep.grid import remarks, state_cell
from reports.sweep.minima import IsoflopCurve, isoflops_of
from reports.sweep.rates import rate_panels, rate_sentences
from reports.sweep.results import (
    TOKENS,
    SweepResults,
    SweepRun,
    arms,
    budgets,
    byte_models,
    lowest,
)
from scaling.engine.bootstrap import CASES
from scaling.fits.isoflop import fit_surfaces
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import FEWEST_STEPS
from scaling.train.progress import duration

_MOST_FINDINGS = 4
_DRAWS = 400
_MOST_PANELS = 2  # texts on the first screen


def sweep_overview(sweep: SweepResults) -> Section:
    """Say what the sweep found, in a sentence and a picture, what to do, and how it stands."""
    if sweep.of_mixtures:
        return _of_mixtures(sweep)
    found = best_rates_of(sweep)
    sentences = findings(sweep)
    several = [*found[1:], *sentences]
    said = [*several[:_MOST_FINDINGS], *to_do(sweep, found)]
    answer = found[0] if found else _no_answer(sweep)
    opened = lead(Markup("{}: {}").format(strong(sweep.status.name), answer))
    body = Markup('<div class="answer">{}<div class="shown">{}</div>{}</div>').format(
        opened, _picture(sweep), bullets(said)
    )
    body += paragraphs(f"The sweep {_stands(sweep)}")
    if rest := several[_MOST_FINDINGS:]:
        body += behind(plural(len(rest), "more finding"), bullets(rest))
    return Section("sweep", "What this sweep says", body)


def _of_mixtures(sweep: SweepResults) -> Section:
    """Say what a design of mixtures is for, and how it stands."""
    texts = list(dict.fromkeys(text for run in sweep.runs for text in run.spec.shares))
    answer = Markup("{}: {} of {} ({}), each model scored on all of them.").format(
        strong(sweep.status.name),
        plural(len(sweep.texts), "mixture"),
        plural(len(texts), "text"),
        listed([visible(text) for text in texts]),
    )
    to_fit = Markup(
        "What to do: <code>tokenize-lab scaling fit DIR --law mixture --out DIR</code> says which "
        "shares are best, and between which ends."
    )
    said = bullets([*map(visible, _too_short(sweep.runs)), to_fit])
    body = Markup('<div class="answer">{}{}</div>').format(lead(answer), said)
    return Section(
        "sweep", "What this sweep says", body + paragraphs(f"The sweep {_stands(sweep)}")
    )


def best_rates_of(sweep: SweepResults) -> list[Markup]:
    """Return T* with its interval of every text and arm: of the largest budget whose bowl over
    rate and size has its lowest place inside what was trained."""
    runs = sweep.usable
    if not runs:
        return []
    frame = pl.DataFrame(
        {
            "tokenization": [run.arm for run in runs],
            "dataset": [run.job.text for run in runs],
            "compute_flops": [run.budget for run in runs],
            "compression_rate": [run.rate for run in runs],
            "global_params": [float(run.params) for run in runs],
            "train_bytes": [float(run.spec.train_bytes) for run in runs],
            "bits_per_byte": [run.loss for run in runs],
        }
    )
    try:
        fits = fit_surfaces(read_runs(frame, "sweep"), bootstrap=CASES._replace(draws=_DRAWS))
    except InputError:
        return []  # too few runs, rates or sizes for a bowl
    best: dict[tuple[str, str], FitResult] = {}
    for fit in sorted(fits, key=budget):
        if fit.ok and fit.estimates and inside(fit):
            best[str(fit.context["dataset"]), str(fit.context["tokenization"])] = fit
    order = {place: i for i, place in enumerate(arms(runs))}
    return [_best_rate(place, best[place]) for place in sorted(best, key=order.__getitem__)]


def _best_rate(place: tuple[str, str], fit: FitResult) -> Markup:
    text, arm = map(name, place)
    value = fit.estimates["compression_rate_opt"]
    return Markup(
        "At {} FLOPs, {} models of {} have their best compression rate T* at {} <small>{}</small> "
        "bytes per {}, by a bowl through {}."
    ).format(
        power(budget(fit)), arm, text, significant(value),
        ends_text(fit.intervals.get("compression_rate_opt")),
        "token" if place[1] == TOKENS else "patch", plural(fit.n, "run"),
    )  # fmt: skip


def _no_answer(sweep: SweepResults) -> str:
    if not sweep.usable:
        return "No run long enough to be compared has finished yet."
    return "No bowl over rate and size has its lowest place inside what was trained: no T* yet."


def _picture(sweep: SweepResults) -> Markup:
    if not sweep.usable:
        return Markup("")
    key, drawn = rate_panels(sweep)
    return key + panels([again(panel, "answer") for panel in drawn[:_MOST_PANELS]], wide=True)


def to_do(sweep: SweepResults, found: Sequence[Markup]) -> list[Markup]:
    """Return what to do with what a sweep says."""
    if not sweep.status.ended:
        return [Markup("What to do: let it end; this page shows what there is.")]
    if not found:
        return [
            Markup(
                "What to do: train rates and sizes beyond those at which the loss is lowest, or "
                "longer; <code>tokenize-lab scaling plan FILE</code> prices it."
            )
        ]
    return [
        Markup(
            "What to do: <code>tokenize-lab scaling fit DIR --law isoflop-surface --out DIR</code> "
            "keeps the bowls; from three budgets on, <code>--law law2</code> tells where T* goes."
        )
    ]


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
