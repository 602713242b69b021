"""What is known of every token of a vocabulary, and of the text that its merges came from."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from reports import numbers
from reports.charts.rows import BarPart, Dot, bars, dot_plot
from reports.charts.svg import bars_key, series_style
from reports.html import columns, language_cell, sortable_table, strong, visible
from reports.languages import language_name
from reports.page import Section, behind, figure, heading
from tokenize_lab.forensics.tables import REASONS

_LONGEST = 60  # characters


def token(entry: dict[str, Any]) -> Markup:
    """Return a token of a finding, by its bytes."""
    return piece(bytes.fromhex(entry["hex"]).decode("utf-8", "surrogateescape"))


def piece(text: str) -> Markup:
    """Return a piece of text as a token: spaces at its ends can be seen, and so can all that would
    act on the page; bytes of no character are written `‹E2›`."""
    shown = "".join(_byte(character) for character in text)
    inner = shown.strip(" ")
    if inner:
        before = len(shown) - len(shown.lstrip(" "))
        shown = "␣" * before + inner + "␣" * (len(shown) - before - len(inner))
    else:
        shown = "␣" * len(shown)
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    return Markup('<bdi><code class="token">{}</code></bdi>').format(visible(shown))


def tokens(several: Sequence[dict[str, Any]], most: int) -> Markup:
    """Return the first few tokens, side by side."""
    return Markup(" ").join(token(entry) for entry in several[:most])


def _byte(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"‹{ord(character) - 0xDC00:02X}›"
    return character


_EXAMPLES = 12
_COUNTED = ("used_ids", "exclusive_ids", "main_ids", "ids_for_90_percent")
_LISTED = 100
_SCRIPTS = 20
_OWN, _MAIN, _SHARED = 0, 5, 6


def audit_section(finding: dict[str, Any], place: int) -> Section:
    """Show one tokenizer's audit; `place` tells it from others on the page."""
    name = finding["tokenizer"]["name"]
    body = _lead(finding) + _reach(finding) + _scripts(finding, place)
    if finding["corpus"]:
        body += _use(finding) + _languages(finding, place)
    return Section(f"audit-{place}", f"Every token of {name}", body)


def _lead(finding: dict[str, Any]) -> Markup:
    reach, characters, merges = finding["reach"], finding["characters"], finding["merges"]
    broken = sum(characters.values()) - characters["whole"]
    text = Markup('<p class="lead">{} has {}. {} of its tokens can be reached').format(
        strong(finding["tokenizer"]["name"]),
        numbers.plural(finding["tokenizer"]["vocabulary_size"], "id"),
        numbers.count(reach["reached"]),
    )
    text += Markup(": a text was found for each; {} cannot, proven").format(
        numbers.count(reach["unreachable_proven"])
    )
    if reach["not_found"]:
        text += Markup("; for {} no text was found").format(numbers.count(reach["not_found"]))
    text += Markup(". {} are not whole characters, {} of these single bytes.</p>").format(
        numbers.count(broken), numbers.count(characters["single_bytes"])
    )
    if merges:
        text += Markup("<p>{} {}; {} of them can never fire, whatever the text.</p>").format(
            numbers.plural(merges["count"], "merge"),
            "are listed" if merges["listed"] else "were recovered from ranks",
            numbers.count(merges["never_fire"]) if merges["never_fire"] else "none",
        )
    return text


def _reach(finding: dict[str, Any]) -> Markup:
    reach = finding["reach"]
    listed = [*reach["open"], *reach["unreachable"]][:_LISTED]
    if not listed:
        return Markup("")
    total = reach["unreachable_proven"] + reach["not_found"]
    table = sortable_table(
        "Tokens that no text was found for"
        + (f", the first {_LISTED} of {numbers.count(total)}" if total > _LISTED else ""),
        "id | token: | comes out as: | why:",
        [
            [
                str(entry["id"]),
                token(entry),
                tokens(entry["instead"] or [], _EXAMPLES),
                REASONS.get(entry["why"], ""),
            ]
            for entry in listed
        ],
    )
    return heading("Out of reach") + (
        behind(f"{len(listed)} tokens", table) if len(listed) > 20 else table
    )


def _scripts(finding: dict[str, Any], place: int) -> Markup:
    scripts = list(finding["scripts"].items())
    total = sum(number for _, number in scripts)
    if not total:
        return Markup("")
    rows = [
        (name, [BarPart(100 * number / total, 0, f"{name}: {numbers.count(number)} ids")])
        for name, number in scripts[:_SCRIPTS]
    ]
    picture = bars(
        f"audit-scripts-{place}",
        "Vocabulary by script",
        "Share of the ids whose characters are of each script.",
        "per cent of the ids that have bytes",
        rows,
    )
    table = sortable_table(
        "Vocabulary by script",
        "script: | ids | share",
        [[name, numbers.count(number), numbers.share(number / total)] for name, number in scripts],
    )
    caption = "Scripts of the tokens' whole characters; digits, punctuation and spaces have none."
    return heading("Whose writing") + figure(picture, caption) + behind("Table", table)


