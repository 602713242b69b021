"""From a folder of results, of whatever kinds, to its report."""

from collections.abc import Sequence
from pathlib import Path

from corpora.errors import InputError
from corpora.files import write_text
from reports.forensics.pages import forensic_sections
from reports.laws.pages import law_sections
from reports.laws.results import read_laws
from reports.measured import Measured, Series, read_measured
from reports.page import Section, render_page
from reports.sections.boundaries import boundaries
from reports.sections.compression import compression
from reports.sections.differences import differences
from reports.sections.fairness import fairness
from reports.sections.fidelity import digits_code, fidelity
from reports.sections.overview import overview
from reports.sections.rates import rates
from reports.sections.tokenizers import definitions, provenance, tokenizers
from reports.sweep.pages import sweep_sections
from reports.sweep.results import read_sweep_results
from reports.vocabulary.curves import read_curves
from reports.vocabulary.pages import vocabulary_sections
from scaling.sweep.folder import SWEEP
from tokenize_lab.results import RECORD
from tokenize_lab.vocab_curve.job import FILE

REPORT_NAME = "report.html"
TITLE = "What tokenizers make of this text"
LAWS_TITLE = "What these runs obey"
SWEEP_TITLE = "What this sweep shows"
VOCABULARY_TITLE = "What a larger vocabulary gains"
FORENSICS_TITLE = "What these tokenizers give away"


def build_report(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a folder of results and return its path.

    The same folder gives the same bytes, unless a sweep in it is still running.

    Arguments:
        folder: what `tokenize-lab measure`, `vocab-curve`, `scaling fit` or `tokenizers audit`,
            `diff` and `mixture` wrote to their `--out`, or several of these; or the folder of a
            sweep, with or without any of them.
        out: the file to write; by default `report.html` in the folder.

    Raises:
        InputError: the folder holds none of these, or a damaged one; the file cannot be written.
    """
    laws, forensics = read_laws(folder), forensic_sections(folder)
    trained = _sweep(folder)
    there = {
        SWEEP_TITLE: bool(trained),
        TITLE: (folder / RECORD).exists(),
        LAWS_TITLE: laws is not None,
        VOCABULARY_TITLE: (folder / FILE).exists(),
        FORENSICS_TITLE: bool(forensics),
    }
    title = next((title for title, present in there.items() if present), None)
    if title is None:
        raise InputError(
            f"{folder}: {'holds no results' if folder.is_dir() else 'no such folder'}; name what"
            " measure, vocab-curve, scaling fit or tokenizers audit wrote to --out, or a sweep's"
        )
    measured = read_measured(folder) if there[TITLE] else None
    about = measurement_sections(measured) if measured is not None else []
    sections = [
        *trained,
        *about[:-2],
        *_vocabulary(folder, measured.series if measured is not None else ()),
        *forensics,
        *(law_sections(laws, measured) if laws is not None else []),
        *about[-2:],  # definitions and provenance
    ]
    corpora = [corpus.name for corpus in measured.corpora] if measured is not None else []
    target = out or folder / REPORT_NAME
    write_text(target, render_page(title, sections, corpora))
    return target


def _sweep(folder: Path) -> list[Section]:
    return sweep_sections(read_sweep_results(folder)) if (folder / SWEEP).exists() else []


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
