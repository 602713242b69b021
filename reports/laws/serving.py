"""The best rate where serving is paid for: T* over bytes served, at several budgets."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Panel, decades, linear, octaves, panels
from reports.charts.svg import Series, legend, of_budgets
from reports.html import columns, sortable_table
from reports.laws.profiles import compute_range
from reports.laws.results import Laws
from reports.numbers import LowHigh, compact, power, significant, with_interval
from reports.page import Section, behind, note, paragraphs
from scaling.advise.laws import joint_range
from scaling.advise.serve import Served, best_served
from scaling.engine.bootstrap import percentiles
from scaling.engine.newton import Array
from scaling.laws.joint import DEFAULT_FORM
from scaling.result import FitResult, beyond

_PER_DECADE = 5  # points of a line, over bytes served
_DRAWS = 100  # that the band of one budget is made of
_LEAST_SHARE = 0.1  # of a budget, left for training, where its line ends
_DECADES = 3  # of bytes served below and above those that the budget trains on


class _Line(NamedTuple):
    """What to train at one budget, over bytes served: [steps] each, the estimate alone.

    Attributes:
        amounts: bytes served. served: what to train. ends: of T*, where the fit has draws.
        beyond: whether T or bytes per effective parameter leave the runs.
    """

    amounts: Array
    served: Served
    ends: list[LowHigh]
    beyond: list[bool]


def serving(laws: Laws) -> Section | None:
    """Show T* over bytes served for several budgets; None where the joint law cannot say it."""
    fit = laws.one("joint", DEFAULT_FORM)
    if fit is None or fit.law != "joint" or not fit.ok or "T0" not in fit.estimates:
        return None
    runs = laws.runs_of(fit)
    fitted = {} if runs is None else joint_range(runs)
    series = of_budgets(_budgets(fit))
    told = list(series)[1]
    lines = {
        compute: _line(fit, fitted, compute, _DRAWS if compute == told else 0) for compute in series
    }
    body = paragraphs(_sentence(lines[told], told)) + legend(list(series.values()), lines=True)
    body += panels([_rates(series, lines), _ratios(series, lines)], wide=True)
    body += note(
        "A budget pays for training and for a forward pass over every byte served. Thin lines lie "
        "beyond the rates or the bytes per parameter of the runs. Decoding waits for memory, so a "
        "served FLOP may cost 3 to 30 times one of training: read at as many times the bytes. A "
        f"line ends where less than {_LEAST_SHARE:.0%} of its budget is left for training; the "
        f"band is the 95 % interval at {power(told)} FLOPs. For a language, a price, or a loss to "
        "be reached at the least cost: tokenize-lab scaling advise --serve-bytes."
    )
    body += behind("Table: what to train for so many bytes served", _table(lines[told], told))
    gist = "how far the best rate moves up once every byte served is paid for"
    return Section("laws-serving", "Serving: the best rate where it is paid for", body, gist=gist)


def _budgets(fit: FitResult) -> list[float]:
    """Return four powers of ten, the second the largest that does not exceed the runs' budgets."""
    largest = math.floor(math.log10(compute_range(fit)[1]) + 1e-9)
    return [10.0 ** (largest + step) for step in (-1, 0, 1, 2)]


def _line(
    fit: FitResult, fitted: Mapping[str, tuple[float, float]], compute: float, draws: int
) -> _Line:
    trained = best_served(_columns(fit, 0, 1), np.full(1, compute), 0.0).train_bytes[0]
    steps = np.arange(-_DECADES * _PER_DECADE, _DECADES * _PER_DECADE + 1) / _PER_DECADE
    amounts = 10.0 ** (round(math.log10(trained)) + steps)
    served = best_served(_columns(fit, 0, len(amounts)), np.full(len(amounts), compute), amounts)
    enough = served.train_flops >= _LEAST_SHARE * compute
    amounts, served = amounts[enough], Served(*(column[enough] for column in served))
    outside = [
        bool(beyond({"compression_rate": rate, "bytes per effective parameter": ratio}, {**fitted}))
        for rate, ratio in zip(served.compression_rate, served.bytes_per_param, strict=True)
    ]
    ends: list[LowHigh] = [None] * len(amounts)
    if draws and len(fit.draws):
        count = 1 + min(draws, len(fit.draws))
        many, budgets = np.tile(amounts, count), np.full(count * len(amounts), compute)
        cloud = best_served(_columns(fit, draws, len(amounts)), budgets, many).compression_rate
        low, high = percentiles(cloud.reshape(count, -1)[1:], fit.level)
        ends = list(zip(low.tolist(), high.tolist(), strict=True))
    return _Line(amounts, served, ends, outside)


