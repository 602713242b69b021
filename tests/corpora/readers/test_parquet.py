"""Parquet files, read in slices."""

import contextlib
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from corpora.errors import InputError
from corpora.open import open_corpus
from corpora.readers import parquet
from tests.corpora.reading import documents, refusal, texts


def test_rows_come_back_in_order_with_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pl.DataFrame(
        {
            "text": ["one", "zwei", "", "four"],
            "language": ["eng_Latn", "deu_Latn", "eng_Latn", None],
            "domain": ["news", "", "news", "web"],
            "id": [10, 11, 12, 13],
        }
    )
    table.write_parquet(path)
    found = documents(open_corpus(str(path)))
    assert sorted((d.document_id, d.text, d.language, d.domain) for d in found) == [
        ("10", "one", "eng_Latn", "news"),
        ("11", "zwei", "deu_Latn", ""),
        ("12", "", "eng_Latn", "news"),
        ("13", "four", "und", "web"),
    ]


@pytest.mark.parametrize("row_group", [7, 1000, 100_000])
def test_slices_miss_and_repeat_nothing(
    tmp_path: Path, row_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_SLICE_BYTES", 20_000)
    monkeypatch.setattr(parquet, "BATCH_BYTES", 3_000)
    path = tmp_path / "fra_Latn.parquet"
    expected = [f"{n} " + "é" * (n % 200) for n in range(5000)]
    pl.DataFrame({"text": expected}).write_parquet(path, row_group_size=row_group)
    found = documents(open_corpus(str(path)))
    assert [d.text for d in found] == expected
    assert [d.document_id for d in found] == [str(n) for n in range(1, 5001)]
    assert {d.language for d in found} == {"fra_Latn"}


def test_other_columns_can_hold_the_text_even_one_named_like_a_label(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"id": ["x", "y"], "text": [1, 2]}).write_parquet(path)
    assert texts(open_corpus(str(path), text_field="id")) == ["x", "y"]


def test_categories_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": pl.Series(["x", "y", "x"], dtype=pl.Categorical)}).write_parquet(path)
    assert texts(open_corpus(str(path))) == ["x", "y", "x"]


def test_bytes_are_decoded_as_files_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": ["é".encode(), b"a\xff", b"c"]}).write_parquet(path)
    assert f"{path}:2 (byte 1): invalid UTF-8" in refusal(path)
    assert texts(open_corpus(str(path), on_invalid="replace")) == ["é", "a\ufffd", "c"]
    skipped = open_corpus(str(path), on_invalid="skip")
    assert [(d.text, d.document_id) for d in documents(skipped)] == [("é", "1"), ("c", "3")]
    assert skipped.invalid.documents == 1


def test_what_is_wrong_with_a_table_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"body": ["x"], "texts": [1]}).write_parquet(path)
    message = refusal(path)
    assert f"{path}: no column 'text'; the table has 'body', 'texts'" in message
    assert "did you mean 'texts'?" in message
    assert "column 'texts' holds Int64, not text" in refusal(path, text_field="texts")
    pl.DataFrame({"text": ["x", None]}).write_parquet(path)
    assert f"{path}: row 2 has no text (column 'text' is null)" in refusal(path)
    pl.DataFrame({"text": []}, schema={"text": pl.String}).write_parquet(path)
    assert "holds no text" in refusal(path)


def test_torn_and_invalid_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": ["some", "text"]}).write_parquet(path, compression="uncompressed")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert f"{path}: not a readable parquet file (" in refusal(path)
    path.write_bytes(whole.replace(b"some", b"so\xffe"))
    assert "invalid UTF-8" in refusal(path)
    path.write_bytes(b"")
    assert "not a readable parquet file" in refusal(path)


def test_any_byte_of_a_file_may_be_another(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Pages of less than no values ended the process; panics were told by the library itself."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": ["some", "text"] * 20}).write_parquet(path, compression="uncompressed")
    whole = path.read_bytes()
    for place, value in product(range(len(whole)), (81, 127, 255)):
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        with contextlib.suppress(InputError):
            texts(open_corpus(str(path)))
    assert "panicked" not in capfd.readouterr().err


def test_a_name_with_wildcards_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a[b]*.parquet"
    pl.DataFrame({"text": ["x"]}).write_parquet(path)
    assert texts(open_corpus(str(path))) == ["x"]
