"""What languages pay for the same lines: parity against premium, the Lorenz curve, Gini."""

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Panel, panels
from reports.charts.scatter import ScatterPoint, lorenz_curves, scatter
from reports.charts.svg import Series, legend
from reports.html import Column, columns, language_cell, name, sortable_table, tokenizer_cell
from reports.languages import language_name
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.numbers import share
from reports.page import Absent, Blocks, Section, behind, corpus_section, figure, note
from reports.sections.compression import FAINT, caveats, dots_by_language
from tokenize_lab.counts.fields import FIELD_INDEX
from tokenize_lab.rates import lorenz

_PARITY, _PREMIUM, _GINI = MEASURES["parity"], MEASURES["premium"], MEASURES["gini"]


def fairness(measured: Measured) -> Section:
    """Show premiums beside parities, and how evenly tokens fall on languages."""

    def part(corpus: CorpusResults) -> Blocks:
        if not corpus.compared:
            paid: Markup | Absent = Absent(corpus.incomparable(measured.reference))
        else:
            paid = _paid(measured, corpus)
        found = [("Premium by language", paid)]
        if corpus.aligned:
            found.append(("How evenly tokens fall", _evenness(measured, corpus)))
        return found

    return corpus_section(measured, "fairness", "What languages pay for the same text", part)


def _paid(measured: Measured, corpus: CorpusResults) -> Markup | Absent:
    """Show premiums by language and tokenizer, and the same beside parities."""
    rows = [row for row in corpus.rows if row["premium"] and row["parity"]]
    if not rows:
        return Absent("The aligned lines are empty.")
    picture = dots_by_language(
        f"premium-{corpus.index}",
        _PREMIUM,
        dearest_first(corpus),
        measured.series,
        corpus.reader("premium"),
        caveat=caveats(corpus, _PREMIUM),
        one_is=_reference_name(measured, corpus),
    )
    assert picture is not None
    drawn = figure(
        picture,
        f"Tokens of a language over those of the reference ({measured.reference}) for the same "
        "lines, with 95 % intervals where there are any; the languages that pay most stand first. "
        "The axis is logarithmic." + (FAINT if corpus.losing else ""),
        legend(measured.series),
    )
    return _panels(measured, corpus, behind("Figure: every language under every tokenizer", drawn))


def _reference_name(measured: Measured, corpus: CorpusResults) -> str:
    known = (code for code in corpus.languages if code.startswith(measured.reference))
    return language_name(next(known, measured.reference))


def dearest_first(corpus: CorpusResults, tokenizer: str = "") -> list[str]:
    """Return the languages of a corpus that have a premium, the largest first: under one
    tokenizer, or by the geometric mean over all."""
    logs: dict[str, list[float]] = {}
    for row in corpus.rows:
        if row["premium"] and tokenizer in ("", row["tokenizer"]):
            logs.setdefault(row["language"], []).append(float(np.log(row["premium"])))
    return sorted(logs, key=lambda code: (-float(np.mean(logs[code])), code))


def _panels(measured: Measured, corpus: CorpusResults, figures: Markup) -> Markup:
    rows = [row for row in corpus.rows if row["premium"] and row["parity"]]
    values = [row[measure] for row in rows for measure in ("parity", "premium")]
    extent = (min(values), max(values))
    table = sortable_table(
        f"Parity and premium{corpus.with_intervals}",
        [
            *columns("language:"),
            _PARITY.column,
            *(
                Column(f"premium, {s.name}", hint=_PREMIUM.meaning, tokenizer=s.name)
                for s in measured.series
            ),
        ],
        [
            [
                language_cell(language),
                _PARITY.cell(corpus.cells.get((language, measured.series[0].name))),
                *(_PREMIUM.cell(corpus.cells.get((language, s.name))) for s in measured.series),
            ]
            for language in dearest_first(corpus)
        ],
        style="tall",
    )
    words = (
        f"Across: parity, a language's bytes over those of the reference ({measured.reference}) "
        "on the same lines. Up: premium, the same for tokens. On the diagonal a tokenizer costs "
        "exactly what bytes cost; above it, the language pays more than its bytes account for. "
        "Both axes are logarithmic and the same in every panel; labels are written where there is "
        "room, and the table names all."
    )
    drawn = panels(_panel(corpus, s, extent, measured.reference) for s in measured.series)
    apart = behind(
        "Figure: premium against parity, a panel for each tokenizer", drawn + note(words)
    )
    return table + figures + apart


def _panel(
    corpus: CorpusResults, series: Series, extent: tuple[float, float], reference: str
) -> Panel:
    points = []
    for language in corpus.languages:
        row = corpus.cells.get((language, series.name))
        if row is None or not row["premium"] or not row["parity"]:
            continue
        shown = language_name(language)
        ends = row["intervals"]
        hint = (
            f"{shown}: premium {_PREMIUM.full(row['premium'], ends['premium'])}, "
            f"parity {_PARITY.full(row['parity'], ends['parity'])}"
        )
        points.append(ScatterPoint(row["parity"], row["premium"], ends["premium"], shown, hint))
    identity = f"scatter-{corpus.index}-{series.style.colour}{series.style.shape}"
    picture = scatter(
        identity,
        f"Parity against premium under {series.name}",
        f"{len(points)} languages; reference {reference}. The table below holds the values.",
        ("parity (bytes over the reference's)", "premium (tokens over the reference's)"),
        points,
        series.style,
        extent,
    )
    return Panel(name(series.name), picture, style=series.style)


def _evenness(measured: Measured, corpus: CorpusResults) -> Markup | Absent:
    tokens = FIELD_INDEX["tokens"]
    curves = []
    rows = []
    for series in measured.series:
        groups = corpus.aligned.get(series.name)
        if groups is None:
            continue
        costs = [float(corpus.counts[group].total[tokens]) for group in groups]
        if not sum(costs):
            return Absent("The aligned lines are empty.")
        row = corpus.cells[(str(groups[0].language), series.name)]
        gini = _GINI.full(row["gini"], row["intervals"]["gini"])
        curves.append((series, costs, f"{series.name}: Gini {gini}"))
        rows.append([tokenizer_cell(series.name), _GINI.cell(row), _share(costs), str(len(groups))])
    picture = lorenz_curves(
        f"lorenz-{corpus.index}",
        "Lorenz curves of tokens over languages",
        "Share of all tokens that the cheapest languages take, one curve for each tokenizer. The "
        "table beside holds the Gini coefficients.",
        curves,
    )
    table = sortable_table(
        f"Gini coefficient of tokens per aligned line over languages{corpus.with_intervals}",
        [
            *columns("tokenizer:"),
            _GINI.column,
            Column("costliest tenth", hint="share of all tokens that the costliest tenth of "
                   "languages takes; a tenth of the tokens if all cost the same"),
            Column("languages"),
        ],
        rows,
    )  # fmt: skip
    drawn = figure(
        picture,
        "If every language cost the same, the curve would be the diagonal, and Gini 0; the deeper "
        "the curve hangs, the more unevenly the same content is paid for.",
        legend([series for series, _, _ in curves], lines=True),
    )
    return Markup('<div class="beside">{}{}</div>').format(drawn, table)


def _share(costs: list[float]) -> str:
    """Return the share of all tokens that falls on the costliest tenth, on the Lorenz curve."""
    languages, tokens = lorenz(costs)
    return share(1 - float(np.interp(0.9, languages, tokens)))
