"""The whole chain on what comes with the package, in minutes.

Half of the embedded segments train four small tokenizers; the other half is measured, with those
and with tokenizers in use; the laws are fitted to the published runs. Nothing is fetched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora.corpus import Corpus, DocumentCorpus
from corpora.document import Document
from corpora.open import open_corpus
from reports.build import build_report
from reports.laws.overview import best_rate_sentences
from reports.laws.results import read_laws
from reports.laws.shipped import write_shipped_laws
from reports.measured import Measured, read_measured
from reports.sections.overview import compression_sentences, evenness, who_pays
from tokenize_lab.measurement import measure
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer
from tokenize_lab.vocabulary_curves.job import vocab_curve

TRAINED = (("bpe", 1024), ("bpe", 4096), ("unigram", 1024), ("unigram", 4096))
IN_USE = ("mistral:v1", "mistral:v3", "mistral:tekken")
CURVES = ("mistral:tekken", "bpe-4096")


@dataclass(frozen=True)
class Demo:
    """What the demo leaves behind.

    Attributes:
        report: the HTML file.
        findings: what was found, a sentence each, in plain text.
    """

    report: Path
    findings: Sequence[str]


def half(corpus: Corpus, odd: bool) -> DocumentCorpus:
    """Return the odd or the even lines of a parallel corpus, numbered anew from 1."""
    kept = [
        Document(text, batch.language, batch.domain, batch.source, str(line), (line + 1) // 2)
        for batch in corpus.batches()
        if batch.first_alignment is not None
        for line, text in enumerate(batch.texts, batch.first_alignment)
        if line % 2 == int(odd)
    ]
    return DocumentCorpus(f"{corpus.name}, {'odd' if odd else 'even'} lines", kept, parallel=True)


def run_demo(out: Path, say: Callable[[str], None]) -> Demo:
    """Train, measure and report into `out`; `say` is told of each step.

    Raises:
        InputError: `out` cannot be written.
    """
    embedded = open_corpus("embedded")
    training, held_out = half(embedded, odd=True), half(embedded, odd=False)
    specs = []
    for kind, size in TRAINED:
        say(f"training {kind} with {size:,} ids on half of the embedded corpus")
        folder = out / "tokenizers" / f"{kind}-{size}"
        specs.append(str(train_tokenizer(training, TrainSettings(kind, size), folder).path))

    corpora = [held_out, open_corpus("embedded-code")]
    tokenizers = load_tokenizers([*IN_USE, "byte", "character", *specs])
    say(f"measuring the other half, and code, with {len(tokenizers)} tokenizers")
    measure(
        corpora,
        tokenizers,
        baseline="mistral:v3",
        jobs=0,
        cache=out / "cache",
        out=out,
        command=["tokenize-lab", "demo"],
    )
    say(f"cutting {' and '.join(CURVES)} to every vocabulary size")
    whole = [tokenizer for tokenizer in tokenizers if tokenizer.name in CURVES]
    vocab_curve(held_out, whole).save(out, ["tokenize-lab", "demo"])
    say("fitting the laws to published runs, and setting them beside the published figures")
    write_shipped_laws(out)
    laws, measured = read_laws(out), read_measured(out)
    assert laws is not None
    say("writing the report")
    said = [*findings(measured), *best_rate_sentences(laws, measured, IN_USE[-1])]
    return Demo(build_report(out), said)


def findings(measured: Measured) -> list[str]:
    """Return what the report's overview says of the parallel text, in plain sentences."""
    corpus = measured.corpora[0]
    sentences = [
        *compression_sentences(measured, corpus),
        *(who_pays(measured, corpus, tokenizer) for tokenizer in IN_USE[1:]),  # v1 splits as v3
        evenness(measured, corpus),
    ]
    return [sentence.striptags() for sentence in sentences if sentence]
