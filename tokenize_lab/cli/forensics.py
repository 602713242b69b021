"""`tokenize-lab tokenizers audit | diff | mixture | check`: what tokenizers give away."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.corpus import total_bytes
from corpora.errors import InputError
from tokenize_lab.cli import complete
from tokenize_lab.cli.options import (
    CacheFolder,
    Columns,
    Corpora,
    CorporaIfAny,
    Jobs,
    NoCache,
    RowsAsCsv,
    one_format,
    say,
)
from tokenize_lab.cli.reading import ReadOptions, reads_text
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from tokenize_lab.forensics.finding import TokenizerFinding

Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="as for measure -t, e.g. mistral:v3",
        autocompletion=complete.tokenizers,
    ),
]
FindingFolder = Annotated[
    Path | None, typer.Option(help="folder for the JSON (then: tokenize-lab report DIR)")
]


@reads_text()
def audit(
    spec: Spec,
    corpora: CorporaIfAny = None,
    as_json: JsonOption = False,
    out: FindingFolder = None,
    *,
    reading: ReadOptions,
    jobs: Jobs = 0,
    cache: CacheFolder = Path("out/cache"),
    no_cache: NoCache = False,
) -> None:
    """Look at every token: can it come out of a text at all, is it whole characters, which script;
    and on a corpus, is it ever used, and by which languages.

    What is proven is told from what was only not found.

    \b
    tokenize-lab tokenizers audit mistral:v3
    tokenize-lab tokenizers audit out/bpe embedded --out out/audit
    """
    from tokenize_lab.forensics.audit import audit
    from tokenize_lab.forensics.tables import audit_tables

    opened = reading.open(corpora or [])
    with progress(total=total_bytes(opened)) as bars:
        finding = audit(
            spec, opened, jobs=jobs, cache=None if no_cache else cache, progress=bars.report
        )
    say(reading.remarks(opened))
    _deliver(finding, audit_tables(finding), as_json, out)


@reads_text()
def diff(
    first: Annotated[
        str,
        typer.Argument(metavar="A", help="as for measure -t", autocompletion=complete.tokenizers),
    ],
    second: Annotated[
        str,
        typer.Argument(metavar="B", help="as for measure -t", autocompletion=complete.tokenizers),
    ],
    corpora: CorporaIfAny = None,
    columns: Columns = "",
    as_csv: RowsAsCsv = False,
    as_json: JsonOption = False,
    out: FindingFolder = None,
    *,
    reading: ReadOptions,
    jobs: Jobs = 0,
    cache: CacheFolder = Path("out/cache"),
    no_cache: NoCache = False,
) -> None:
    """Compare two tokenizers: what they do to a text, which tokens they share, and how they cut.

    What was compared is kept in --cache, so that a second run encodes nothing twice.

    \b
    tokenize-lab tokenizers diff mistral:v3 mistral:tekken embedded
    tokenize-lab tokenizers diff a.json b.json text.txt --columns language,same_byte_share
    """
    from corpora.output import emit
    from tokenize_lab.cli.tables import chosen_rows
    from tokenize_lab.forensics.diff import diff
    from tokenize_lab.forensics.tables import diff_tables

    one_format(as_json=as_json, as_csv=as_csv)
    if (columns or as_csv) and not corpora:
        raise InputError("--columns and --csv are of the languages of a CORPUS; give one")
    opened = reading.open(corpora or [])
    with progress("reading", total_bytes(opened)) as bars:
        finding = diff(
            first,
            second,
            opened,
            jobs=jobs,
            cache=None if no_cache else cache,
            progress=bars.report,
        )
    say(reading.remarks(opened))
    rows = finding["text"]["languages"] if columns or as_csv else []
    tables = [] if rows else diff_tables(finding)
    _deliver(finding, tables, as_json and not rows, out)
    if rows:
        asked = columns or ",".join(rows[0])
        emit(chosen_rows(rows, asked, as_json=as_json, as_csv=as_csv))


@reads_text()
def check(
    spec: Spec,
    corpora: Corpora,
    most: Annotated[int, typer.Option(min=1, help="differences to list")] = 10,
    as_json: JsonOption = False,
    *,
    reading: ReadOptions,
    jobs: Jobs = 0,
) -> None:
    """Run a tokenizer's own library beside what is counted here: are the ids of every document the
    same, and does the library's decoder give back the texts that count as exact, and no others?

    The first differences are shown, and the exit code is 1 if there are any. Texts that neither
    gives back are no difference: they are shown, too, with what the library makes of them.
    Nothing is kept: every check encodes all the text.

    \b
    tokenize-lab tokenizers check mistral:v3 embedded
    tokenize-lab tokenizers check hf:tokenizer.json my_text.jsonl --json
    """
    from tokenize_lab.forensics.check import check
    from tokenize_lab.forensics.tables import check_tables

    opened = reading.open(corpora)
    with progress("checking", total_bytes(opened)) as bars:
        finding = check(spec, opened, most=most, jobs=jobs, progress=bars.report)
    say(reading.remarks(opened))
    _deliver(finding, check_tables(finding), as_json, None)
    if finding["differing"]:
        raise typer.Exit(1)


@reads_text()
def mixture(
    spec: Spec,
    corpora: Corpora,
    merges: Annotated[int, typer.Option(min=2, help="how many of the first merges to read")] = 1000,
    most_bytes: Annotated[
        int, typer.Option(min=1, help="text to use of each language, bytes")
    ] = 4_000_000,
    replicates: Annotated[
        int, typer.Option(min=0, max=10_000, help="resamples for intervals; 0 for none")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="of the resamples")] = 0,
    as_json: JsonOption = False,
    out: FindingFolder = None,
    *,
    reading: ReadOptions,
    jobs: Jobs = 0,
) -> None:
    """Infer how much of each language a BPE tokenizer was trained on, from the order of its merges.

    Each merge was the most frequent pair of the trainer's text; the shares are those that explain
    the order best (a linear programme; Hayase et al. 2024). They are shares of bytes among the
    languages you give. Text is split in --jobs processes; merges are replayed, and the programme
    solved, in one.

    \b
    tokenize-lab tokenizers mixture mistral:tekken embedded:eng_Latn,rus_Cyrl
    """
    from tokenize_lab.forensics.mixture import mixture
    from tokenize_lab.forensics.tables import mixture_tables

    opened = reading.open(corpora)
    with progress(total=total_bytes(opened)) as bars:
        finding = mixture(
            spec,
            opened,
            merges=merges,
            most_bytes=most_bytes,
            replicates=replicates,
            seed=seed,
            jobs=jobs,
            progress=bars.report,
        )
    say(reading.remarks(opened))
    _deliver(finding, mixture_tables(finding), as_json, out)


def _deliver(
    finding: "TokenizerFinding", tables: "list[Table]", as_json: bool, out: Path | None
) -> None:
    """Write a finding where it was asked for: a folder, and JSON or tables on stdout."""
    from corpora.output import drawn, emit, json_object

    say(finding.remarks())
    if out is not None:
        say([f"{finding.save(out)} (then: tokenize-lab report {out})"])
    if as_json:
        emit(json_object(finding))
    elif tables:
        emit(drawn(tables))
