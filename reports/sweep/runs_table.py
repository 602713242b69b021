"""Every run of a sweep in one table, and the machines and programs that trained them."""

from markupsafe import Markup

from reports.html import visible
from reports.laws.text import compact, significant, with_ends
from reports.numbers import UNMEASURED, count
from reports.section import Section, absent
from reports.sweep.grid import remarks, state_cell
from reports.sweep.material import SweepResults, SweepRun
from reports.table import Cell, Column, sortable_table
from reports.words import name

IDENTITY, TITLE = "sweep-runs", "All runs"

_COLUMNS = (
    Column("text", numeric=False),
    Column("tokenization", numeric=False),
    Column("T", hint="bytes per patch or token, on the training text"),
    Column("budget, FLOPs"),
    Column("size", numeric=False, hint="global layers × width"),
    Column("global parameters"),
    Column("bits per byte", hint="of held-out text, with its 95 % interval over documents"),
    Column("state", numeric=False),
    Column("steps"),
    Column("training bytes"),
    Column("bytes per parameter"),
    Column("epochs"),
    Column("forward FLOPs per byte"),
    Column("learning rate"),
    Column("seed"),
    Column("seconds"),
    Column("remarks", numeric=False),
    Column("run", numeric=False),
)


def runs_table(sweep: SweepResults) -> Section:
    """Show everything, sortable."""
    if not sweep.runs:
        return Section(IDENTITY, TITLE, absent("No run has a specification that can be read."))
    table = sortable_table(
        f"{len(sweep.runs):,} runs, in the order of the plan",
        _COLUMNS,
        [_row(run) for run in sweep.runs],
        row_headers=2,
        style="tall",
    )
    return Section(IDENTITY, TITLE, table + _provenance(sweep))


def _row(run: SweepRun) -> list[str | Markup | Cell]:
    status, record = run.status, run.record
    return [
        name(run.job.text),
        name(run.tokenization),
        run.rate_text,
        compact(run.budget),
        run.size,
        count(run.params),
        with_ends(run.bits_per_byte, *run.ends, digits=5),
        state_cell(run),
        f"{status.step:,} of {status.steps:,}"
        if status.step < status.steps
        else f"{status.step:,}",
        count(run.train_bytes),
        significant(run.bytes_per_param),
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
            what, Markup("<br>").join(visible(one) for one in sorted(values - {""}))
        )
        for what, values in facts.items()
        if values - {""}
    )
    if not rows:
        return Markup("")
    return Markup('<h3>Trained with</h3><dl class="facts">{}</dl>').format(rows)
