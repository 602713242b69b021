"""Bootstrap clouds: which coefficients the data fix only together."""

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from reports.figures.svg import tag
from reports.laws.chart import Axis, Chart, linear, octaves, panel, panels
from reports.laws.material import Laws, budget, shown_name
from reports.laws.names import GREEK
from reports.laws.profiles import law2_of
from reports.laws.text import significant, with_interval
from reports.palette import series_style
from reports.section import absent, behind
from reports.table import Column, sortable_table
from scaling.result import FitResult

Array = NDArray[np.float64]
_MOST_DRAWS = 400
_CLOUDS = (
    ("law2", "delta", "T0"),
    ("law2", "gamma", "E"),
    ("law1", "alpha", "beta"),
    ("isoflop-surface", "compression_rate_opt", "bytes_per_param_opt"),
)


def clouds(laws: Laws) -> Markup:
    """Show pairs of coefficients over the draws, and how they correlate."""
    charts: list[Markup] = []
    rows: list[list[str | Markup]] = []
    for law, x, y in _CLOUDS:
        fit = law2_of(laws) if law == "law2" else _typical(laws.of(law))
        if fit is None or not fit.draws or x not in fit.estimates or y not in fit.estimates:
            continue
        names = list(fit.estimates)
        table = np.asarray(fit.draws)
        pair = table[:, [names.index(x), names.index(y)]]
        charts.append(_cloud(len(charts), fit, shown_name(fit, laws.fits), (x, y), pair))
        spread = np.log(pair) if (pair > 0).all() else pair
        rows.append(
            [
                shown_name(fit, laws.fits),
                f"{GREEK.get(x, x)} and {GREEK.get(y, y)}",
                significant(float(np.corrcoef(spread.T)[0, 1]), 2),
                with_interval(fit.estimates[x], fit.intervals.get(x)),
                with_interval(fit.estimates[y], fit.intervals.get(y)),
            ]
        )
    if not charts:
        return absent("No fit carries bootstrap draws.")
    table_ = sortable_table(
        "How coefficients move together over the bootstrap",
        [
            Column("fit", numeric=False),
            Column("coefficients", numeric=False),
            Column("correlation"),
            Column("the first"),
            Column("the second"),
        ],
        rows,
        row_headers=2,
    )
    note = Markup('<p class="note">{}</p>').format(
        f"Every dot is the whole pipeline run again on resampled data (up to {_MOST_DRAWS} are "
        "drawn), the cross the estimate. A long thin cloud says that the data fix a combination of "
        "the two, not either alone: quote their joint prediction."
    )
    return panels(*charts, wide=True) + note + behind("Table: correlations", table_)


def _typical(fits: list[FitResult]) -> FitResult | None:
    """Return the fit at 1e20 FLOPs, or the first."""
    return next((one for one in fits if budget(one) == 1e20), next(iter(fits), None))


def _axis(name: str, values: list[float]) -> Axis:
    label = GREEK.get(name, name)
    wide = min(values) >= 1 and max(values) > 3 * min(values)
    return octaves(label, values) if wide else linear(label, values, 4)


def _cloud(
    place: int, fit: FitResult, fit_name: str, names: tuple[str, str], pair: Array
) -> Markup:
    # The outermost draws would shrink the rest to a dot.
    low, high = np.percentile(pair, [0.5, 99.5], axis=0)
    inner = pair[((pair >= low) & (pair <= high)).all(axis=1)][:_MOST_DRAWS]
    estimate = (fit.estimates[names[0]], fit.estimates[names[1]])
    chart = Chart(
        _axis(names[0], [*inner[:, 0].tolist(), estimate[0]]),
        _axis(names[1], [*inner[:, 1].tolist(), estimate[1]]),
    )
    style = series_style(0)
    marks = []
    for a, b in inner.tolist():
        x, y = chart.at(a, b)
        marks.append(tag("circle", class_=f"cloud s{style.colour}", cx=x, cy=y, r=2))
    x, y = chart.at(*estimate)
    marks += [
        tag("line", class_="best", x1=x - 7, x2=x + 7, y1=y, y2=y),
        tag("line", class_="best", x1=x, x2=x, y1=y - 7, y2=y + 7),
    ]
    first, second = (GREEK.get(one, one).split(",")[0] for one in names)
    caption = f"{fit_name}: {first} and {second}"
    picture = chart.draw(
        f"cloud-{place}", caption, f"{len(inner)} bootstrap draws and the estimate.", *marks
    )
    return panel(caption, picture)
