"""Two tokenizers side by side."""

from itertools import pairwise
from typing import Any

from markupsafe import Markup

from reports import numbers
from reports.charts.rows import BarPart, bars
from reports.charts.svg import bars_key
from reports.forensics.tokenizers import piece, token, tokens
from reports.html import columns, language_cell, sortable_table, strong, visible
from reports.languages import language_name
from reports.page import Section, behind, figure, heading

_MOVES = 50
_WORDS = 40
_EXAMPLES = 40
_A, _B, _BOTH = 0, 1, 6


def diff_section(finding: dict[str, Any], place: int) -> Section:
    """Show one comparison; `place` tells it from others on the page."""
    a, b = (tokenizer["name"] for tokenizer in finding["tokenizers"])
    body = _lead(finding) + _settings(finding) + _vocabulary(finding, place)
    if finding["text"]:
        body += _cuts(finding, place) + _words(finding)
    return Section(f"diff-{place}", f"{a} beside {b}", body)


def _lead(finding: dict[str, Any]) -> Markup:
    a, b = (strong(tokenizer["name"]) for tokenizer in finding["tokenizers"])
    vocabulary, text = finding["vocabulary"], finding["text"]
    said = Markup('<p class="lead">A is {}, B is {}. They share {}').format(
        a, b, numbers.plural(vocabulary["shared"], "token")
    )
    alone = map(numbers.count, vocabulary["own"])
    said += Markup("; {} are A's alone, {} B's.").format(*alone)
    if text and text["all"]["documents"]:
        whole = text["all"]
        said += Markup(
            " {} of the documents are cut at the same places, {} of the bytes lie in tokens that "
            "both have there, and B takes {} tokens for each of A's."
        ).format(
            numbers.share(whole["same_document_share"]),
            numbers.share(whole["same_byte_share"]),
            numbers.rate(whole["tokens_b_over_a"], places=3),
        )
    return said + Markup("</p>")


def _settings(finding: dict[str, Any]) -> Markup:
    def value(row: dict[str, Any], side: str) -> Markup:
        text = row[side]
        if text and not text.strip(" "):
            return piece(text)
        return Markup("<code>{}</code>").format(visible(text)) if text else Markup("nothing")

    return heading("What is done to a text") + sortable_table(
        "Before and while merging",
        ": | A: | B: | same:",
        [
            [row["setting"], value(row, "a"), value(row, "b"), "yes" if row["same"] else "no"]
            for row in finding["settings"]
        ],
    )


def _vocabulary(finding: dict[str, Any], place: int) -> Markup:
    vocabulary = finding["vocabulary"]
    both = BarPart(vocabulary["shared"], _BOTH, f"shared: {vocabulary['shared']:,}")
    picture = bars(
        f"diff-vocabulary-{place}",
        "Tokens that both have, and those of one alone",
        "Two bars of tokens: those shared, then those that the one tokenizer has alone.",
        "tokens",
        [
            (side, [both, BarPart(alone, colour, f"{side} alone: {alone:,}")])
            for side, colour, alone in zip("AB", (_A, _B), vocabulary["own"], strict=True)
        ],
    )
    key = bars_key([(_BOTH, "shared"), (_A, "A alone"), (_B, "B alone")])
    correlation = numbers.rate(vocabulary["rank_correlation"], places=3)
    caption = f"By raw bytes. Ranks of the shared tokens correlate by {correlation}."
    body = heading("Vocabularies") + figure(picture, caption, key)
    for side, called in enumerate("AB"):
        if vocabulary["examples"][side]:
            body += Markup("<p>{} alone, by id: {} …</p>").format(
                called, tokens(vocabulary["examples"][side], _EXAMPLES)
            )
    if vocabulary["moves"]:
        moves = sortable_table(
            "Shared tokens whose rank among the shared ones differs most",
            "token: | rank in A | rank in B",
            [
                [token(move), *map(numbers.count, move["ranks"])]
                for move in vocabulary["moves"][:_MOVES]
            ],
        )
        body += behind("Tokens that moved farthest", moves)
    return body


def _cuts(finding: dict[str, Any], place: int) -> Markup:
    rows = [row for row in finding["text"]["languages"] if row["same_byte_share"] is not None]
    if not rows:
        return Markup("")
    ordered = sorted(rows, key=lambda row: (-row["same_byte_share"], row["language"]))
    picture = bars(
        f"diff-bytes-{place}",
        "Bytes in tokens that both have at the same place",
        "For each language the share of its bytes that both tokenizers cut into the same tokens.",
        "per cent of bytes",
        [_same_bytes(row) for row in ordered],
        languages=[row["language"] for row in ordered],
    )
    table = sortable_table(
        "How text is cut, by language",
        columns(
            "language: | bytes | same documents | same bytes | shared cuts | tokens B / A",
            {
                "same documents": "cut at the same places throughout",
                "same bytes": "in tokens that both have at the same place",
                "shared cuts": "places where both cut, of those where either does",
            },
        ),
        [
            [
                language_cell(row["language"]),
                numbers.count(row["bytes"]),
                numbers.share(row["same_document_share"]),
                numbers.share(row["same_byte_share"]),
                numbers.share(row["shared_boundary_share"]),
                numbers.rate(row["tokens_b_over_a"], places=3),
            ]
            for row in ordered
        ],
    )
    whole = finding["text"]["all"]
    left = numbers.plural(whole["documents_not_compared"], "other")
    how = "only where tokens of both lie in the text" if "compared_share" in whole else "not at all"
    caption = "Documents that both give back byte for byte are compared whole"
    caption += f"; {left} {how}." if whole["documents_not_compared"] else "."
    return heading("How text is cut") + figure(picture, caption) + table


def _same_bytes(row: dict[str, Any]) -> tuple[str, list[BarPart]]:
    called, share = language_name(row["language"]), row["same_byte_share"]
    return called, [BarPart(100 * share, _BOTH, f"{called}: {numbers.share(share)}")]


def _words(finding: dict[str, Any]) -> Markup:
    words = finding["text"]["words"][:_WORDS]
    if not words:
        return Markup("")

    def cut(row: dict[str, Any], side: str) -> Markup:
        raw = bytes.fromhex(row["hex"])
        return Markup(" ").join(piece(part) for part in _parts(raw, row[side]))

    return sortable_table(
        f"Words cut differently, where most tokens are at stake: the first {len(words)} of "
        f"{numbers.count(finding['text']['words_cut_differently'])}",
        "word: | times | cut by A: | cut by B: | tokens saved by A",
        [
            [
                token(row),
                numbers.count(row["count"]),
                cut(row, "a"),
                cut(row, "b"),
                numbers.rate(row["tokens_saved_by_a"], places=0),
            ]
            for row in words
        ],
    )


def _parts(raw: bytes, cuts: list[int]) -> list[str]:
    return [
        raw[begin:end].decode("utf-8", "surrogateescape")
        for begin, end in pairwise([0, *cuts, len(raw)])
    ]
