"""Bytes per token at every vocabulary size, and what each further id gains."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from corpora.languages import begins_with
from reports import numbers
from reports.charts.chart import Axis, Chart, Panel, decades, linear, octaves, panels
from reports.charts.svg import Series, legend, series_style
from reports.html import Column, columns, language_cell, name, sortable_table, tokenizer_cell
from reports.languages import language_name
from reports.numbers import plural, significant, with_interval
from reports.page import Section, behind, lead, missing, note, paragraphs
from tokenize_lab.vocabulary_curves.job import CurveRow
from tokenize_lab.vocabulary_curves.read import FILE, load_curves

MOST_PANELS = 12
ENGLISH = "eng"  # how the codes begin of what parity compares with


@dataclass(frozen=True)
class DrawnCurve:
    """One tokenizer's curve over one language.

    Attributes:
        series: the tokenizer.
        language: its code.
        rows: with a rate, ascending in vocabulary size.
    """

    series: Series
    language: str
    rows: Sequence[CurveRow]

    @property
    def ceiling(self) -> float:
        """Bytes per piece that merges cannot cross."""
        return float(self.rows[0]["bytes_per_pretoken"])

    @property
    def points(self) -> list[tuple[int, float]]:
        """Vocabulary size and bytes per token."""
        return [(row["vocabulary_size"], row["bytes_per_token"]) for row in self.rows]


@dataclass(frozen=True)
class Curves:
    """Everything the pages on vocabulary show.

    Attributes:
        corpus: its name.
        parallel: whether its documents are translations of one another.
        series: the tokenizers.
        curves: those with text.
    """

    corpus: str
    parallel: bool
    series: Sequence[Series]
    curves: Sequence[DrawnCurve]

    @cached_property
    def languages(self) -> Mapping[str, Sequence[DrawnCurve]]:
        """Curves by language: English first, then from the highest rate reached to the lowest."""
        found: dict[str, list[DrawnCurve]] = {}
        for curve in self.curves:
            found.setdefault(curve.language, []).append(curve)

        def order(language: str) -> tuple[bool, float, str]:
            reached = max(curve.points[-1][1] for curve in found[language])
            return not begins_with(language, ENGLISH), -reached, language

        return {language: found[language] for language in sorted(found, key=order)}

    @cached_property
    def shown(self) -> Mapping[str, Sequence[DrawnCurve]]:
        """The languages that are drawn: the first, and then at even steps down to the last."""
        languages = list(self.languages)
        if len(languages) > MOST_PANELS:
            step = (len(languages) - 1) / (MOST_PANELS - 1)
            languages = [languages[round(i * step)] for i in range(MOST_PANELS)]
        return {language: self.languages[language] for language in languages}

    def parity(self, language: str) -> float | None:
        """Return bytes over English's; None where documents are not the same."""
        english = next((code for code in self.languages if begins_with(code, ENGLISH)), None)
        if not self.parallel or english is None:
            return None
        row, reference = (self.languages[code][0].rows[0] for code in (language, english))
        same = row["documents"] == reference["documents"]
        return row["bytes"] / reference["bytes"] if same else None


def read_curves(folder: Path, known: Sequence[Series] = ()) -> Curves | None:
    """Read `vocab_curve.json` of a folder; None where there is none.

    Arguments:
        known: tokenizers that are on the page already, to be drawn in the same way.

    Raises:
        InputError: it is damaged.
    """
    if not (folder / FILE).exists():
        return None
    content: dict[str, Any] = load_curves(folder)
    series = {tokenizer.name: tokenizer for tokenizer in known}
    for facts in content["tokenizers"]:
        new = Series(facts["name"], series_style(len(series), tokenizer=True), facts)
        series.setdefault(facts["name"], new)
    found = [
        DrawnCurve(
            series[curve["tokenizer"]],
            curve["language"],
            [row for row in curve["rows"] if row["bytes_per_token"]],
        )
        for curve in content["curves"]
    ]
    return Curves(
        str(content["corpus"]["name"]),
        content["corpus"]["parallel"],
        [series[facts["name"]] for facts in content["tokenizers"]],
        [curve for curve in found if curve.rows],
    )


def curves_of(rows: Sequence[CurveRow]) -> Curves:
    """Return curves from their rows, those of a place in any order of size."""
    names = dict.fromkeys(str(row["tokenizer"]) for row in rows)
    series = {name: Series(name, series_style(i)) for i, name in enumerate(names)}
    places: dict[tuple[str, str], list[CurveRow]] = {}
    for row in sorted(rows, key=lambda row: row["vocabulary_size"]):
        if row["bytes_per_token"]:
            places.setdefault((row["language"], row["tokenizer"]), []).append(row)
    found = [DrawnCurve(series[name], language, part) for (language, name), part in places.items()]
    return Curves("", False, list(series.values()), found)


