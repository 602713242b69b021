"""Measured folders, made the way the command makes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpora.corpus import Corpus, DocumentCorpus
from corpora.document import Document
from tokenize_lab.backends.simple import ByteTokenizer, CharacterTokenizer
from tokenize_lab.counts.text import TextSettings
from tokenize_lab.measure import measure, provenance
from tokenize_lab.results import Results, save_results, tokenized_samples
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.workers import CountJob

# What a name or a text must not be able to do to a page, nor a bidi override to a line.
HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title><img src=x onerror=alert(2)>",
    "\"'><svg onload=alert(3)>",
    "nul\0bell\x07 \u202eoverride {{ 7 * 7 }} {% raw %}",
)


def measured_folder(
    folder: Path, corpora: Sequence[Corpus], tokenizers: Sequence[Tokenizer], **settings: Any
) -> Path:
    """Measure and save; `settings` are those of provenance."""
    by_document = settings.pop("by_document", False)
    measurement = measure(
        corpora, CountJob(tokenizers, TextSettings(), None), by_document=by_document
    )
    chosen = {
        "word_segmenter": "whitespace",
        "graphemes": False,
        "reference": "eng",
        "baseline": tokenizers[0].name,
        "group_by": ["language"],
        "replicates": 200,
        "seed": 0,
        **settings,
    }
    record = provenance(corpora, tokenizers, chosen, measurement, ["tokenize-lab", "measure", "x"])
    samples = tokenized_samples(measurement.samples, tokenizers)
    save_results(folder, Results(measurement.counts, record, samples))
    return folder


def hostile_folder(folder: Path) -> Path:
    """Every name and text a user gives is an attack."""
    script, style, quotes, controls = HOSTILE
    parallel = DocumentCorpus(
        script,
        [
            Document(f"{text} {line} 12345", language, domain, document_id=script, alignment=line)
            for language, text in (("eng", script), (style, style), (quotes, quotes))
            for domain, lines in ((controls, range(1, 4)), ("</td>", range(4, 7)))
            for line in lines
        ],
        parallel=True,
    )
    code = DocumentCorpus(
        controls,
        [Document(f"{text}\n\tif a <= b:\r\n", style, "code") for text in (*HOSTILE, "\0\0")],
    )
    tokenizers: list[Tokenizer] = [
        ByteTokenizer(spec=script, name=script, engine=style, lossy_reason=style, lossless=False),
        ByteTokenizer(name=style),
        CharacterTokenizer(name=quotes),
        ByteTokenizer(name=controls),
    ]
    return measured_folder(folder, [parallel, code], tokenizers)
