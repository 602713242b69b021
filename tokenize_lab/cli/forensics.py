"""`tokenize-lab tokenizers audit | diff | mixture`: what tokenizers give away."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.corpus import total_bytes
from corpora.errors import InputError
from corpora.files import write_json
from corpora.readers.settings import OnInvalid, Unit
from tokenize_lab.cli.options import Invalid, Json, TextField, TxtUnit
from tokenize_lab.progress import progress

# Findings on disk, one JSON file each, where `tokenize-lab report` finds them.


KINDS = ("audit", "diff", "mixture")


def save_finding(folder: Path, finding: dict[str, Any]) -> Path:
    """Write what a command found to `KIND-NAMES.json`, and return the path.

    Raises:
        InputError: the folder cannot be written.
    """
    path = (
        folder / f"{finding['kind']}-{'-'.join(_short(one) for one in _tokenizers(finding))}.json"
    )
    write_json(path, finding)
    return path


def has_findings(folder: Path) -> bool:
    """Return whether a folder holds any."""
    return any(_paths(folder, kind) for kind in KINDS)


def load_findings(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return a folder's findings by kind, in order of file name.

    Raises:
        InputError: naming the file that cannot be read or is not what its name says.
    """
    return {kind: [_load(path, kind) for path in _paths(folder, kind)] for kind in KINDS}


def _paths(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}-*.json"))


def _load(path: Path, kind: str) -> dict[str, Any]:
    try:
        finding: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged (not JSON); remove it or make it again") from error
    if not isinstance(finding, dict) or finding.get("kind") != kind:
        raise InputError(
            f"{path}: not what `tokenizers {kind} --out` writes; remove it or make it again"
        )
    return finding


def _tokenizers(finding: dict[str, Any]) -> list[dict[str, Any]]:
    return finding["tokenizers"] if "tokenizers" in finding else [finding["tokenizer"]]


