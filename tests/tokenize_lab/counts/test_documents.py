"""Documents kept apart in columns are what an object for each would be, in less memory."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.document import Document
from reports.measured import measured
from tests.tokenize_lab.test_measure import CutCorpus
from tokenize_lab.counts.documents import CountsByDocument, DocumentPlace
from tokenize_lab.counts.fields import FIELD_INDEX, FIELDS
from tokenize_lab.counts.files import parquet, read_counts
from tokenize_lab.counts.schema import Group, GroupCounts, merged
from tokenize_lab.measurement import measure
from tokenize_lab.results import load_results
from tokenize_lab.rows import iterate_rows
from tokenize_lab.tokenizer import IntArray

TOKENIZERS = ("byte", "character")
LINES = st.lists(
    st.tuples(
        st.sampled_from(["eng_Latn", "deu_Latn", "hin_Deva"]), st.sampled_from(["", "code"]),
        st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def counts_of(names: list[str], seed: int) -> IntArray:
    table = np.random.default_rng(seed).integers(0, 300, (len(names), len(FIELDS)))
    table[:, FIELD_INDEX["documents"]] = 1
    return table


def both(
    lines: list[tuple[str, str, list[str]]], aligned: bool
) -> tuple[CountsByDocument, dict[Group, GroupCounts]]:
    apart, plain = CountsByDocument(), dict[Group, GroupCounts]()
    for i, (language, domain, names) in enumerate(lines):
        for seed, tokenizer in enumerate(TOKENIZERS):
            table = counts_of(names, 2 * i + seed)
            apart.add(tokenizer, DocumentPlace("text", language, domain, aligned), names, table)
            for name, row in zip(names, table, strict=True):
                group = Group(tokenizer, "text", language, domain, name)
                plain.setdefault(group, GroupCounts(aligned=aligned)).add(0, row[None])
    return apart, plain


def same(one: GroupCounts, other: GroupCounts) -> bool:
    return one.aligned == other.aligned and np.array_equal(one.units, other.units)


@settings(max_examples=20)
@given(LINES, st.booleans())
def test_groups_are_those_of_an_object_each(
    lines: list[tuple[str, str, list[str]]], aligned: bool
) -> None:
    apart, plain = both(lines, aligned)
    assert [*apart] == [*plain]
    assert len(apart) == len(plain)
    assert all(same(apart[group], part) for group, part in plain.items())
    assert Group("byte", "text", "eng_Latn", "", "z") not in apart
    assert Group("byte", "text", "eng_Latn", "", None) not in apart


@settings(max_examples=20)
@given(LINES, st.booleans())
def test_rows_are_too(lines: list[tuple[str, str, list[str]]], aligned: bool) -> None:
    apart, plain = both(lines, aligned)
    results = measure([CutCorpus([Document("a text")], 10)], TOKENIZERS, replicates=9)
    how = replace(results.row_settings, reference="deu", baseline="byte")
    for keep in (["document"], ["document", "domain"], ["language", "domain", "document"]):
        one = iterate_rows(apart.merged(keep), how)
        other = iterate_rows(merged(plain, keep), how)
        assert [*one] == [*other]


def test_rows_of_a_batch_follow_one_another_by_tokenizer() -> None:
    texts = [Document(f"line {n}", document_id=str(n % 7)) for n in range(40)]
    results = measure([CutCorpus(texts, 50)], TOKENIZERS, group_by=["document"], replicates=0)
    told = [(row["tokenizer"], row["document"]) for row in results.rows()]
    assert told[:2] == [("byte", ":0"), ("byte", ":1")]
    assert sorted(told) == [(name, f":{n}") for name in TOKENIZERS for n in range(7)]
    pages = measured(results).corpora[0].pooled
    assert pages["byte"].size == 7
    assert pages["byte"].total[FIELD_INDEX["documents"]] == 40


@settings(max_examples=20)
@given(LINES)
def test_aligned_documents_of_one_name_are_one_unit(
    lines: list[tuple[str, str, list[str]]],
) -> None:
    apart, plain = both(lines, aligned=True)
    units = apart.as_units()
    numbers = {name: i for i, name in enumerate(dict.fromkeys(group.document for group in apart))}
    for group, part in plain.items():
        language = units[group._replace(document=None)]
        assert np.array_equal(language.units[numbers[group.document]], part.total)


def test_a_folder_is_read_back(tmp_path: Path) -> None:
    texts = [Document(f"line {n}", "eng_Latn", document_id=str(n)) for n in range(300)]
    results = measure([CutCorpus(texts, 900)], TOKENIZERS, group_by=["document"], replicates=0)
    results.save(tmp_path)
    read = load_results(tmp_path)
    assert isinstance(read.counts, CountsByDocument)
    assert [*read.rows()] == [*results.rows()]
    assert [*read.counts] == [*results.counts]


def test_a_folder_whose_tokenizers_read_different_documents_is_damaged(tmp_path: Path) -> None:
    texts = [Document(f"line {n}", document_id=str(n)) for n in range(9)]
    results = measure([CutCorpus(texts, 900)], TOKENIZERS, group_by=["document"], replicates=0)
    results.save(tmp_path)
    table = pl.read_parquet(tmp_path / "counts.parquet")
    empty = parquet([pl.read_parquet(tmp_path / "histograms.parquet")])
    assert len(read_counts(parquet([table]), empty)) == 18
    for damaged in (table[:-1], table[1:], table.with_columns(unit=pl.lit(1))):
        with pytest.raises(ValueError, match="document"):
            read_counts(parquet([damaged]), empty)


def test_a_document_takes_a_few_hundred_bytes() -> None:
    apart, place = CountsByDocument(), DocumentPlace("text", "eng_Latn", "", aligned=False)
    names = [f"text.jsonl:{n}" for n in range(20_000)]
    table = counts_of(names, 0) // 2
    tracemalloc.start()
    for begin in range(0, len(names), 4000):
        some = slice(begin, begin + 4000)
        apart.add("byte", place, names[some], table[some])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 200 * len(names)  # with names of 60 that are not its own
