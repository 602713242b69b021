"""Vocabularies extended and pruned: what they gain, what they change, and their price."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from corpora.languages import begins_with
from reports import numbers
from reports.charts.chart import Chart, linear, panels
from reports.charts.svg import Series, legend, series_style
from reports.forensics.tokenizers import tokens
from reports.html import columns, language_cell, name, sortable_table, strong
from reports.languages import language_name
from reports.page import Section, behind, heading, lead, note, paragraphs
from reports.vocabulary.adapted_price import ChangedRate, changed_prices, price_table
from reports.vocabulary.curves import ENGLISH

_DRAWN = 12  # languages
_POINTS = 120  # of a curve: more are closer than a pixel
_EXAMPLES = 60


def extension_section(finding: dict[str, Any], place: int) -> Section:
    """Show one extended vocabulary; `place` tells it from others on the page."""
    called, added = finding["tokenizer"]["name"], finding["added"]
    body = _extension_lead(finding) + _curves(finding, place) + _kept(finding)
    body += _price(finding, _extended_rates(finding), "extended")
    body += behind(
        "The first new tokens", Markup("<p>{}</p>").format(tokens(finding["tokens"], _EXAMPLES))
    )
    return Section(f"extend-{place}", f"{called} with {added:,} more ids", body)


def pruning_section(finding: dict[str, Any], place: int) -> Section:
    """Show one pruned vocabulary."""
    before, after = (finding[side]["vocabulary_size"] for side in ("tokenizer", "pruned"))
    what = "leaves that the text kept does not use" if finding["unused"] else "the last merges"
    said = lead(
        Markup("{} had {} and has {} now: {} went, {}.").format(
            strong(finding["tokenizer"]["name"]),
            numbers.plural(before, "id"),
            numbers.count(after),
            numbers.share(finding["dropped"] / before),
            what,
        )
    )
    body = said + _kept(finding)
    body += _price(finding, _kept_rates(finding, (before, after)), "pruned")
    if finding["tokens"]:
        gone = Markup("<p>{}</p>").format(tokens(finding["tokens"], _EXAMPLES))
        body += behind("The first tokens that went", gone)
    return Section(f"prune-{place}", f"{finding['tokenizer']['name']} pruned", body)


def _rows(finding: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the languages that have text, the largest gain first."""
    rows = [row for row in finding["languages"] if row["tokens"][-1]]
    return sorted(rows, key=lambda row: (-row["tokens"][0] / row["tokens"][-1], row["language"]))


def _extension_lead(finding: dict[str, Any]) -> Markup:
    rows, kept = _rows(finding), finding["kept"]
    said = Markup("{} more ids").format(numbers.count(finding["added"]))
    if finding["reused"]:
        said += Markup(" ({} of them given away by tokens that were of no use)").format(
            numbers.count(len(finding["reused"]))
        )
    gains = [
        Markup("{} from {} to {} bytes per token").format(
            name(language_name(row["language"])),
            *(numbers.significant(row["bytes"] / row["tokens"][k]) for k in (0, -1)),
        )
        for row in rows[:3]
    ]
    if gains:
        said += Markup(" bring ") + Markup(", ").join(gains)
    changed = sum(row["changed"] for row in kept)
    texts = sum(row["texts"] for row in kept)
    if kept:
        said += Markup("; of the {} kept, the encoding of {} changed").format(
            numbers.plural(texts, "document"), numbers.count(changed) if changed else "none"
        )
    return lead(said + Markup("."))