def _short(tokenizer: dict[str, Any]) -> str:
    """Return a name for a file: letters and digits of the tokenizer's, and part of its hash."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", tokenizer["name"]).strip("-")[:40]
    return f"{plain}-{tokenizer['sha256'][:8]}".lstrip("-")


if TYPE_CHECKING:
    from rich.table import Table

    from corpora.corpus import ReadCorpus

SpecOption = Annotated[
    str, typer.Argument(metavar="SPEC", help="as for measure -t, e.g. mistral:v3")
]
OutOption = Annotated[
    Path | None, typer.Option(help="folder for the JSON (then: tokenize-lab report DIR)")
]
CacheOption = Annotated[Path, typer.Option(help="folder of counts already made")]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="count everything afresh")]
JobsOption = Annotated[int, typer.Option(min=0, help="processes; 0 for one a core")]


def audit(
    spec: SpecOption,
    corpora: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CORPUS]...", help="text that shows which tokens are used"),
    ] = None,
    as_json: Json = False,
    out: OutOption = None,
    text_field: TextField = "text",
    unit: TxtUnit = "line",
    on_invalid: Invalid = "refuse",
    jobs: JobsOption = 0,
    cache: CacheOption = Path("out/cache"),
    no_cache: NoCacheOption = False,
) -> None:
    """Look at every token: can it come out of a text at all, is it whole characters, which script;
    and on a corpus, is it ever used, and by which languages.

    What is proven is told from what was only not found.

    \b
    tokenize-lab tokenizers audit mistral:v3
    tokenize-lab tokenizers audit out/bpe embedded --out out/audit
    """
    from tokenize_lab.counts.cache import CountsCache
    from tokenize_lab.forensics.audit import audit as audited
    from tokenize_lab.forensics.tables import audit_tables
    from tokenize_lab.forensics.usage import count_usage
    from tokenize_lab.load import load_tokenizer

    opened = open_corpora(corpora or [], text_field, unit, on_invalid)
    tokenizer = load_tokenizer(spec)
    usage = None
    if opened:
        with progress("reading", total_bytes(opened)) as bars:
            kept = None if no_cache else CountsCache(cache)
            usage = count_usage(
                tokenizer, opened, cache=kept, jobs=jobs or None, progress=bars.report
            )
    with progress("looking at every token", bytes=False) as bars:
        bars.advance(0)
        finding = audited(tokenizer, usage)
    deliver(finding, audit_tables(finding), as_json, out)


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="as for measure -t")],
    second: Annotated[str, typer.Argument(metavar="B", help="as for measure -t")],
    corpora: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CORPUS]...", help="text to be cut by both"),
    ] = None,
    as_json: Json = False,
    out: OutOption = None,
    text_field: TextField = "text",
    unit: TxtUnit = "line",
    on_invalid: Invalid = "refuse",
) -> None:
    """Compare two tokenizers: what they do to a text, which tokens they share, and how they cut.

    \b
    tokenize-lab tokenizers diff mistral:v3 mistral:tekken embedded
    """
    from tokenize_lab.forensics.diff import compare_cuts
    from tokenize_lab.forensics.diff import diff as compared
    from tokenize_lab.forensics.tables import diff_tables
    from tokenize_lab.load import load_tokenizers

    opened = open_corpora(corpora or [], text_field, unit, on_invalid)
    a, b = load_tokenizers([first, second])
    cuts = None
    if opened:
        with progress("reading", total_bytes(opened)) as bars:
            cuts = compare_cuts(a, b, opened, bars.report)
    finding = compared(a, b, cuts)
    deliver(finding, diff_tables(finding), as_json, out)


def mixture(
    spec: SpecOption,
    corpora: Annotated[
        list[str], typer.Argument(metavar="CORPUS...", help="text of every language it may be of")
    ],
    merges: Annotated[int, typer.Option(min=2, help="how many of the first merges to read")] = 1000,
    most_bytes: Annotated[
        int, typer.Option(min=1, help="text to use of each language, bytes")
    ] = 4_000_000,
    replicates: Annotated[
        int, typer.Option(min=0, max=10_000, help="resamples for intervals; 0 for none")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="of the resamples")] = 0,
    as_json: Json = False,
    out: OutOption = None,
    text_field: TextField = "text",
    unit: TxtUnit = "line",
    on_invalid: Invalid = "refuse",
) -> None:
    """Infer how much of each language a BPE tokenizer was trained on, from the order of its merges.

    Each merge was the most frequent pair of the trainer's text; the shares are those that explain
    the order best (a linear programme; Hayase et al. 2024). They are shares of bytes among the
    languages you give.

    \b
    tokenize-lab tokenizers mixture mistral:tekken embedded:eng_Latn,fra_Latn,rus_Cyrl
    """
    from tokenize_lab.forensics.mixture import count_words, infer_mixture
    from tokenize_lab.forensics.tables import mixture_tables
    from tokenize_lab.load import load_tokenizer

    opened = open_corpora(corpora, text_field, unit, on_invalid)
    tokenizer = load_tokenizer(spec)
    with progress("reading", total_bytes(opened)) as bars:
        words = count_words(tokenizer, opened, most_bytes, bars.report)
    with progress(bytes=False) as bars:
        finding = infer_mixture(
            tokenizer, words, merges=merges, replicates=replicates, seed=seed, progress=bars.report
        )
    deliver(finding, mixture_tables(finding), as_json, out)


def open_corpora(
    specs: list[str], text_field: str, unit: Unit, on_invalid: OnInvalid
) -> "list[ReadCorpus]":
    """Open corpora, told apart by name."""
    from corpora.open import open_corpus
    from tokenize_lab.cli.measure import told_apart

    return told_apart(
        specs,
        [
            open_corpus(one, text_field=text_field, unit=unit, on_invalid=on_invalid)
            for one in specs
        ],
    )


def deliver(
    finding: dict[str, Any], tables: "list[Table]", as_json: bool, out: Path | None
) -> None:
    """Write a finding where it was asked for: a folder, and JSON or tables on stdout."""
    from corpora.output import drawn, emit, json_object

    if out is not None:
        path = save_finding(out, finding)
        typer.echo(f"{path} (then: tokenize-lab report {out})", err=True)
    if as_json:
        emit(json_object(finding))
        return
    emit(drawn(tables))
