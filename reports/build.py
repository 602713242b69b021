"""From a folder of measurements, laws or both, or of a sweep, to its report."""

from collections.abc import Sequence
from pathlib import Path

from corpora.files import write_text
from reports.laws.material import read_laws
from reports.laws.pages import law_sections
from reports.measured import Measured, Series, read_measured
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
from reports.vocabulary.material import read_curves
from reports.vocabulary.pages import vocabulary_sections
from scaling.sweep.folder import SWEEP
from tokenize_lab.results import RECORD
from tokenize_lab.vocab_curve.job import FILE

REPORT_NAME = "report.html"
TITLE = "What tokenizers make of this text"
LAWS_TITLE = "What these runs obey"
SWEEP_TITLE = "What this sweep shows"
VOCABULARY_TITLE = "What a larger vocabulary gains"


def build_report(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a folder of results and return its path.

    The same folder gives the same bytes, unless a sweep in it is still running.

    Arguments:
        folder: what `tokenize-lab measure --out`, `vocab-curve --out` or `scaling fit --out` wrote,
            or several of them; or the folder of a sweep, with or without laws fitted to it.
        out: the file to write; by default `report.html` in the folder.

    Raises:
        InputError: the folder holds none of these, or a damaged one; the file cannot be written.
    """
    laws, with_curves = read_laws(folder), (folder / FILE).exists()
    if (folder / SWEEP).exists():
        sections = sweep_sections(read_sweep_results(folder))
        sections += law_sections(laws, None) if laws is not None else []
        page = render_page(SWEEP_TITLE, sections)
    elif (laws is not None or with_curves) and not (folder / RECORD).exists():
        sections = _vocabulary(folder) + (law_sections(laws, None) if laws is not None else [])
        page = render_page(LAWS_TITLE if laws is not None else VOCABULARY_TITLE, sections)
    else:
        measured = read_measured(folder)
        sections = measurement_sections(measured)
        # Definitions and provenance stay last.
        sections[-2:-2] = [
            *_vocabulary(folder, measured.series),
            *(law_sections(laws, measured) if laws is not None else []),
        ]
        page = render_page(TITLE, sections, [corpus.name for corpus in measured.corpora])
    target = out or folder / REPORT_NAME
    write_text(target, page)
    return target


def _vocabulary(folder: Path, known: Sequence[Series] = ()) -> list[Section]:
    curves = read_curves(folder, known)
    return vocabulary_sections(curves) if curves is not None else []


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
