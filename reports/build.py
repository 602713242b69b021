"""From a folder of results, of whatever kinds, to its report.

A report is a list of parts, and a part is a list of sections: to add one, write it in a file of its
own and name it in the list of its part below.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from corpora.errors import InputError
from corpora.files import write_text
from reports.design.answer import design_answer
from reports.design.frontier import design_curves, design_frontier
from reports.forensics.diff import diff_section
from reports.forensics.tokenizers import audit_section, mixture_section
from reports.languages import language_name
from reports.laws.allocation import allocation, isoflops
from reports.laws.arms import arms
from reports.laws.bowl import bowls
from reports.laws.doubt import doubt
from reports.laws.joint import joint
from reports.laws.languages import law_languages
from reports.laws.mixture import mixture
from reports.laws.optimal import optimal
from reports.laws.overview import law_overview
from reports.laws.profiles import profiles
from reports.laws.results import Laws, read_laws
from reports.laws.serving import serving
from reports.laws.shipped import reproduced
from reports.measured import Measured, read_measured
from reports.page import Section, render_page
from reports.sections.answer import overview
from reports.sections.boundaries import boundaries
from reports.sections.compression import compression, differences, rates
from reports.sections.decoders import Decoders, decoders, read_decoders
from reports.sections.fairness import fairness
from reports.sections.fidelity import digits_code, fidelity
from reports.sections.tokenizers import definitions, provenance, tokenizers
from reports.sweep.curves import curves, learning
from reports.sweep.grid import grid
from reports.sweep.isoflops import sweep_isoflops
from reports.sweep.languages import each_language
from reports.sweep.overview import runs_table, sweep_overview
from reports.sweep.rates import best_rates, inference
from reports.sweep.results import SweepResults, read_sweep_results
from reports.vocabulary.adapted import extension_section, pruning_section
from reports.vocabulary.best import best_vocabulary_section
from reports.vocabulary.curves import Curves, gains, read_curves, sizes
from scaling.design.result import Design, load_design
from scaling.sweep.folder import SWEEP
from tokenize_lab.forensics.finding import load_findings
from tokenize_lab.results import RECORD

AnyResults = TypeVar("AnyResults")

REPORT_NAME = "report.html"
TITLE = "What tokenizers make of this text"
LAWS_TITLE = "What these runs obey"
SWEEP_TITLE = "What this sweep shows"
VOCABULARY_TITLE = "What a larger vocabulary gains"
FORENSICS_TITLE = "What these tokenizers give away"
DECODERS_TITLE = "What writing with this model takes"
DESIGN_TITLE = "A tokenizer for these languages and this budget"
# A page of several parts has the title of the first of these.
_TITLES = (
    SWEEP_TITLE, TITLE, DESIGN_TITLE, LAWS_TITLE, VOCABULARY_TITLE, FORENSICS_TITLE,
    DECODERS_TITLE,
)  # fmt: skip

OF_SWEEP: Sequence[Callable[[SweepResults], Section | None]] = (
    sweep_overview, grid, curves, sweep_isoflops, best_rates, each_language, learning, inference,
    runs_table,
)  # fmt: skip
OF_MIXTURES: Sequence[Callable[[SweepResults], Section | None]] = (
    sweep_overview, each_language, runs_table,
)  # fmt: skip
OF_MEASUREMENT: Sequence[Callable[[Measured], Section]] = (
    overview, tokenizers, compression, boundaries, fairness, differences, fidelity, digits_code,
    rates,
)  # fmt: skip
OF_DECODERS: Sequence[Callable[[Decoders], Section]] = (decoders,)
OF_VOCABULARY: Sequence[Callable[[Curves], Section]] = (sizes, gains, best_vocabulary_section)
OF_FINDING = {
    "audit": audit_section,
    "diff": diff_section,
    "mixture": mixture_section,
    "extend": extension_section,
    "prune": pruning_section,
}
OF_LAWS: Sequence[Callable[[Laws], Section | None]] = (
    law_overview, bowls, isoflops, allocation, profiles, optimal, joint, serving, arms,
    law_languages, doubt, reproduced,
)  # fmt: skip
OF_DESIGN: Sequence[Callable[[Design], Section]] = (design_answer, design_frontier, design_curves)
AT_THE_END: Sequence[Callable[[Measured], Section]] = (definitions, provenance)


def build_report(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a folder of results and return its path.

    The same folder gives the same bytes, unless a sweep in it is still running.

    Arguments:
        folder: what `tokenize-lab measure`, `vocab-curve`, `scaling fit`, `scaling design` or
            `tokenizers audit`, `diff`, `mixture`, `extend` and `prune` wrote to their `--out`, or
            several of these, or files decoders*.json of `scaling evaluate --decode`; or the folder
            of a sweep, with or without any of them.
        out: the file to write; by default `report.html` in the folder.

    Raises:
        InputError: the folder holds none of these, or a damaged one; the file cannot be written.
    """
    measured = read_measured(folder) if (folder / RECORD).exists() else None
    sweep = read_sweep_results(folder) if (folder / SWEEP).exists() else None
    laws = read_laws(folder, measured)
    vocabulary = read_curves(folder, measured.series if measured is not None else ())
    parts = {
        SWEEP_TITLE: sections_of(OF_MIXTURES if sweep and sweep.of_mixtures else OF_SWEEP, sweep),
        TITLE: sections_of(OF_MEASUREMENT, measured),
        DESIGN_TITLE: sections_of(OF_DESIGN, load_design(folder)),
        VOCABULARY_TITLE: sections_of(OF_VOCABULARY, vocabulary),
        FORENSICS_TITLE: _findings(folder),
        LAWS_TITLE: _laws(folder, laws),
        DECODERS_TITLE: sections_of(OF_DECODERS, read_decoders(folder)),
        "": sections_of(AT_THE_END, measured),
    }
    title = next((title for title in _TITLES if parts[title]), None)
    if title is None:
        raise InputError(
            f"{folder}: {'holds no results' if folder.is_dir() else 'no such folder'}; name what"
            " measure, vocab-curve, scaling fit, scaling design or tokenizers audit wrote to --out,"
            " the files decoders*.json of scaling evaluate, or a sweep's"
        )
    sections = [section for part in parts.values() for section in part]
    target = out or folder / REPORT_NAME
    write_text(target, render_page(title, sections, **_choices(measured, vocabulary)))
    return target


