"""What runs on several languages read of each, and what each one's held-out text came to."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.chart import Chart, Panel, linear, octaves, panels
from reports.charts.svg import Styles, legend
from reports.html import Column, TableCell, name, sortable_table
from reports.numbers import UNMEASURED, compact, count, power, share, significant, with_interval
from reports.page import Section, behind, note
from reports.sweep.results import SweepResults, SweepRun, budgets
from scaling.record import LanguageRecord

_LANGUAGES = "sweep-languages", "Languages of one model"
_MOST_RUNS = 400  # in the table


class _Point(NamedTuple):
    """A language of a run.

    Attributes:
        run, part: of the run. share: of the bytes read.
    """

    run: SweepRun
    part: LanguageRecord
    share: float


def each_language(sweep: SweepResults) -> Section | None:
    """Show each language's bits per byte over its share of the text, or over T where the shares
    are one; None where no run has read several languages."""
    found = [point for run in sweep.runs for point in _points(run)]
    if not found:
        return None
    names = list(dict.fromkeys(point.part.language for point in found))
    shared = len({round(point.share, 3) for point in found if point.part.language == names[0]}) > 2
    arms = list(dict.fromkeys(point.run.tokenization for point in found))
    styles = Styles(arms, budgets([point.run for point in found]))
    drawn = panels(
        _panel(place, language, [p for p in found if p.part.language == language], styles, shared)
        for place, language in enumerate(names)
    )
    key = legend(styles.key(arms, [f"{power(budget)} FLOPs" for budget in styles.shapes]))
    over = "its share of the bytes read" if shared else "the bytes of a token or patch of it"
    words = (
        f"Each point is a run: the bits per byte of a language's held-out text over {over}, with "
        "the 95 % interval over its held-out documents, which all runs share. A language that a "
        "run did not read is scored like the others."
    )
    table = behind("Table: every language of every run", _table(found))
    return Section(*_LANGUAGES, key + drawn + note(words) + table)


def _points(run: SweepRun) -> list[_Point]:
    record = run.record
    if record is None or len(record.languages) < 2:
        return []
    total = max(1, record.train_bytes)
    parts = (part for part in record.languages if part.bits_per_byte is not None)
    return [_Point(run, part, part.train_bytes / total) for part in parts]


def _panel(
    place: int,
    language: str,
    points: Sequence[_Point],
    styles: Styles[str, float],
    shared: bool,
) -> Panel:
    losses = [point.part.bits_per_byte or 0.0 for point in points]
    ends = [end for point in points for end in point.part.validation_interval or ()]
    xs = [point.share if shared else point.part.compression_rate or 1.0 for point in points]
    axis = linear("share of the bytes read", xs, 5) if shared else octaves("T", xs)
    chart = Chart(axis, linear("bits per byte", [*losses, *ends], 6))
    marks = [
        chart.mark(
            styles(point.run.tokenization, point.run.budget),
            x,
            loss,
            f"{point.run.tokenization}, {point.run.job.text}: "
            f"{loss:.3f} bits per byte, {100 * point.share:.1f} % of the bytes read",
            y_ends=point.part.validation_interval,
        )
        for point, x, loss in zip(points, xs, losses, strict=True)
    ]
    said = f"{len(marks)} runs; the table below has them all."
    return chart.panel(
        language, f"sweep-language-{place}", f"Bits per byte of {language}", said, marks
    )


def _table(points: Sequence[_Point]) -> Markup:
    heads = [
        Column("text", numeric=False),
        Column("tokenization", numeric=False),
        Column("language", numeric=False),
        Column("budget, FLOPs"),
        Column("share"),
        Column("bits per byte", hint="of its held-out text, with its 95 % interval"),
        Column("T", hint="bytes per patch or token of its held-out text"),
        Column("T, training", hint="of what was read of it"),
        Column("training bytes"),
        Column("held-out bytes"),
    ]
    rows: list[list[str | Markup | TableCell]] = [
        [
            name(point.run.job.text),
            name(point.run.tokenization),
            name(point.part.language),
            compact(point.run.budget),
            share(point.share),
            with_interval(point.part.bits_per_byte, point.part.validation_interval, 4),
            significant(point.part.compression_rate),
            UNMEASURED
            if point.part.train_compression_rate is None
            else significant(point.part.train_compression_rate),
            count(point.part.train_bytes),
            count(point.part.validation_bytes),
        ]
        for point in points[:_MOST_RUNS]
    ]
    more = len(points) - len(rows)
    title = f"{len(rows):,} of {len(points):,} rows" if more else f"{len(rows):,} rows"
    return sortable_table(f"{title}, in the order of the plan", heads, rows, row_headers=3)
