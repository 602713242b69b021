"""`tokenize-lab scaling design`: the best tokenizer for languages, a budget and serving."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from corpora.cli import JsonOption
from corpora.output import command_line, emit
from scaling.cli.options import how_option, print_json
from tokenize_lab.cli.options import Corpora, say
from tokenize_lab.cli.reading import ReadOptions, reads_text
from tokenize_lab.progress import progress

constraint_option = partial(typer.Option, rich_help_panel="Constraints")
tried_option = partial(typer.Option, rich_help_panel="What is tried")


class VocabularySharing(StrEnum):
    """One vocabulary for all languages, or one for each."""

    SHARED = "shared"
    LANGUAGE = "language"


@reads_text()
def design(
    corpora: Corpora,
    compute_flops: Annotated[
        float, typer.Option("--compute", help="budget C of training and serving, FLOPs")
    ],
    languages: Annotated[
        str, typer.Option(metavar="LANG=W,...", help="weights, which sum to 1: eng=.6,hin=.4")
    ],
    out: Annotated[
        Path, typer.Option(help="folder for tokenizer.json, card.json, design.json, candidates")
    ] = Path("out/design"),
    serve_bytes: Annotated[
        float, typer.Option("--serve", help="bytes to be read and written once trained")
    ] = 0.0,
    serve_price: Annotated[
        float, typer.Option(help="of a FLOP of serving over one of training; 3 to 30 are usual")
    ] = 1.0,
    max_vocab: Annotated[
        int | None, constraint_option(min=512, help="most ids", show_default=False)
    ] = None,
    max_premium: Annotated[
        float | None,
        constraint_option(
            min=1,
            help="most tokens of a language over English's for the same content",
            show_default=False,
        ),
    ] = None,
    kinds: Annotated[
        str,
        tried_option(
            help="bpe, superbpe, parity-bpe (of aligned text), unigram (each size is a training)"
        ),
    ] = "bpe,superbpe",
    patterns: Annotated[
        str, tried_option(help="splitters, as of tokenizers train --pattern")
    ] = "gpt4o,gpt4",
    vocabularies: Annotated[
        VocabularySharing, tried_option(help="one for all languages, or one for each as well")
    ] = VocabularySharing.SHARED,
    largest: Annotated[
        int, tried_option(min=1024, max=1 << 17, help="ids of the largest vocabulary")
    ] = 1 << 17,
    setting: Annotated[
        str | None,
        how_option(
            help="whose laws: monolingual or joint", show_default="joint for several languages"
        ),
    ] = None,
    parity: Annotated[
        str | None,
        how_option(
            metavar="LANG=X,...",
            help="bytes per byte of English, for languages without runs",
            show_default="the embedded corpus's",
        ),
    ] = None,
    far: Annotated[
        bool, how_option("--far", help="answer for a budget 1,000 times beyond those of the laws")
    ] = False,
    *,
    reading: ReadOptions,
    as_json: JsonOption = False,
) -> None:
    """Design a tokenizer: try splitters, kinds and sizes, price each by the laws, make the best.

    Every candidate is trained once and cut to all sizes; what it reaches on text that it has not
    learned from is priced in bits per byte, with embedding and head as the shapes have them, and
    serving paid for. A splitter that caps a language below its best rate is not tried. What is
    promised is checked on text kept apart. Another run into --out trains no candidate again.

    \b
    tokenize-lab scaling design text/ --compute 1e21 --languages eng=.6,hin=.2,tha=.2
    tokenize-lab scaling design text/ --compute 1e21 --languages eng=.5,hin=.5 --serve 1e12
    tokenize-lab report out/design
    """
    from scaling.design.design import design as run

    opened = reading.open(corpora)
    with progress() as bars:
        found = run(
            opened,
            languages,
            compute_flops,
            out,
            serve_bytes=serve_bytes,
            serve_price=serve_price,
            max_vocab=max_vocab,
            max_premium=max_premium,
            kinds=_names(kinds),
            patterns=_names(patterns),
            vocabularies=vocabularies.value,
            largest=largest,
            setting=setting,
            parity=parity,
            far=far,
            progress=bars.report,
            command=command_line(),
        )
    say([*reading.remarks(opened), *found["text"]["notes"]])
    say([f"{place} (then: tokenize-lab report {out})" for place in found.tokenizers.values()])
    if as_json:
        print_json(found)
    else:
        emit([found.summary(), "\n"])


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
