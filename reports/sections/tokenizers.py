"""The key table: each tokenizer over all the text."""

from markupsafe import Markup

from reports import numbers
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.section import Section, for_each_corpus, subheading
from reports.table import Column, sortable_table
from reports.words import name

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
    return Section(
        "tokenizers",
        "Tokenizers over all the text",
        for_each_corpus(measured, lambda corpus: _tables(measured, corpus)),
    )


def _tables(measured: Measured, corpus: CorpusResults) -> Markup:
    shown = [
        MEASURES[rate]
        for rate in _OVERALL
        if any(row[rate] is not None for row in corpus.overall.values())
    ]
    ginis = {row["tokenizer"]: row for row in corpus.rows}
    with_gini = any(row["gini"] is not None for row in corpus.rows)
    gini = [MEASURES["gini"]] if with_gini else []
    main = sortable_table(
        f"Rates over all languages, each weighing by its text{corpus.with_intervals}",
        [
            Column("tokenizer", numeric=False),
            Column("V", hint="declared vocabulary size, special tokens included"),
            *(Column(measure.heading, hint=measure.meaning) for measure in [*shown, *gini]),
        ],
        [
            [
                name(tokenizer),
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
        [
            Column("tokenizer", numeric=False),
            Column("distinct tokens"),
            *(Column(MEASURES[one].heading, hint=MEASURES[one].meaning) for one in _VOCABULARY),
        ],
        [
            [
                name(tokenizer),
                numbers.UNMEASURED
                if row["distinct_tokens"] is None
                else numbers.count(row["distinct_tokens"]),
                *(MEASURES[one].text(row[one]) for one in _VOCABULARY),
            ]
            for tokenizer, row in corpus.overall.items()
        ],
    )
    return main + subheading(measured, "Vocabulary") + vocabulary
