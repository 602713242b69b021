"""A design's answer: which tokenizer, what it gives each language, and what else would cost."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from reports import numbers
from reports.html import name, sortable_table, visible
from reports.languages import language_name
from reports.numbers import significant, with_interval
from reports.page import Section, behind, bullets, heading, lead, note, paragraphs
from scaling.design.result import Design

_BASIS = {"runs": "its own runs", "measured": "trained at one budget", "analogy": "by its parity"}


def design_answer(design: Design) -> Section:
    """Show the sentence that answers, what was promised, and what constraints cost."""
    body = lead(visible(design["sentence"]))
    body += bullets([visible(caution) for caution in design["cautions"]])
    body += bullets([visible(refused["note"]) for refused in design["refused"]])
    body += heading("What was promised, and what held-out text has") + _promise(design) + _read()
    if design["constraints"]:
        body += heading("What each constraint costs") + _constraints(design)
    body += heading("Against what is at hand") + _at_hand(design)
    body += behind("Text and laws", _grounds(design))
    return Section("design", "The tokenizer to build", body)


def _promise(design: Design) -> Markup:
    rows = []
    for code, row in design["languages"].items():
        promise, best = design["promise"][code], design["best"]["languages"][code]
        rows.append(
            [
                name(language_name(row["code"])),
                f"{row['weight']:g}",
                numbers.rate(row["compression_rate_opt"]),
                numbers.rate(best["bytes_per_token"], places=3),
                with_interval(promise["held_out"], promise["interval"], 4),
                numbers.share(promise["off"]),
                numbers.count(best["vocabulary_size"]),
                numbers.rate(best["premium"]),
                _estimate(best["bits_per_byte"], 4),
                _estimate(best["price_bits_per_byte"]),
                _estimate(best["compute_multiplier"], 4),
            ]
        )
    heads = (
        "language: | weight | T* | promised | held out | off | ids | premium | bits per byte"
        " | price | times the budget"
    )
    return sortable_table(
        "Bytes per token promised, found on held-out text, and priced", heads, rows
    )


def _read() -> Markup:
    return note(
        "T*: bytes per token of the lowest loss at this budget, by Law II, serving paid for. "
        "Promised: on text that the candidates have not learned from; held out: on text that has "
        "had no part in the choice. Premium: tokens over those of English, or of the language of "
        "least parity, for the same content. Price: bits per byte lost by Law II against its own "
        "best rate, and the budget that would make up for it in that language alone. In brackets, "
        "95 % intervals: of what was held out over its text, else of the laws."
    )


def _constraints(design: Design) -> Markup:
    words = {
        "max_vocab": "at most {max_vocab:,} ids",
        "max_premium": "no premium over {max_premium:g}",
        "all": "all of them",
        "shared vocabulary": "one vocabulary for all languages, not one for each",
    }
    rows = [
        [
            visible(words[key].format(**_known(design["settings"])) if key in words else key),
            _estimate(cost["bits_per_byte"]),
        ]
        for key, cost in design["constraints"].items()
    ]
    return sortable_table(
        "Bits per byte that each constraint costs, against the best of all that was tried",
        "constraint: | bits per byte lost",
        rows,
    )


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value or 0 for name, value in settings.items()}


def _at_hand(design: Design) -> Markup:
    rows = [
        [
            name(row["name"]),
            numbers.count(row["vocabulary_size"]),
            significant(row["bits_per_byte"], 4),
            significant(row["price_bits_per_byte"]),
            "no budget does"
            if row["compute_multiplier"] is None
            else significant(row["compute_multiplier"]),
            *(numbers.rate(rate) for rate in row["rates"].values()),
        ]
        for row in design["shipped"]
    ]
    languages = " | ".join(language_name(row["code"]) for row in design["languages"].values())
    return sortable_table(
        "Vocabularies that come with the package: loss, what they cost over the best, the budget "
        "that makes up for it, and bytes per token",
        f"tokenizer: | ids | bits per byte | over the best | times the budget | {languages}",
        rows,
    )


def _grounds(design: Design) -> Markup:
    sizes = [
        [
            name(language_name(design["languages"][code]["code"])),
            _BASIS.get(design["languages"][code]["basis"], ""),
            significant(design["languages"][code]["parity"]),
            *(numbers.count(size[part]) for part in ("learned_from", "train", "curve", "check")),
        ]
        for code, size in design["text"]["bytes"].items()
    ]
    table = sortable_table(
        "Bytes of text by part, and how the laws know each language",
        "language: | known by: | parity | learned from | to learn from | for rates | held out",
        sizes,
    )
    notes = [design["laws"], *(row["note"] for row in design["languages"].values())]
    return table + paragraphs(*(visible(text) for text in [*notes, *design["text"]["notes"]]))


def _estimate(estimate: Mapping[str, Any], digits: int = 3) -> Markup:
    low, high = estimate["low"], estimate["high"]
    ends = None if low is None or high is None else (low, high)
    return with_interval(estimate["value"], ends, digits)
