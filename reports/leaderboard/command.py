"""`tokenize-lab leaderboard`: any number of tokenizers, ranked on the same lines."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.corpus import total_bytes
from tokenize_lab.cli.options import (
    OUTPUT,
    CacheFolder,
    Columns,
    Corpora,
    Jobs,
    NoCache,
    Replicates,
    RowsAsCsv,
    RowsAsJson,
    Seed,
    one_format,
    say,
)
from tokenize_lab.cli.reading import ReadOptions, reads_text
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from reports.leaderboard.standings import Leaderboard

_output = partial(typer.Option, rich_help_panel=OUTPUT)


@reads_text("parallel", without=("unit", "on_invalid"))
def leaderboard(
    specs: Annotated[
        Path,
        typer.Argument(
            metavar="SPECS.txt",
            help="the tokenizers, one [NAME=]SPEC a line, as for measure -t; # begins a remark",
        ),
    ],
    corpora: Corpora,
    out: Annotated[Path, _output(help="folder for page, table and counts")] = Path(
        "out/leaderboard"
    ),
    budget: Annotated[
        list[float], _output(help="FLOPs at which a price is told; may be repeated")
    ] = [1e19, 1e20, 1e21],  # noqa: B006 - typer's way of saying so; never changed
    reference: Annotated[str, _output(help="language of the premium")] = "eng",
    columns: Columns = "",
    as_json: RowsAsJson = False,
    as_csv: RowsAsCsv = False,
    *,
    reading: ReadOptions,
    replicates: Replicates = 1000,
    seed: Seed = 0,
    jobs: Jobs = 0,
    cache: CacheFolder = Path("out/cache"),
    no_cache: NoCache = False,
) -> None:
    """Rank any number of tokenizers on parallel text: one page and one table, no server.

    Bytes per token, premium, what comes back and what is lost, and the price in compute at each
    --budget; per language and over all. A rank is a range: tokenizers whose paired difference has
    an interval that holds 0 are not told apart. Counts are kept in --out, so a line added to
    SPECS.txt is all that the next run measures.

    \b
    tokenize-lab leaderboard tokenizers.txt embedded --out out/leaderboard
    """
    from corpora.output import command_line, drawn, emit, json_list
    from reports.leaderboard.build import build_leaderboard, rows
    from tokenize_lab.cli.tables import chosen_rows

    one_format(as_json=as_json, as_csv=as_csv)
    opened = reading.open(corpora)
    with progress(total=total_bytes(opened)) as bars:
        built = build_leaderboard(
            specs,
            opened,
            out,
            budget=budget,
            reference=reference,
            replicates=replicates,
            seed=seed,
            jobs=jobs,
            cache=None if no_cache else cache,
            progress=bars.report,
            command=command_line(),
        )
    say([*built.board.notices, *reading.remarks(opened)])
    say([f"measured now: {', '.join(built.measured) or 'none; all counts were kept'}"])
    say([f"{built.page} and {built.table}"])
    found = rows(built.board)
    if columns or as_csv:
        emit(chosen_rows(found, columns or ",".join(found[0]), as_json=as_json, as_csv=as_csv))
    else:
        emit(json_list(found) if as_json else drawn([_table(built.board)]))


def _table(board: "Leaderboard") -> "Table":
    from reports.leaderboard.standings import RankRange, unredeemed
    from reports.numbers import compact, share, significant
    from tokenize_lab.cli.tables import text_table

    def number(value: float | None) -> str:
        return "over 1e6" if unredeemed(value) else significant(value)

    prices = [compact(budget) for budget in board.budgets]
    cells = [
        (
            row["tokenizer"],
            str(RankRange(row["rank_best"], row["rank_worst"])),
            number(row["bytes_per_token"]),
            number(row["premium"]),
            share(row["exact_share"]),
            share(row["lost_share"]),
            *(number(row[f"compute_at_{price}"]) for price in prices),
        )
        for row in board.overall
    ]
    headings = ("tokenizer", "rank", "bytes per token", "premium", "exact", "lost")
    return text_table(
        "Over all languages (geometric means)",
        (*headings, *(f"price {price}" for price in prices)),
        cells,
        caption="price: times that budget which would buy back what the best rate reaches",
    )
