"""RecordColumns of many labels: large batches, nothing lost or moved, and a limit to how many."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.document import Batch, Numbers, gathered
from corpora.open import open_corpus
from corpora.readers.settings import MOST_LABELS
from tests.corpora.reading import documents, refusal

small_batches = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.text(max_size=9), min_size=1, max_size=3))
)


def as_batches(parts: list[tuple[str, list[str]]]) -> list[Batch]:
    starts = [sum(len(texts) for _, texts in parts[:n]) for n in range(len(parts))]
    return [
        Batch(texts, language, "", "s", Numbers(start, len(texts)))
        for start, (language, texts) in zip(starts, parts, strict=True)
    ]


def by_language(batches: list[Batch]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for batch in batches:
        pairs = zip(batch.document_ids, batch.texts, strict=True)
        found.setdefault(batch.language, []).extend(pairs)
    return found


@given(parts=small_batches, enough=st.integers(1, 900), most_held=st.integers(0, 2000))
def test_every_document_comes_once_and_in_order(
    parts: list[tuple[str, list[str]]], enough: int, most_held: int
) -> None:
    batches = as_batches(parts)
    joined = list(gathered(batches, enough, most_held))
    assert by_language(joined) == by_language(batches)
    assert len(joined) <= len(batches)


def test_no_more_is_held_than_allowed() -> None:
    taken = returned = 0

    def counted() -> Iterator[Batch]:
        nonlocal taken
        for batch in as_batches([(f"{n % 50}", ["x" * 100]) for n in range(1000)]):
            taken += 1
            yield batch

    for batch in gathered(counted(), enough=10**9, most_held=10_000):
        if taken < 1000:  # at the end all that is held comes
            assert 200 * (taken - returned) <= 10_000 + 200  # the one just taken
        returned += len(batch.texts)
    assert returned == 1000


def test_aligned_batches_pass_as_they_are() -> None:
    batches = [Batch(["x"], "eng", "", "s", ["1"], n) for n in (1, 5)]
    assert list(gathered(batches)) == batches


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_shuffled_labels_still_make_large_batches(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": "x" * 500, "domain": f"d{n * 7919 % 100}"} for n in range(20_000)]
    batches = list(open_corpus(str(written(tmp_path / f"a{suffix}", rows))).batches())
    assert sum(len(batch.texts) for batch in batches) == 20_000
    assert len({batch.domain for batch in batches}) == 100
    assert len(batches) <= 300  # of 12 MB


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("field", ["domain", "language"])
def test_a_field_that_is_no_label_is_refused(tmp_path: Path, suffix: str, field: str) -> None:
    rows = [{"text": "x", field: f"v{n}"} for n in range(MOST_LABELS + 1)]
    path = written(tmp_path / f"a{suffix}", rows[:-1])
    assert len(documents(open_corpus(str(path)))) == MOST_LABELS
    written(path, rows)
    message = refusal(path)
    assert message.startswith(f"{path}: more than 1,000 different values of '{field}', such as 'v")
    assert f"`{field}=NAME`" in message
    forced = documents(open_corpus(str(path), **{field: "one"}))  # type: ignore[arg-type]  # either
    assert len(forced) == MOST_LABELS + 1


def test_labels_are_counted_over_all_files_of_one_pass(tmp_path: Path) -> None:
    for part in range(2):
        rows = [{"text": "x", "domain": f"{part}-{n}"} for n in range(MOST_LABELS // 2)]
        written(tmp_path / f"{part}.jsonl", rows)
    corpus = open_corpus(str(tmp_path))
    for _ in range(2):
        assert len(documents(corpus)) == MOST_LABELS
    written(tmp_path / "2.jsonl", [{"text": "x", "domain": "y" * 999}])
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / '2.jsonl'}: more than 1,000")
    assert len(message) < 300 + len(str(tmp_path))


def test_labels_and_ids_of_records_stand_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(r'{"text": "x", "domain": "a\nb", "language": "\ud800", "id": "i\u0000"}' "\n")
    (found,) = documents(open_corpus(str(path)))
    assert (found.domain, found.language, found.document_id) == (r"a\nb", r"\ud800", r"i\x00")