def _choices(measured: Measured | None, vocabulary: Curves | None) -> dict[str, Any]:
    """Return what readers of the page may choose among: corpora, tokenizers, languages."""
    tokenizers = {
        series.name: series
        for source in (measured, vocabulary)
        if source is not None
        for series in source.series
    }
    languages = [
        *(code for corpus in (measured.corpora if measured else ()) for code in corpus.languages),
        *(vocabulary.languages if vocabulary else ()),
    ]
    return {
        "corpora": [corpus.name for corpus in measured.corpora] if measured is not None else [],
        "tokenizers": list(tokenizers.values()),
        "languages": sorted(set(languages), key=lambda code: (language_name(code), code)),
    }


def sections_of(
    declared: Sequence[Callable[[AnyResults], Section | None]], results: AnyResults | None
) -> list[Section]:
    """Return the declared sections on some results; none where there are no results."""
    if results is None:
        return []
    return [made for section in declared if (made := section(results)) is not None]


def _laws(folder: Path, laws: Laws | None) -> list[Section]:
    """Return the sections of laws; a law of mixtures alone has but its own.

    Coefficients that were changed by hand may be such as no formula takes.
    """
    if laws is None:
        return []
    try:
        with np.errstate(all="ignore"):
            of_mixtures = sections_of((mixture,), laws)
            if of_mixtures and not laws.fits:
                return of_mixtures
            return of_mixtures + sections_of(OF_LAWS, laws)
    except (ArithmeticError, LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        what = f"a fit in it has coefficients that cannot be ({error})"
        raise InputError(f"{folder}: {what}; fit again with tokenize-lab scaling fit") from error


def _findings(folder: Path) -> list[Section]:
    """Return a section for each audit, comparison and mixture that a folder holds."""
    return [
        OF_FINDING[kind](finding, place)
        for kind, findings in load_findings(folder).items()
        for place, finding in enumerate(findings)
    ]
