"""Records of many labels: large batches, nothing lost, and a limit to how many."""

import json
from pathlib import Path

import polars as pl
import pytest

from corpora.open import open_corpus
from corpora.readers.settings import MOST_LABELS
from tests.corpora.reading import documents, refusal


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
