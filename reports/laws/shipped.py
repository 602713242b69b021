"""Every law, fitted to the published runs that come with the package, written as a folder of fits;
and every published figure beside ours.

The demo shows these; a folder of one's own is made the same way by `tokenize-lab scaling fit`.
"""

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from corpora.files import write_json, write_text
from reports.html import TableCell, sortable_table
from reports.laws.results import CONVENTIONS, REPRODUCED, Laws
from reports.numbers import UNMEASURED, ends_text, plural, significant
from reports.page import Section, missing, paragraphs
from scaling.engine.bootstrap import RESIDUALS
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.fits.joint import fit_joint
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.results import laws_folder
from scaling.laws.registry import LAWS, Options
from scaling.published import tables
from scaling.published.conventions import convention_fits
from scaling.published.figure import PublishedFigure
from scaling.published.reproduce import reproduce, summary
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs

RUNS, EXACT, OPTIMA = "runs.csv", "runs-exact.csv", "optima.csv"
_PARABOLA_DRAWS = 200  # 36 fits of them, and their intervals are drawn, not read


def write_shipped_laws(out: Path) -> Path:
    """Fit what is shipped, set it beside what was published, and write it all to `out/laws`.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = laws_folder(out)
    runs, optima = (
        _copied(folder / name, tables.path(table))
        for name, table in ((RUNS, tables.ISOFLOP), (OPTIMA, tables.OPTIMA))
    )
    exact = _exact(folder / EXACT)
    for name, fit in _fits(runs, exact, optima):
        write_text(folder / f"{name}.json", fit.to_json() + "\n")
    for name, fit in convention_fits(runs, exact):
        write_text(folder / CONVENTIONS / f"{name}.json", fit.to_json() + "\n")
    write_json(folder / REPRODUCED, [figure.to_json() for figure in reproduce()])
    return folder


def _copied(target: Path, source: Path) -> Runs:
    write_text(target, source.read_text("utf-8"))
    return read_runs(target)


def _exact(target: Path) -> Runs:
    """Write the runs again with the parameter counts that their shapes have, to the last one."""
    write_text(target, tables.isoflop_runs(exact_params=True).rows.drop("row").write_csv())
    return read_runs(target)


def _fits(runs: Runs, exact: Runs, optima: Runs) -> Iterator[tuple[str, FitResult]]:
    """Yield every law by the name of its file.

    Bowls and the joint law from the runs as printed, as the published figures are; Law I and its
    parabolas from exact counts, for the printed ones have two digits above a billion.
    """
    for law, several in (
        ("isoflop-surface", fit_surfaces(runs)),
        ("isoflop", fit_parabolas(exact, bootstrap=RESIDUALS._replace(draws=_PARABOLA_DRAWS))),
    ):
        for number, fit in enumerate(several, start=1):
            yield f"{law}-{number:02}", fit
    yield "law1", _of_english(fit_law1(exact))
    for form in LAWS["law2"].forms:
        yield f"law2-{form}", _of_english(fit_law2(optima, Options(form)))
    for form in ("chinchilla", "one-exponent", "drift", "two-exponents", "widening", "shrinking",
                 "additive"):  # fmt: skip
        yield f"joint-{form}", _of_english(fit_joint(runs, Options(form)))


_ENGLISH = {"tokenization": "blt_entropy", "language": "eng_Latn"}


def _of_english(fit: FitResult) -> FitResult:
    """Return a fit that says whose runs it stands on, which the published tables do not."""
    return fit.model_copy(update={"context": _ENGLISH})


_JUDGED = {
    "digits": "to its digits",
    "scatter": "within random draws",
    "bar": "stays under",
    "context": "for context",
}
_ANSWERS = {None: UNMEASURED, True: "yes", False: "no"}


def reproduced(laws: Laws) -> Section:
    """Show every published figure whose data are here, ours, and whether they agree."""
    title = "Published figures reproduced"
    if not laws.reproduced:
        reason = "Not run: tokenize-lab scaling reproduce --out DIR/laws writes the table."
        return missing("laws-reproduced", title, reason)
    agree, judged = summary(laws.reproduced)
    differ = [f"{f.group}, {f.name}" for f in laws.reproduced if f.agrees is False]
    body = paragraphs(
        f"{agree} of {plural(judged, 'figure')} agree as they should: published figures are judged "
        "by the digits they were printed with, ends of intervals by what random draws differ by, "
        "and bars must not be passed. Figures for context come from other data or another method, "
        "so no agreement is expected; there the interval says how far apart the two are.",
        f"Not in agreement: {'; '.join(differ)}." if differ else "",
    )
    table = sortable_table(
        "Published figures, ours, and whether the published lies in our interval",
        "source: | figure: | published | ours | difference | agrees: | in our interval: | note:",
        [_row(figure) for figure in laws.reproduced],
        row_headers=2,
        style="tall",
    )
    gist = f"{agree} of {plural(judged, 'figure')} agree with what was published"
    return Section("laws-reproduced", title, body + table, gist=gist)


def _row(figure: PublishedFigure) -> list[str | Markup | TableCell]:
    ours = figure.reproduced
    agrees = "context" if figure.judged == "context" else _ANSWERS[figure.agrees]
    return [
        figure.group,
        figure.name,
        figure.published.replace("-", "\u2212"),
        f"{ours:g}" if ours == int(ours) else significant(ours, 4),
        significant(figure.difference, 2),
        TableCell(agrees, "no" if figure.agrees is False else "", _JUDGED[figure.judged]),
        TableCell(_ANSWERS[figure.in_interval], hint=ends_text(figure.interval, 4)),
        figure.note,
    ]