_SHOWN_CEILING = 1.5  # of the highest rate: one further up would flatten the curves
_PER_IDS = 1000
_RATE, _GAIN = "bytes_per_token", "marginal_bytes_per_token"
APART = 15.0  # pixels between labels
HEADROOM = 1.08  # above the highest rule, for what is written over it


def sizes(curves: Curves) -> Section:
    """Show the curves, with the ceiling that pre-tokens set."""
    title = "Bytes per token by vocabulary size"
    if not curves.curves:
        return missing("vocabulary", title, "There is no text to measure.")
    introduction = lead(
        "Byte pair encoding learns its merges in order, so the first of them are a tokenizer of "
        "their own. Each line below is one training, cut to every size there is: the counts are "
        "those of encoding the text anew with the first merges only."
    )
    return Section(
        "vocabulary",
        title,
        introduction
        + _findings(curves)
        + legend(list(curves.series), lines=True)
        + first_panels(size_panels(curves))
        + note(Markup("Text: {}. {}").format(name(curves.corpus), _words(curves)))
        + behind("Table: bytes per token by vocabulary size", _table(curves)),
    )


def gains(curves: Curves) -> Section:
    """Show what each further id gains."""
    title = "What each further id gains"
    if not any(_gained(curve) for curve in curves.curves):
        return missing("vocabulary-gains", title, "There are not two sizes to compare.")
    words = (
        f"Bytes per token gained by {_PER_IDS:,} more ids, between one size and the next a quarter "
        "of an octave on; the band is its 95 % interval, over the same resampled documents at "
        "both sizes. Both axes are logarithmic. Single steps wander where a few frequent words "
        "happen to enter."
    )
    return Section(
        "vocabulary-gains",
        title,
        legend(list(curves.series), lines=True)
        + first_panels(_panels(curves, "gains", f"gained per {_PER_IDS:,} ids", _gains))
        + note(words),
        gist=f"how many bytes per token {_PER_IDS:,} more ids buy, from size to size",
    )


_Draw = Callable[[Sequence[DrawnCurve], str], tuple[Chart, list[Markup]]]


def _panels(curves: Curves, identity: str, label: str, draw: _Draw) -> list[Panel]:
    parts = []
    for place, (language, drawn) in enumerate(curves.shown.items()):
        chart, marks = draw(drawn, label)
        shown = language_name(language)
        title = f"{shown}: {label} by vocabulary size"
        said = "One line for each tokenizer; the table holds the values."
        panel = chart.panel(name(shown), f"{identity}-{place}", title, said, marks)
        parts.append(panel._replace(language=language))
    return parts


_FIRST = 3  # languages whose panels stand open


def first_panels(drawn: Sequence[Panel], *, wide: bool = False) -> Markup:
    """Return charts of languages side by side: a few, and the others folded behind them."""
    first, others = drawn[:_FIRST], drawn[_FIRST:]
    more = plural(len(others), "more language")
    return panels(first, wide=wide) + (
        behind(f"Figures: {more}", panels(others, wide=wide)) if others else Markup("")
    )


def size_panels(curves: Curves) -> list[Panel]:
    """Return a chart of bytes per token over vocabulary size for each language that is shown."""
    return _panels(curves, "vocabulary", "bytes per token", _rates)


def size_axis(curves: Sequence[DrawnCurve]) -> Axis:
    """Return the axis of vocabulary sizes, ticks at powers of two."""
    axis = octaves("ids in the vocabulary", [float(v) for curve in curves for v, _ in curve.points])
    return replace(axis, ticks=[(v, _short(v)) for v, _ in axis.ticks])


def rates_in(curves: Sequence[DrawnCurve]) -> list[float]:
    """Return the rates that an axis must hold, ends of intervals among them."""
    return [
        rate
        for curve in curves
        for row in curve.rows
        for rate in (row[_RATE], *(row["intervals"][_RATE] or ()))
    ]


def rate_lines(chart: Chart, curves: Sequence[DrawnCurve]) -> list[Markup]:
    """Return each curve with its band."""
    marks = []
    for curve in curves:
        points = [
            (float(row["vocabulary_size"]), row[_RATE], row["intervals"][_RATE])
            for row in curve.rows
        ]
        size, rate = curve.points[-1]
        hint = f"{curve.series.name}: {rate:.3f} bytes per token at {size:,} ids"
        marks += chart.banded(curve.series.style, points, hint)
    return marks


def _rates(drawn: Sequence[DrawnCurve], label: str) -> tuple[Chart, list[Markup]]:
    highest = max(rate for curve in drawn for _, rate in curve.points)
    ceilings = sorted({c for curve in drawn if (c := curve.ceiling) <= _SHOWN_CEILING * highest})
    chart = Chart(
        size_axis(drawn), linear(label, [*rates_in(drawn), *(HEADROOM * rate for rate in ceilings)])
    )
    marks = rate_lines(chart, drawn)
    marks += [chart.rule(y=ceiling) for ceiling in ceilings]
    return chart, marks + _ceiling_labels(chart, drawn, ceilings)