def _curves(finding: dict[str, Any], place: int) -> Markup:
    rows = _rows(finding)
    if not rows:
        return Markup("")
    added = finding["added"]
    steps = sorted({round(added * i / _POINTS) for i in range(_POINTS + 1)})
    drawn = [
        (
            Series(language_name(row["language"]), series_style(i)),
            [(float(k), row["bytes"] / row["tokens"][k]) for k in steps],
        )
        for i, row in enumerate(rows[:_DRAWN])
    ]
    chart = Chart(
        linear("new ids", [0.0, float(added)]),
        linear("bytes per token", [0.0, *(rate for _, points in drawn for _, rate in points)]),
        width=480,
    )
    lines = [
        chart.line(series.style, points, f"{series.name}: {points[-1][1]:.3f} with {added:,} ids")
        for series, points in drawn
    ]
    picture = chart.panel(
        "bytes per token",
        f"extend-curve-{place}",
        "Bytes per token by new ids",
        "One line for each language; the table holds the values.",
        lines,
    )
    text = "documents not learned from" if finding["unseen"] else "the text learned from"
    shown = sorted({round(added * i / 4) for i in range(5)})
    table = sortable_table(
        "Bytes per token by the number of new ids",
        columns(" | ".join(["language:", "documents", *(f"{k:,}" for k in shown), "gain"])),
        [
            [
                language_cell(row["language"]),
                numbers.count(row["documents"]),
                *(numbers.rate(row["bytes"] / row["tokens"][k]) for k in shown),
                numbers.rate(row["tokens"][0] / row["tokens"][-1]),
            ]
            for row in rows
        ],
    )
    words = (
        f"Counted on {text}, at every number of new ids in one pass. Each is a vocabulary of its "
        "own: the first of the new merges."
    )
    return (
        heading("What each new id gains")
        + legend([series for series, _ in drawn], lines=True)
        + panels([picture], wide=True)
        + note(words)
        + table
    )


def _kept(finding: dict[str, Any]) -> Markup:
    if not finding["kept"]:
        return Markup("")
    table = sortable_table(
        "Text that is to be encoded as before",
        columns(
            "language: | documents | changed | bytes per token before | after",
            {"changed": "documents of which any token is another"},
        ),
        [
            [
                language_cell(row["language"]),
                numbers.count(row["texts"]),
                numbers.count(row["changed"]),
                *(
                    numbers.rate(row["bytes"] / row[side] if row[side] else None, places=3)
                    for side in ("tokens_before", "tokens_after")
                ),
            ]
            for row in finding["kept"]
        ],
    )
    return heading("What is kept") + table


def _kept_rates(finding: dict[str, Any], sizes: tuple[int, int]) -> list[ChangedRate]:
    return [
        ChangedRate(
            row["language"],
            None,
            (row["bytes"] / row["tokens_before"], row["bytes"] / row["tokens_after"]),
            sizes,
        )
        for row in finding["kept"]
        if row["tokens_before"] and row["tokens_after"]
    ]


def _extended_rates(finding: dict[str, Any]) -> list[ChangedRate]:
    before, after = (finding[side]["vocabulary_size"] for side in ("tokenizer", "extended"))
    english = next((row for row in finding["kept"] if begins_with(row["language"], ENGLISH)), None)
    rates = []
    for row in _rows(finding):
        read = row["read"]
        aligned = english and finding["parallel"] and english["texts"] == read["documents"]
        parity = read["bytes"] / english["bytes"] if english and aligned else None
        rate = (row["bytes"] / row["tokens"][0], row["bytes"] / row["tokens"][-1])
        rates.append(ChangedRate(row["language"], parity, rate, (before, after)))
    return [*rates, *_kept_rates(finding, (before, after))]


def _price(finding: dict[str, Any], rates: Sequence[ChangedRate], side: str) -> Markup:
    prices = changed_prices(rates)
    spec = finding["tokenizer"]["spec"]
    if not prices:
        return Markup("")
    told = {price.rate.language for price in prices if price.rate.parity is not None}
    by = "Languages without runs of their own are placed by their parity to the English kept. "
    return (
        heading("What that is worth")
        + paragraphs(
            "Bits per byte lost against the best rate of a budget, and the compute that would buy "
            "them back. "
            + (by if told else "")
            + "For other budgets and laws, from the folder of this page: "
        )
        + Markup(
            "<p><code>tokenize-lab scaling advise --compute 1e22 --family subword -t before={} -t "
            "after=tokenizer.json</code></p>"
        ).format(spec)
        + price_table(prices)
    )
