"""From a measured folder to its report."""

from pathlib import Path

from corpora.files import write_text
from reports.laws.material import read_laws
from reports.laws.pages import law_sections
from reports.measured import Measured, read_measured
from reports.page import render_page
from reports.section import Section
from reports.sections.boundaries import boundaries
from reports.sections.compression import compression
from reports.sections.definitions import definitions
from reports.sections.differences import differences
from reports.sections.digits_code import digits_code
from reports.sections.fairness import fairness
from reports.sections.fidelity import fidelity
from reports.sections.overview import overview
from reports.sections.provenance import provenance
from reports.sections.rates import rates
from reports.sections.tokenizers import tokenizers

REPORT_NAME = "report.html"
TITLE = "What tokenizers make of this text"


def build_report(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a measured folder and return its path.

    The same folder gives the same bytes.

    Arguments:
        folder: what `tokenize-lab measure --out` wrote; fits and runs under `laws/` in it, as
            `tokenize-lab scaling fit --out` writes them, are shown too.
        out: the file to write; by default `report.html` in the folder.

    Raises:
        InputError: the folder holds no whole measurement, or the file cannot be written.
    """
    measured = read_measured(folder)
    laws = read_laws(folder)
    sections = measurement_sections(measured)
    if laws is not None:
        # Definitions and provenance stay last.
        sections[-2:-2] = law_sections(laws, measured)
    page = render_page(TITLE, sections, [corpus.name for corpus in measured.corpora])
    target = out or folder / REPORT_NAME
    write_text(target, page)
    return target


def measurement_sections(measured: Measured) -> list[Section]:
    """Return the sections on what was measured, in their order."""
    return [
        overview(measured),
        tokenizers(measured),
        compression(measured),
        boundaries(measured),
        fairness(measured),
        differences(measured),
        fidelity(measured),
        digits_code(measured),
        rates(measured),
        definitions(measured),
        provenance(measured),
    ]
