"""Overview in plain words: sentences that the data support, and no others."""

from markupsafe import Markup

from reports import numbers
from reports.html import render
from reports.measured import CorpusResults, Measured
from reports.section import Section, for_each_corpus
from reports.sections.overview_compression import compression_sentences
from reports.sections.overview_fairness import fairness_sentences
from reports.sections.overview_fidelity import fidelity_sentences


def overview(measured: Measured) -> Section:
    """Say what was measured and what was found."""

    def part(corpus: CorpusResults) -> Markup:
        findings = [
            *compression_sentences(measured, corpus),
            *fairness_sentences(measured, corpus),
            *fidelity_sentences(measured, corpus),
        ]
        total = next(iter(corpus.overall.values()))
        return render(
            "overview.html",
            corpus=corpus,
            languages=numbers.plural(len(corpus.languages), "language"),
            documents=numbers.plural(total["documents"], "text"),
            lines=_lines(corpus),
            size=numbers.size(total["bytes"]),
            findings=findings,
        )

    intervals = measured.resamples.bootstrap is not None
    introduction = render("introduction.html", intervals=intervals, tokenizers=len(measured.series))
    return Section("overview", "Overview", introduction + for_each_corpus(measured, part))


def _lines(corpus: CorpusResults) -> str:
    """Return how many aligned lines each language has, where that is one number."""
    if not corpus.compared:
        return ""
    counts = {row["documents"] for row in corpus.rows if row["premium"] is not None}
    return numbers.plural(counts.pop(), "aligned line") if len(counts) == 1 else ""
