"""From a file of tokenizers and parallel text to a leaderboard: a page, and a table of all numbers.

leaderboard.html      who leads, with intervals and ranks; then every language
leaderboard.parquet   a row for each language and tokenizer, and one over all languages
counts/               counts of every line, kept for the next tokenizer
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from corpora.arguments import listed, real, whole
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.files import write_text, written_whole
from corpora.locks import being_written
from reports.leaderboard.entries import count_entries, read_entries
from reports.leaderboard.page import leaderboard_page
from reports.leaderboard.standings import Leaderboard, Row, not_parallel, standings
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.provenance import MOST_REPLICATES

BUDGETS = (1e19, 1e20, 1e21)  # within those that Law II's runs have
_LEAST, _MOST = 1.0, 1e30  # FLOPs that a price can be told at
PAGE, TABLE = "leaderboard.html", "leaderboard.parquet"


@dataclass(frozen=True)
class Built:
    """A leaderboard, where it was written, and which tokenizers were measured for it now."""

    board: Leaderboard
    page: Path
    table: Path
    measured: Sequence[str]


def build_leaderboard(
    specs: Path,
    corpora: Sequence[Corpus],
    out: Path,
    *,
    budget: Sequence[float] = BUDGETS,
    reference: str = "eng",
    replicates: int = 1000,
    seed: int = 0,
    jobs: int = 0,
    cache: Path | None = None,
    progress: ReportProgress = silent,
    command: Sequence[str] = (),
) -> Built:
    """Measure the tokenizers that a file names and set them beside one another.

    What stands in `out` is measured once: another tokenizer in the file adds its own counts alone.

    Arguments:
        specs: the file, one `[NAME=]SPEC` a line.
        corpora: parallel text; of several, with the same languages.
        out: folder for page, table and counts.
        budget: FLOPs at which prices are told.
        reference, replicates, seed, jobs, cache, progress, command: as `measure` takes them.

    Raises:
        InputError: from the file, the corpora or the tokenizers; text that is not parallel, or of
            one language; a folder that cannot be written.
    """
    asked = listed("budget", budget)
    budgets = tuple(sorted({real("budget", flops, _LEAST, _MOST) for flops in asked}))
    if not budgets:
        raise InputError("`budget`: FLOPs above 0, such as 1e19, 1e20 and 1e21")
    whole("replicates", replicates, 0, MOST_REPLICATES)
    entries = read_entries(specs)
    for corpus in corpora:
        if not corpus.parallel:
            raise not_parallel(corpus.name)
    with being_written(out):
        counted = count_entries(
            entries, corpora, out,
            reference=reference, replicates=replicates, seed=seed, jobs=jobs, cache=cache,
            progress=progress, command=command,
        )  # fmt: skip
        progress("ranking", 0)
        board = standings(counted.results, budgets)
        page, table = out / PAGE, out / TABLE
        write_text(page, leaderboard_page(board))
        buffer = io.BytesIO()
        frame(board).write_parquet(buffer, compression="zstd")
        with written_whole(table) as file:
            file.write_bytes(buffer.getvalue())
    return Built(board, page, table, counted.new)


def rows(board: Leaderboard) -> list[Row]:
    """Return the rows over all languages, whose language is None, and then every language's."""
    return [*board.overall, *board.languages]


def frame(board: Leaderboard) -> pl.DataFrame:
    """Return all rows as a table."""
    return pl.DataFrame(rows(board), infer_schema_length=None)
