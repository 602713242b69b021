"""Every law, fitted to the published runs that come with the package, written as a folder of fits.

The demo shows these; a folder of one's own is made the same way by `tokenize-lab scaling fit`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
from markupsafe import Markup

from corpora.files import write_json, write_text
from reports.html import Cell, Column, sortable_table
from reports.laws.results import CONVENTIONS, REPRODUCED, Laws
from reports.laws.text import ends_text, significant
from reports.numbers import plural
from reports.page import Section, absent
from scaling.cli.fit import LAWS_FOLDER
from scaling.engine.bootstrap import CASES, RESIDUALS
from scaling.fits.isoflop import fit_parabolas
from scaling.fits.joint import fit_joint
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.surface import fit_surfaces
from scaling.flops import CONVENTIONS as FLOPS_CONVENTIONS
from scaling.flops import BltShape, Setting, paper_blt, training_flops_per_byte
from scaling.laws.law2 import FORMS
from scaling.published import tables
from scaling.published.figure import Row, row_json
from scaling.published.reproduce import reproduce, summary
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs

RUNS, EXACT, OPTIMA = "runs.csv", "runs-exact.csv", "optima.csv"
_PARABOLA_DRAWS = 200  # 36 fits of them, and their intervals are drawn, not read
_RESIDUALS = CASES._replace(kind="residuals")


def write_shipped_laws(out: Path) -> Path:
    """Fit what is shipped, set it beside what was published, and write it all to `out/laws`.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = out / LAWS_FOLDER
    runs, optima = (
        _copied(folder / name, tables.path(table))
        for name, table in ((RUNS, tables.ISOFLOP), (OPTIMA, tables.OPTIMA))
    )
    exact = _exact(folder / EXACT, runs)
    for name, fit in _fits(runs, exact, optima):
        write_text(folder / f"{name}.json", fit.to_json() + "\n")
    for name, fit in _rivals(runs, exact):
        write_text(folder / CONVENTIONS / f"{name}.json", fit.to_json() + "\n")
    rows = [row_json(one) for one in reproduce()]
    write_json(folder / REPRODUCED, rows)
    return folder


def _copied(target: Path, source: Path) -> Runs:
    write_text(target, source.read_text("utf-8"))
    return read_runs(target)


def _exact(target: Path, runs: Runs) -> Runs:
    """Write the runs again with the parameter counts that their shapes have, to the last one."""
    shapes = [_shape(one) for one in runs.rows["global_params"].to_list()]
    frame = runs.rows.drop("row").with_columns(
        pl.Series("global_params", [float(shape.global_params) for shape in shapes]),
        pl.Series("total_params", [float(shape.total_params) for shape in shapes]),
    )
    write_text(target, frame.write_csv())
    return read_runs(target)


def _shape(printed: float) -> BltShape:
    known = [paper_blt(layers) for layers in range(1, tables.LARGEST_LAYERS + 1)]
    return min(known, key=lambda shape: abs(shape.global_params - printed))


def _fits(runs: Runs, exact: Runs, optima: Runs) -> Iterator[tuple[str, FitResult]]:
    """Yield every law by the name of its file.

    Bowls and the joint law from the runs as printed, as the published figures are; Law I and its
    parabolas from exact counts, for the printed ones have two digits above a billion.
    """
    for law, several in (
        ("isoflop-surface", fit_surfaces(runs)),
        ("isoflop", fit_parabolas(exact, RESIDUALS._replace(draws=_PARABOLA_DRAWS))),
    ):
        for number, fit in enumerate(several, start=1):
            yield f"{law}-{number:02}", fit
    yield "law1", fit_law1(exact)
    for form in FORMS:
        yield f"law2-{form}", fit_law2(optima, form)
    for form in ("chinchilla", "one-exponent", "drift", "two-exponents", "additive"):
        yield f"joint-{form}", fit_joint(runs, form)


