"""What was tried: loss against the cost of serving, and each language's rates by size."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from reports import numbers
from reports.charts.chart import Chart, Panel, decades, linear, panels
from reports.charts.svg import INK, QUIET, Series, SeriesStyle, legend, series_style
from reports.html import name, sortable_table
from reports.languages import language_name
from reports.numbers import power, significant
from reports.page import Section, behind, figure, note
from reports.vocabulary.curves import DrawnCurve, rate_lines, rates_in, size_axis
from scaling.design.result import Design

_BEST = Series("chosen", SeriesStyle(INK, "star", "none"))
_AT_HAND = Series("at hand", SeriesStyle(QUIET, "diamond", "none"))
_FAR = 1.3  # times the range of what was tried: what lies further off is in the table only


def _series(design: Design) -> dict[str, Series]:
    """Return a style for each candidate that all languages share."""
    names = [c["name"] for c in design["candidates"] if not c["language"]]
    return {each: Series(each, series_style(i)) for i, each in enumerate(names)}


def design_frontier(design: Design) -> Section:
    """Show the loss of every vocabulary against what serving it costs."""
    series = _series(design)
    lines = {each["name"]: _points(each) for each in design["candidates"] if each["name"] in series}
    tried = [loss for points in lines.values() for _, loss, _ in points]
    flops = [x for points in lines.values() for x, _, _ in points]
    best = design["best"]
    most = min(tried) + _FAR * (max(tried) - min(tried))
    at_hand = [
        row
        for row in design["shipped"]
        if row["bits_per_byte"] <= most and row["inference_flops_per_byte"] <= _FAR * max(flops)
    ]
    chosen = best["inference_flops_per_byte"], best["bits_per_byte"]["value"]
    flops += [chosen[0], *(row["inference_flops_per_byte"] for row in at_hand)]
    chart = Chart(
        decades("serving, FLOPs per byte", flops),
        linear("bits per byte", [*tried, chosen[1], *(row["bits_per_byte"] for row in at_hand)]),
        width=720,
        height=380,
    )
    marks = []
    for each, points in lines.items():
        style = series[each].style
        marks.append(chart.line(style, [(x, y) for x, y, _ in points], each))
        marks += [
            chart.mark(style, x, y, f"{each}, {size:,} ids: {y:.4f} bits per byte", radius=2.6)
            for x, y, size in points
        ]
    marks += [
        chart.mark(
            _AT_HAND.style,
            row["inference_flops_per_byte"],
            row["bits_per_byte"],
            f"{row['name']}, {row['vocabulary_size']:,} ids: {row['bits_per_byte']:.4f}",
        )
        for row in at_hand
    ]
    marks.append(chart.mark(_BEST.style, *chosen, f"chosen: {best['name']}", radius=7.0))
    picture = chart.draw(
        "design-frontier-chart",
        "Loss by cost of serving",
        "A line for each candidate, from few ids to many; the table holds those that none beats.",
        marks,
    )
    words = (
        "Each point is a vocabulary, with the model that the budget trains best over it; along a "
        "line the ids double every four points, from the right. Of those that none beats, the "
        "cheaper to serve has the higher loss: how far to go is what the served bytes say "
        "(--serve). A constraint may keep the star from the lowest point."
    )
    key = legend([*series.values(), *([_AT_HAND] if at_hand else []), _BEST], lines=True)
    picture = figure(picture, words, key)
    tables = behind("Table: vocabularies that none beats in both", _table(design))
    tables += behind("Table: what is best where other amounts are served", _served(design))
    return Section("design-frontier", "Loss against serving", picture + tables)


def _points(candidate: dict[str, Any]) -> list[tuple[float, float, int]]:
    return [
        (flops, loss, size)
        for size, loss, flops in zip(
            candidate["sizes"],
            candidate["bits_per_byte"],
            candidate["inference_flops_per_byte"],
            strict=True,
        )
        if loss is not None
    ]


def _table(design: Design) -> Markup:
    languages = " | ".join(language_name(row["code"]) for row in design["languages"].values())
    rows = [
        [
            name(point["name"]),
            significant(point["inference_flops_per_byte"]),
            significant(point["bits_per_byte"], 5),
            *(numbers.rate(rate) for rate in point["rates"].values()),
        ]
        for point in design["frontier"]
    ]
    return sortable_table(
        "From the cheapest to serve to the least loss, with bytes per token",
        f"vocabulary: | serving, FLOPs per byte | bits per byte | {languages}",
        rows,
        style="tall",
    )


def _served(design: Design) -> Markup:
    languages = " | ".join(language_name(row["code"]) for row in design["languages"].values())
    rows = [
        [
            significant(row["served_bytes"]),
            name(row["name"]),
            significant(row["bits_per_byte"], 5),
            significant(row["inference_flops_per_byte"]),
            numbers.share(row["train_share"]),
            *(numbers.rate(rate) for rate in row["rates"].values()),
        ]
        for row in design["serving"]
    ]
    return sortable_table(
        "The best vocabulary of the same budget by bytes served, with bytes per token",
        "bytes served | vocabulary: | bits per byte | serving, FLOPs per byte | left for training"
        f" | {languages}",
        rows,
        style="tall",
    )


def design_curves(design: Design) -> Section:
    """Show bytes per token by vocabulary size, the rate wanted, and the size chosen."""
    series = _series(design)
    drawn = [_panel(design, place, code, series) for place, code in enumerate(design["languages"])]
    words = (
        "Bytes per token on text that the candidates have not learned from. Dashed: T*, the rate "
        "of the lowest loss by Law II, serving paid for and ids free of cost; the star is what was "
        "chosen for all languages together."
    )
    return Section(
        "design-curves",
        "Bytes per token by vocabulary size",
        legend([*series.values(), _BEST], lines=True) + panels(drawn) + note(words),
    )


def _panel(design: Design, place: int, code: str, series: dict[str, Series]) -> Panel:
    curves = _curves(design, code, series)
    row, best = design["languages"][code], design["best"]["languages"][code]
    wanted, size, rate = (
        row["compression_rate_opt"],
        best["vocabulary_size"],
        best["bytes_per_token"],
    )
    chart = Chart(size_axis(curves), linear("bytes per token", [*rates_in(curves), wanted * 1.05]))
    marks = rate_lines(chart, curves)
    marks.append(chart.rule(y=wanted))
    marks.append(chart.text(chart.x.low * 1.1, wanted, f"T* {wanted:.2f}", up=4, anchor="start"))
    if chart.x.low <= size <= chart.x.high:
        hint = f"chosen: {size:,} ids, {rate:.3f} bytes per token"
        marks.append(chart.mark(_BEST.style, float(size), rate, hint, radius=7.0))
    shown = language_name(row["code"])
    budget = power(design["budget"]["compute_flops"])
    return chart.panel(
        Markup("{}, weight {}").format(name(shown), f"{row['weight']:g}"),
        f"design-curve-{place}",
        f"{shown}: bytes per token by vocabulary size, T* at {budget} FLOPs",
        "A line for each candidate; the table of the frontier holds values.",
        marks,
    )


def _curves(design: Design, code: str, series: dict[str, Series]) -> Sequence[DrawnCurve]:
    return [
        DrawnCurve(
            series[candidate["name"]],
            code,
            [
                {
                    "vocabulary_size": size,
                    "bytes_per_token": rate,
                    "bytes_per_pretoken": candidate["bytes_per_pretoken"][code] or float("inf"),
                    "intervals": {"bytes_per_token": None},
                }
                for size, rate in zip(candidate["sizes"], candidate["rates"][code], strict=True)
            ],
        )
        for candidate in design["candidates"]
        if candidate["name"] in series
    ]
