"""Each tokenizer over all the text; what every measure means; and where the numbers come from:
enough to make them again and to see that they are the same."""

import shlex
from typing import Any

from reports import numbers
from reports.html import Column, columns, name, render, sortable_table, tokenizer_cell
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.page import Blocks, Section, behind, bullets, corpus_section
from tokenize_lab.counts.fields import FIELDS

_OVERALL = (
    "bytes_per_token",
    "characters_per_token",
    "graphemes_per_token",
    "fertility",
    "single_token_word_share",
    "bytes_per_pretoken",
)
_VOCABULARY = ("vocabulary_use", "renyi_2.5_declared", "renyi_2.5_observed", "zipf_slope")


def tokenizers(measured: Measured) -> Section:
    """Show each tokenizer's rates over all languages, and how it uses its vocabulary."""
    return corpus_section(
        measured,
        "tokenizers",
        "Tokenizers over all the text",
        _tables,
        introduction=bullets(measured.provenance["run"].get("notices", [])),
    )


def _tables(corpus: CorpusResults) -> Blocks:
    shown = [
        MEASURES[rate]
        for rate in _OVERALL
        if any(row[rate] is not None for row in corpus.overall.values())
    ]
    ginis = {row["tokenizer"]: row for row in corpus.rows}
    gini = [MEASURES["gini"]] if any(row["gini"] is not None for row in corpus.rows) else []
    main = sortable_table(
        f"Rates over all languages, each weighing by its text{corpus.with_intervals}",
        [
            *columns("tokenizer:"),
            Column("V", hint="declared vocabulary size, special tokens included"),
            *(measure.column for measure in [*shown, *gini]),
        ],
        [
            [
                tokenizer_cell(tokenizer),
                numbers.count(row["vocabulary_size"]),
                *(measure.cell(row) for measure in shown),
                *(measure.cell(ginis.get(tokenizer)) for measure in gini),
            ]
            for tokenizer, row in corpus.overall.items()
        ],
    )
    vocabulary = sortable_table(
        "How the vocabulary is used over all the text (no intervals: resampled text holds fewer "
        "distinct tokens than the text itself)",
        [*columns("tokenizer: | distinct tokens"), *(MEASURES[m].column for m in _VOCABULARY)],
        [
            [
                tokenizer_cell(tokenizer),
                numbers.count(row["distinct_tokens"]),
                *(MEASURES[rate].text(row[rate]) for rate in _VOCABULARY),
            ]
            for tokenizer, row in corpus.overall.items()
        ],
    )
    return [("", main + behind("Table: how each uses its vocabulary", vocabulary))]


def provenance(measured: Measured) -> Section:
    """Show the command, settings, hashes and versions; times in a block of their own."""
    record = measured.provenance
    tokenizers = sortable_table(
        "Tokenizers",
        "tokenizer: | given as: | V | engine: | SHA-256:",
        [
            [
                tokenizer_cell(series.name),
                name(series.facts["spec"]),
                numbers.count(series.facts["vocabulary_size"]),
                name(series.facts["engine"]),
                render("hash.html", hash=series.facts["sha256"]),
            ]
            for series in measured.series
        ],
    )
    corpora = sortable_table(
        "Corpora",
        "corpus: | aligned: | SHA-256 of the text:",
        [
            [
                name(corpus["name"]),
                "yes" if corpus["parallel"] else "no",
                render("hash.html", hash=corpus["sha256"]),
            ]
            for corpus in record["corpora"]
        ],
    )
    body = render(
        "provenance.html",
        command=shlex.join(record["command"]),
        tokenizers=tokenizers,
        corpora=corpora,
        settings={key: _plain(value) for key, value in record["settings"].items()},
        versions=record["versions"],
        counting_version=record["counting_version"],
        run=_run(record["run"]),
    )
    when = "command, hashes and versions: enough to make the same numbers again"
    return Section("provenance", "Provenance", body, gist=when)


def _run(run: dict[str, Any]) -> dict[str, str]:
    """Return what differs from run to run, in words."""
    speeds = {
        tokenizer: "from the cache" if speed is None else f"{speed:.1f} MB/s"
        for tokenizer, speed in run["encoder_mb_per_second"].items()
    }
    whole = run["mb_per_second"]
    return {
        "finished": run["finished"],
        "platform": run["platform"],
        "seconds": f"{run['seconds']:.1f}",
        "text read": numbers.size(run["text_bytes"]),
        "whole measurement": numbers.UNMEASURED if whole is None else f"{whole:.1f} MB/s",
        "batches": f"{run['batches_encoded']} encoded, {run['batches_from_cache']} from the cache",
        **{f"encoder of {tokenizer}, one core": speed for tokenizer, speed in speeds.items()},
    }


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def definitions(measured: Measured) -> Section:
    """Define measures and counts."""
    return Section(
        "definitions",
        "Definitions",
        render(
            "definitions.html",
            measures=list(MEASURES.values()),
            fields=FIELDS,
            settings=measured.provenance["settings"],
        ),
        gist="what every measure, interval and count means",
    )