def _use(finding: dict[str, Any]) -> Markup:
    corpus = finding["corpus"]
    parts = corpus["never_used_parts_of_others"]
    words = heading("Use") + Markup(
        "<p>On {} of text, {}, {} ids are used and {} never, though some text leads to "
        "{} of them{}. {} of the tokens in the text are not whole characters.</p>"
    ).format(
        numbers.size(corpus["bytes"]),
        numbers.plural(corpus["tokens"], "token"),
        numbers.count(corpus["used"]),
        numbers.count(corpus["never_used"]),
        numbers.count(corpus["never_used_reachable"]),
        ""
        if parts is None
        else f"; {numbers.count(parts)} of these are parts that longer tokens are merged from",
        numbers.count(corpus["not_whole_character_tokens"]),
    )
    if corpus["unused"]:
        words += Markup("<p>Never used, by id: {} …</p>").format(tokens(corpus["unused"], 40))
    return words


def _languages(finding: dict[str, Any], place: int) -> Markup:
    corpus, size = finding["corpus"], finding["tokenizer"]["vocabulary_size"]
    ordered = sorted(corpus["languages"], key=lambda row: (-row["used_ids"], row["language"]))
    if not ordered:
        return Markup("")
    rows = []
    for row in ordered:
        alone, main = row["exclusive_ids"], max(row["main_ids"] - row["exclusive_ids"], 0)
        rest = max(row["used_ids"] - alone - main, 0)
        called = language_name(row["language"])
        parts = [
            BarPart(100 * ids / size, colour, f"{called}: {numbers.count(ids)} {words}")
            for ids, colour, words in (
                (alone, _OWN, "ids of its own"),
                (main, _MAIN, "mainly its own"),
                (rest, _SHARED, "shared"),
            )
        ]
        rows.append((called, parts))
    key = bars_key(
        [(_OWN, "no other language uses it"), (_MAIN, "mainly its own"), (_SHARED, "shared")]
    )
    picture = bars(
        f"audit-languages-{place}",
        "What each language uses of the vocabulary",
        "For each language the share of ids it uses: its own alone, mainly its own, shared.",
        "per cent of the vocabulary",
        rows,
        languages=[row["language"] for row in ordered],
    )
    table = sortable_table(
        "What each language uses of the vocabulary",
        columns(
            "language: | bytes | used | own | mainly own | for 90 % | its commonest own tokens:",
            {
                "own": "ids that no other language of this corpus uses",
                "mainly own": "ids with nine tenths of their occurrences per byte",
                "for 90 %": "ids that its commonest nine tenths of tokens take",
            },
        ),
        [
            [
                language_cell(row["language"]),
                numbers.count(row["bytes"]),
                *(numbers.count(row[ids]) for ids in _COUNTED),
                tokens(row["examples"], _EXAMPLES),
            ]
            for row in ordered
        ],
    )
    caption = "All of these grow with how much text there is of a language."
    return heading("Whose tokens") + figure(picture, caption, key) + table


def mixture_section(finding: dict[str, Any], place: int) -> Section:
    """Show one inferred mixture; `place` tells it from others on the page."""
    name = finding["tokenizer"]["name"]
    return Section(f"mixture-{place}", f"What {name} learned from", _body(finding, place))


def _body(finding: dict[str, Any], place: int) -> Markup:
    rows = finding["languages"]
    opened = Markup(
        '<p class="lead">Of the text that {} was trained on, as far as it was in these {}, the '
        "order of its first {} says that {} was {}.</p>"
    ).format(
        strong(finding["tokenizer"]["name"]),
        numbers.plural(len(rows), "language"),
        numbers.plural(finding["merges"], "merge"),
        numbers.share(rows[0]["share"], rows[0]["interval"]),
        strong(language_name(rows[0]["language"])),
    )
    style = series_style(0)
    dots = []
    for row in rows:
        ends = row["interval"]
        percent = 100 * row["share"]
        between = [100 * end for end in ends] if ends else None
        hint = f"{language_name(row['language'])}: {numbers.share(row['share'], ends)}"
        dots.append((language_name(row["language"]), [Dot(style, 0, percent, between, hint)]))
    picture = dot_plot(
        f"mixture-shares-{place}",
        "Inferred shares of the training text",
        "For each language its share of the bytes of the training text, with its interval if any.",
        "per cent of bytes",
        dots,
        origin=0.0,
        languages=[row["language"] for row in rows],
    )
    table = sortable_table(
        "Inferred shares",
        columns(
            "language: | share | 95 % | published programme | our text, bytes | "
            "our text, documents",
            {
                "95 %": "from resampling the documents of our text",
                "published programme": "slack counted in occurrences, not in per cent",
            },
        ),
        [
            [
                language_cell(row["language"]),
                numbers.share(row["share"], row["interval"]),
                numbers.share_interval(row["share"], row["interval"]) or numbers.UNMEASURED,
                numbers.share(row["share_published"]),
                numbers.count(row["bytes"]),
                numbers.count(row["documents"]),
            ]
            for row in rows
        ],
    )
    caption = (
        "Each merge joined the most frequent pair of the trainer's text; these shares explain the "
        "order best (a linear programme, after Hayase et al. 2024). A language that is not among "
        "these is laid to the likest of them. Intervals, where there are any, say what another "
        "sample of our text would have given, not how far the trainer's was of another kind."
    )
    fit = Markup(
        "<p>{} of the merges occur in our text. What the order leaves unexplained is {} of the "
        "frequency of the pairs merged: the more, the less our text is like the trainer's.</p>"
    ).format(numbers.count(finding["merges_met"]), numbers.share(finding["slack_share"]))
    return opened + figure(picture, caption) + table + fit
