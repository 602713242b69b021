"""From a folder of measurements, laws or both, or of a sweep, to its report."""

from pathlib import Path

from corpora.files import write_text
from reports.forensics.pages import forensic_sections
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
from reports.sweep.material import read_sweep_results
from reports.sweep.pages import sweep_sections
from scaling.sweep.folder import SWEEP
from tokenize_lab.results import RECORD

REPORT_NAME = "report.html"
TITLE = "What tokenizers make of this text"
LAWS_TITLE = "What these runs obey"
SWEEP_TITLE = "What this sweep shows"
FORENSICS_TITLE = "What these tokenizers give away"


def build_report(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a folder of results and return its path.

    The same folder gives the same bytes, unless a sweep in it is still running.

    Arguments:
        folder: what `tokenize-lab measure --out`, `scaling fit --out` or `tokenizers audit`, `diff`
            and `mixture --out` wrote, or several of these; or the folder of a sweep, with or
            without laws fitted to it.
        out: the file to write; by default `report.html` in the folder.

    Raises:
        InputError: the folder holds neither, or a damaged one; the file cannot be written.
    """
    laws = read_laws(folder)
    forensics = forensic_sections(folder)
    if (folder / SWEEP).exists():
        sections = sweep_sections(read_sweep_results(folder))
        sections += law_sections(laws, None) if laws is not None else []
        page = render_page(SWEEP_TITLE, [*sections, *forensics])
    elif laws is not None and not (folder / RECORD).exists():
        page = render_page(LAWS_TITLE, [*law_sections(laws, None), *forensics])
    elif forensics and not (folder / RECORD).exists():
        page = render_page(FORENSICS_TITLE, forensics)
    else:
        measured = read_measured(folder)
        sections = measurement_sections(measured)
        # Definitions and provenance stay last.
        sections[-2:-2] = forensics
        if laws is not None:
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