def _rivals(runs: Runs, exact: Runs) -> Iterator[tuple[str, FitResult]]:
    """Yield the same laws from the same runs, parameters and FLOPs counted otherwise."""
    frame = exact.rows.drop("row")
    total = replace(exact, params_column="total_params")
    for name, words, table in (
        ("printed", "global module, as printed", runs),
        ("global", "global module, exact", exact),
        ("total", "all modules, exact", total),
    ):
        yield f"law1-{name}", _declared(fit_law1(table), params=words, flops="6 N B / T")
        at_1e20 = table.only(table.column("compute_flops", "isoflop-surface") == 1e20)
        (surface,) = fit_surfaces(at_1e20)
        yield f"surface-{name}", _declared(surface, params=words, flops="as published")
    yield "joint-published", _declared(fit_joint(exact, bootstrap=_RESIDUALS), flops="as published")
    shapes = [_shape(one) for one in frame["global_params"].to_list()]
    settings = [Setting(one) for one in frame["compression_rate"].to_list()]
    for convention in FLOPS_CONVENTIONS:
        spent = [
            data * training_flops_per_byte(shape, setting, convention)
            for data, shape, setting in zip(
                frame["train_bytes"].to_list(), shapes, settings, strict=True
            )
        ]
        counted = frame.with_columns(pl.Series("compute_flops", spent))
        table = replace(read_runs(counted, exact.name), sha256=exact.sha256)
        # Each run has a budget of its own here, so there are no cells to resample within, and no
        # largest budget to leave out.
        fit = fit_joint(table, bootstrap=_RESIDUALS).model_copy(update={"holdout": None})
        yield f"joint-{convention}", _declared(fit, flops=convention)


def _declared(fit: FitResult, **conventions: str) -> FitResult:
    """Return the fit with its conventions in words."""
    return fit.model_copy(update={"conventions": {**fit.conventions, **conventions}})


# Published figures beside ours.


_JUDGED = {
    "digits": "to its digits",
    "scatter": "within random draws",
    "bar": "stays under",
    "context": "for context",
}


def reproduced(laws: Laws) -> Section:
    """Show every published figure whose data are here, ours, and whether they agree."""
    title = "Published figures reproduced"
    if not laws.reproduced:
        note = absent("Not run: tokenize-lab scaling reproduce --out DIR/laws writes the table.")
        return Section("laws-reproduced", title, note)
    agree, judged = summary(laws.reproduced)
    differ = [one for one in laws.reproduced if one.agrees is False]
    body = Markup("<p>{}</p>").format(
        f"{agree} of {plural(judged, 'figure')} agree as they should: published figures are judged "
        "by the digits they were printed with, ends of intervals by what random draws differ by, "
        "and bars must not be passed. Figures for context come from other data or another method, "
        "so no agreement is expected; there the interval says how far apart the two are."
    )
    if differ:
        names = "; ".join(f"{one.group}, {one.name}" for one in differ)
        body += Markup("<p>Not in agreement: {}.</p>").format(names)
    table = sortable_table(
        "Published figures, ours, and whether the published lies in our interval",
        [
            Column("source", numeric=False),
            Column("figure", numeric=False),
            Column("published"),
            Column("ours"),
            Column("difference"),
            Column("agrees", numeric=False),
            Column("in our interval", numeric=False),
            Column("note", numeric=False),
        ],
        [_row(one) for one in laws.reproduced],
        row_headers=2,
        style="tall",
    )
    return Section("laws-reproduced", title, body + table)


def _row(one: Row) -> list[str | Markup | Cell]:
    return [
        one.group,
        one.name,
        one.published.replace("-", "\u2212"),
        f"{one.ours:g}" if one.ours == int(one.ours) else significant(one.ours, 4),
        significant(one.difference, 2),
        Cell(_agrees(one), "no" if one.agrees is False else "", _JUDGED[one.judged]),
        Cell(
            _yes(one.in_ours),
            hint="" if one.interval is None else ends_text(one.interval.low, one.interval.high, 4),
        ),
        one.note,
    ]


def _agrees(one: Row) -> str:
    return "context" if one.judged == "context" else _yes(one.agrees)


def _yes(one: bool | None) -> str:
    return "–" if one is None else "yes" if one else "no"
