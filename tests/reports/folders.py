"""Measured folders, made the way the command makes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpora.corpus import Corpus, DocumentCorpus
from corpora.document import Document
from tokenize_lab.backends.simple import ByteTokenizer, CharacterTokenizer
from tokenize_lab.measurement import measure
from tokenize_lab.tokenizer import Tokenizer

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
    """Measure and save; `settings` are those of `measure`."""
    found = measure(corpora, tokenizers, replicates=settings.pop("replicates", 200), **settings)
    found.save(folder)
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