def _columns(fit: FitResult, draws: int, times: int) -> dict[str, Array]:
    """Return [(1 + draws) times] coefficients, the estimate's and each draw's, repeated."""
    table = np.array([list(fit.estimates.values()), *fit.draws[:draws]])
    return {
        name: np.repeat(column, times) for name, column in zip(fit.estimates, table.T, strict=True)
    }


def _sentence(line: _Line, compute: float) -> str:
    rates, shares = line.served.compression_rate, line.served.train_flops / compute
    half = min(_whole(line), key=lambda at: abs(float(shares[at]) - 0.5))
    return (
        f"At {power(compute)} FLOPs the best rate is {significant(rates[0])} bytes per token where"
        f" nothing is served, and {significant(rates[half])} where {_bytes(line.amounts[half])}"
        f" bytes are, which take {1 - float(shares[half]):.0%} of the budget: a served byte costs"
        " what a forward pass does, and a higher rate makes it cheaper. The model is smaller, and"
        " trained on more bytes, than training alone would have it."
    )


def _whole(line: _Line) -> range:
    """Return the places of whole powers of ten among the bytes served."""
    return range(0, len(line.amounts), _PER_DECADE)


def _bytes(value: float) -> str:
    """Return a large number to three digits."""
    return compact(float(f"{value:.3g}"))


def _rates(series: Mapping[float, Series], lines: Mapping[float, _Line]) -> Panel:
    caption = "Best rate over bytes served"
    values = [
        end
        for line in lines.values()
        for rate, ends in zip(line.served.compression_rate.tolist(), line.ends, strict=True)
        for end in (rate, *(ends or ()))
    ]
    chart = Chart(
        _served_axis(lines), linear("best rate T*, bytes per token", values), width=440, height=400
    )
    marks = []
    for compute, line in lines.items():
        points = zip(
            line.amounts.tolist(), line.served.compression_rate.tolist(), line.ends, strict=True
        )
        marks += _drawn(chart, series[compute], list(points), line.beyond)
    description = "T* by the joint law, a line a budget. The table below holds the values."
    return chart.panel(caption, "serving-rates", caption, description, marks)


def _ratios(series: Mapping[float, Series], lines: Mapping[float, _Line]) -> Panel:
    caption = "Data for each parameter over bytes served"
    ratios = {compute: line.served.bytes_per_param.tolist() for compute, line in lines.items()}
    values = [ratio for column in ratios.values() for ratio in column]
    chart = Chart(
        _served_axis(lines),
        octaves("bytes per effective parameter", values),
        width=440,
        height=400,
    )
    marks = []
    for compute, line in lines.items():
        points: list[tuple[float, float, LowHigh]] = [
            (amount, ratio, None)
            for amount, ratio in zip(line.amounts.tolist(), ratios[compute], strict=True)
        ]
        marks += _drawn(chart, series[compute], points, line.beyond)
    description = "Training bytes over effective parameters at the best rate, a line a budget."
    return chart.panel(caption, "serving-ratios", caption, description, marks)


def _served_axis(lines: Mapping[float, _Line]) -> Axis:
    return decades(
        "bytes served", [float(amount) for line in lines.values() for amount in line.amounts]
    )


def _drawn(
    chart: Chart,
    entry: Series,
    points: list[tuple[float, float, LowHigh]],
    outside: list[bool],
) -> list[Markup]:
    """Return a line with its band, thin from where it leaves the runs on."""
    end = next((at for at, gone in enumerate(outside) if gone), len(points))
    within, after = points[: end + 1], [(x, y) for x, y, _ in points[end:]]
    marks = chart.banded(entry.style, within, entry.name) if end else []
    hint = f"{entry.name}, beyond the runs"
    return [*marks, chart.line(entry.style, after, hint, "thin")] if len(after) > 1 else marks


def _table(line: _Line, compute: float) -> Markup:
    rows = []
    for at in _whole(line):
        served = Served(*(column[at] for column in line.served))
        rows.append(
            [
                _bytes(line.amounts[at]),
                with_interval(float(served.compression_rate), line.ends[at]),
                _bytes(float(served.train_bytes)),
                significant(float(served.bytes_per_param)),
                significant(float(served.bits_per_byte), 4),
                _bytes(float(served.forward_flops_per_byte)),
                f"{float(served.train_flops) / compute:.0%}",
                "beyond" if line.beyond[at] else "within",
            ]
        )
    return sortable_table(
        f"What to train for so many bytes served, {power(compute)} FLOPs in all",
        columns(
            "bytes served | T*, bytes per token | training bytes | bytes per parameter | bits per"
            " byte | FLOPs per byte | for training | the runs:",
            {
                "bytes per parameter": "effective: the size that the compute would pay for",
                "for training": "share of the budget that is left for it",
            },
        ),
        rows,
    )