def _ceiling_labels(
    chart: Chart, drawn: Sequence[DrawnCurve], ceilings: Sequence[float]
) -> list[Markup]:
    """Return what stands over the rules; rules too close for a line of text share one."""
    groups: list[list[float]] = []
    for ceiling in ceilings:
        height = chart.at(chart.x.low, ceiling)[1]
        if groups and chart.at(chart.x.low, groups[-1][0])[1] - height < APART:
            groups[-1].append(ceiling)
        else:
            groups.append([ceiling])
    marks = []
    for group in groups:
        words = f"ceiling {', '.join(f'{rate:.2f}' for rate in group)}"
        under = [curve.series.name for curve in drawn if curve.ceiling in group]
        if len(under) < len(drawn):
            words += f" ({', '.join(under)})"
        marks.append(chart.text(chart.x.low * 1.1, group[-1], words, up=4, anchor="start"))
    return marks


def _gained(curve: DrawnCurve) -> list[tuple[float, float, list[float] | None]]:
    """Return sizes, gains and their intervals, where there is a gain for a logarithm to show."""
    return [
        (
            float(row["vocabulary_size"]),
            _PER_IDS * row[_GAIN],
            ends and [_PER_IDS * e for e in ends],
        )
        for row in curve.rows
        if (row[_GAIN] or 0) > 0
        for ends in [row["intervals"][_GAIN]]
    ]


def _gains(drawn: Sequence[DrawnCurve], label: str) -> tuple[Chart, list[Markup]]:
    found = [(curve.series, _gained(curve)) for curve in drawn]
    values = [gain for _, points in found for _, gain, _ in points]
    chart = Chart(size_axis(drawn), decades(label, values or [1.0]))
    return chart, [
        mark for series, points in found for mark in chart.banded(series.style, points, series.name)
    ]


def _findings(curves: Curves) -> Markup:
    """Say of each tokenizer what its last doubling gained, in the first language."""
    language, drawn = next(iter(curves.languages.items()))
    sentences: list[Markup | str] = []
    for curve in drawn:
        last, rate = curve.points[-1]
        half = min(curve.points, key=lambda point: abs(point[0] - last / 2))
        if half[0] == last:
            continue
        gained = rate / half[1] - 1
        sentences.append(
            Markup("{}, {}: ").format(name(language_name(language)), name(curve.series.name))
            + f"from {half[0]:,} to {last:,} ids, bytes per token rise from {half[1]:.2f} to "
            f"{rate:.2f}, by {numbers.share(gained)}; the ceiling that its pre-tokens set is "
            f"{curve.ceiling:.2f}, of which it reaches {numbers.share(rate / curve.ceiling)}."
        )
    return paragraphs(*sentences)


def _words(curves: Curves) -> str:
    left_out = len(curves.languages) - len(curves.shown)
    more = (
        f" {left_out} more languages are in the table only; those drawn are English and, by the "
        "rate they reach, evenly spaced among all."
    )
    return (
        "Bands are 95 % intervals over its documents or aligned lines. "
        "Dashed: the ceiling, bytes per piece of text that merges cannot cross; where it lies "
        f"beyond {_SHOWN_CEILING:g} times the highest rate it is only in the table. Sizes count "
        "special tokens and the alphabet." + (more if left_out else "")
    )


def _table(curves: Curves) -> Markup:
    shown = sorted(
        {
            row["vocabulary_size"]
            for curve in curves.curves
            for row in curve.rows
            if row["vocabulary_size"].bit_count() == 1
        }
    )
    return sortable_table(
        "Bytes per token by vocabulary size, with 95 % intervals, and the ceiling",
        [
            *columns("language: | tokenizer:"),
            *(Column(f"{size:,}") for size in shown),
            *columns("all ids | ceiling"),
        ],
        [
            [
                language_cell(language),
                tokenizer_cell(curve.series.name),
                *(_at(curve, size) for size in shown),
                _cell(curve.rows[-1]),
                significant(curve.ceiling),
            ]
            for language, drawn in curves.languages.items()
            for curve in drawn
        ],
        row_headers=2,
        style="tall",
    )


def _at(curve: DrawnCurve, size: int) -> Markup | str:
    row = next((row for row in curve.rows if row["vocabulary_size"] == size), None)
    return numbers.UNMEASURED if row is None else _cell(row)


def _cell(row: CurveRow) -> Markup:
    return with_interval(row["bytes_per_token"], row["intervals"]["bytes_per_token"])


def _short(size: float) -> str:
    """Return `512`, `4k` or `128k`."""
    return f"{size / 1024:g}k" if size >= 1024 else f"{size:g}"
