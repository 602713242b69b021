"""Resamples of many groups at once are those of each alone, to the last digit, in any order."""

import tracemalloc

import numpy as np
import pytest

from corpora.bootstrap import DocumentBootstrap
from tokenize_lab.counts.fields import FIELD_INDEX, FIELDS
from tokenize_lab.counts.narrow import narrow, narrowed
from tokenize_lab.counts.resampling import resampled, resampled_alone
from tokenize_lab.counts.schema import Group, GroupCounts
from tokenize_lab.rows import RowSettings, measure_rows
from tokenize_lab.tokenizer import FloatArray, IntArray


def table(units: int, seed: int, empty: int = 0) -> IntArray:
    """Counts such as a tokenizer's: some nothing, some the same, some units without documents."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 300, (units, len(FIELDS)))
    counts[:, FIELD_INDEX["documents"]] = 1
    counts[:, FIELD_INDEX["bytes"]] = random.integers(1, 70_000, units)
    counts[:, FIELD_INDEX["token_bytes"]] = counts[:, FIELD_INDEX["bytes"]]
    counts[:, FIELD_INDEX["unknown_tokens"]] = 0
    counts[random.permutation(units)[:empty]] = 0
    return counts


def sums_of(parts: list[GroupCounts], bootstrap: DocumentBootstrap) -> dict[int, FloatArray]:
    return dict(resampled(parts, bootstrap))


def test_many_groups_are_resampled_as_each_alone_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [table(40, 1), table(40, 2), table(50, 3, empty=10), table(33, 4), table(1, 5)]
    parts = [GroupCounts(units) for units in tables]
    bootstrap = DocumentBootstrap(replicates=60, seed=3)
    together = sums_of(parts, bootstrap)
    assert set(together) == {0, 1, 2, 3}  # one unit has no resamples
    for place, sums in together.items():
        units = tables[place][tables[place][:, 0] > 0]
        np.testing.assert_array_equal(sums, bootstrap.draws(len(units)) @ units)
        np.testing.assert_array_equal(sums, resampled_alone(parts[place], bootstrap))
    turned = sums_of(parts[::-1], bootstrap)
    monkeypatch.setattr("tokenize_lab.counts.resampling._MOST_SUMS", 1)
    by_and_by = sums_of(parts, bootstrap)
    for place, sums in together.items():
        np.testing.assert_array_equal(sums, turned[len(parts) - 1 - place])
        np.testing.assert_array_equal(sums, by_and_by[place])
    assert not sums_of(parts, DocumentBootstrap(0))


def test_narrow_counts_are_the_same_counts() -> None:
    units = table(2000, 7, empty=100)
    units[3, FIELD_INDEX["characters"]] = 1 << 40
    few = narrowed(units)
    wide, small = GroupCounts(units), GroupCounts(few)
    np.testing.assert_array_equal(small.units, units)
    np.testing.assert_array_equal(small.total, wide.total)
    for name in FIELDS:
        np.testing.assert_array_equal(small.column(name), wide.column(name))
    numbers = np.array([0, 5, 1999])
    np.testing.assert_array_equal(few.of_units(numbers).wide(), units[numbers])
    np.testing.assert_array_equal(few.of_units(numbers).total, units[numbers].sum(0))
    spread = few.of_units(numbers).at(np.array([1, 2, 9])).wide()
    assert len(spread) == 10
    np.testing.assert_array_equal(spread[[1, 2, 9]], units[numbers])
    assert sum(column.nbytes for column in few.columns) < units.nbytes / 3
    assert [narrow(np.array([most])).dtype.itemsize for most in (255, 256, 65_536, 1 << 32)] == [
        1, 2, 4, 8,
    ]  # fmt: skip


def test_rows_of_many_groups_take_little_memory() -> None:
    """A thousand replicates of all counts of these rows would be 32 MB."""
    names = ("a", "bb", "ccc", "dddd")
    counts = {
        Group(name, "c", f"l{i}", "d", None): GroupCounts(table(300, 40 * len(name) + i))
        for name in names
        for i in range(38)
    }
    tracemalloc.start()
    rows = measure_rows(counts, RowSettings(dict.fromkeys(names, 10), "w", "l0", "a"))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows[-1]["difference"]["bytes_per_token"]["interval"] is not None
    assert most < 60e6
