"""The leaderboard as one HTML file: who leads and by how much, then every language."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.charts.rows import Dot, dot_plot
from reports.charts.svg import Series, series_style
from reports.html import Column, TableCell, language_cell, sortable_table, strong, tokenizer_cell
from reports.html import language as language_said
from reports.html import listed as listed_names
from reports.languages import language_name
from reports.leaderboard.standings import Leaderboard, RankRange, Row, unredeemed
from reports.page import Section, figure, lead, note, paragraphs, render_page

TITLE = "Tokenizers ranked on the same lines"
_RANKS = (
    "A rank is the range of places that paired differences leave open: two tokenizers whose "
    "difference has an interval that holds 0 are not told apart. Intervals are 95 %, from "
    "resampling lines, and not adjusted for the number of comparisons."
)


def leaderboard_page(board: Leaderboard) -> str:
    """Return the page: the same leaderboard gives the same bytes."""
    order = [row["tokenizer"] for row in board.overall]
    facts = {told["name"]: told for told in board.provenance["tokenizers"]}
    series = [
        Series(name, series_style(i, tokenizer=True), facts[name]) for i, name in enumerate(order)
    ]
    codes = list(dict.fromkeys(row["language"] for row in board.languages))
    sections = [
        _first(board, series, codes),
        _languages(board),
        _how(board, facts),
    ]
    languages = sorted(codes, key=lambda code: (language_name(code), code))
    return render_page(TITLE, sections, tokenizers=series, languages=languages)


def _first(board: Leaderboard, series: Sequence[Series], codes: Sequence[str]) -> Section:
    rows = []
    for row, one in zip(board.overall, series, strict=True):
        ends = _ends(row, "bytes_per_token")
        value = numbers.rate(row["bytes_per_token"], ends)
        lost = row["rank_best"] is None
        hint = f"{one.name}: {value} {numbers.rate_interval(row['bytes_per_token'], ends)}".strip()
        hint += (
            f", loses {numbers.share(row['lost_share'])} of the text"
            if lost
            else f", rank {_rank(row)}"
        )
        dot = Dot(one.style, 0, row["bytes_per_token"], ends, hint, apart=lost)
        rows.append((f"{_rank(row)}  {one.name}", [dot]))
    picture = dot_plot(
        "leaderboard-rates",
        "Bytes per token, geometric mean over languages",
        "One row for each tokenizer, the one that holds the most text first, with its rank. The "
        "table below holds the values.",
        "bytes per token, geometric mean over languages",
        rows,
    )
    caption = f"{_RANKS} Before each name stands its rank."
    if any(row["rank_best"] is None for row in board.overall):
        caption += " Faint: text is lost, so that tokens stand for less than they seem to."
    table = sortable_table(
        f"All tokenizers, over {numbers.plural(len(codes), 'language')}",
        _columns(board, "tokenizer"),
        [[tokenizer_cell(row["tokenizer"]), *_cells(board, row)] for row in board.overall],
    )
    body = lead(sentence(board)) + figure(picture, caption) + table + note(_price_note(board))
    return Section("leaderboard", "Who leads", body)


def sentence(board: Leaderboard) -> Markup:
    """Return who holds the most text, who is not told apart, and what that saves."""
    ranked = [row for row in board.overall if row["rank_best"] is not None]
    codes = list(dict.fromkeys(row["language"] for row in board.languages))
    if not ranked:
        return Markup("Every tokenizer loses some of the text, so none is ranked.")
    best, *others = ranked
    said = Markup(
        "Of {} that lose no text, {} holds the most of it over {}: {} bytes per token"
    ).format(
        numbers.plural(len(ranked), "tokenizer"),
        strong(best["tokenizer"]),
        numbers.plural(len(codes), "language"),
        numbers.rate(best["bytes_per_token"], _ends(best, "bytes_per_token")),
    )
    tied = [row for row in others if row["rank_best"] == 1]
    if tied:
        names = listed_names([strong(row["tokenizer"]) for row in tied])
        said += Markup(", not told apart from {}").format(names)
    following = next((row for row in others if row not in tied), None)
    if following is not None:
        said += Markup("; next is {} with {}").format(
            strong(following["tokenizer"]), numbers.rate(following["bytes_per_token"])
        )
    elsewhere = [
        row["language"]
        for row in board.languages
        if row["tokenizer"] == best["tokenizer"] and row["rank_best"] != 1
    ]
    if elsewhere:
        said += Markup(". In {} another leads ({})").format(
            numbers.plural(len(elsewhere), "language"),
            listed_names([language_said(code) for code in elsewhere]),
        )
    return said + "."


def _languages(board: Leaderboard) -> Section:
    rows = [
        [language_cell(row["language"]), tokenizer_cell(row["tokenizer"]), *_cells(board, row)]
        for row in board.languages
    ]
    table = sortable_table(
        "Every language", [Column("language", numeric=False), *_columns(board, "tokenizer")], rows,
        row_headers=2,
    )  # fmt: skip
    gist = "bytes per token, premium, fidelity and the price in compute, with ranks"
    return Section("languages", "Language by language", table, gist=gist)


def _how(board: Leaderboard, facts: dict[str, Row]) -> Section:
    corpora = ", ".join(part["name"] for part in board.provenance["corpora"])
    reference = board.provenance["settings"]["reference"]
    told = paragraphs(
        f"Measured on {corpora}. {_RANKS}",
        f"Premium: tokens over those of {reference} for the same lines. Exact: lines that come "
        "back as they were. Lost: bytes of text that no token carries. Over all languages: "
        "geometric means, so every language counts alike; exact and lost are of all lines.",
        *board.notices,
    )
    columns = [Column("tokenizer", numeric=False), Column("ids"), *(
        Column(name, numeric=False) for name in ("spec", "engine", "SHA-256")
    )]  # fmt: skip
    rows = [
        [
            tokenizer_cell(name),
            numbers.count(f["vocabulary_size"]),
            f["spec"],
            f["engine"],
            f["sha256"][:12],
        ]
        for name, f in facts.items()
    ]
    return Section(
        "how", "How this was measured", told + sortable_table("Tokenizers", columns, rows)
    )


def _price_note(board: Leaderboard) -> str:
    said = (
        "Compute: by how much the budget would have to grow to reach what the best rate of the "
        "language reaches at that budget, by Law II of byte latent models, in English or, for "
        "another language, by its own T* or its parity; 1 is no loss."
    )
    if board.unplaced:
        names = ", ".join(language_name(code) for code in board.unplaced)
        said += f" No price for {names}: no runs, and no English lines to tell the parity."
    return said


def _columns(board: Leaderboard, first: str) -> list[Column]:
    return [
        Column(first, numeric=False),
        Column("rank", hint=_RANKS),
        Column("bytes per token"),
        Column("premium", hint="tokens over those of the reference language for the same lines"),
        Column("exact", hint="lines that come back as they were"),
        Column("lost", hint="bytes of text that no token carries"),
        *(
            column
            for budget in board.budgets
            for column in (
                Column(f"compute at {numbers.power(budget)} FLOPs", hint=_price_note(board)),
                Column("its rank", hint=_RANKS),
            )
        ),
    ]


def _cells(board: Leaderboard, row: Row) -> list[str | Markup | TableCell]:
    rate, premium = row["bytes_per_token"], row["premium"]
    cells: list[str | Markup | TableCell] = [
        _rank(row),
        numbers.with_interval(rate, _ends(row, "bytes_per_token")),
        numbers.with_interval(premium, _ends(row, "premium")),
        numbers.share(row["exact_share"]),
        numbers.share(row["lost_share"]),
    ]
    for budget in board.budgets:
        name = f"compute_at_{numbers.compact(budget)}"
        cells.append(
            "over a million"
            if unredeemed(row[name])
            else numbers.with_interval(row[name], _ends(row, name))
        )
        cells.append(_rank(row, "compute_rank_{}_at_" + numbers.compact(budget)))
    return cells


def _rank(row: Row, names: str = "rank_{}") -> str:
    return str(RankRange(row[names.format("best")], row[names.format("worst")]))


def _ends(row: Row, name: str) -> tuple[float, float] | None:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return None if low is None or high is None else (low, high)
