"""What `measure` leaves behind reads back as what was counted, and is the same every time."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from reports.build import build_report
from tokenize_lab.measurement import measure
from tokenize_lab.results import Results, load_results, measured_before


def results() -> Results:
    corpus = DocumentCorpus(
        "c",
        [
            Document(text, language, domain, "here", str(i), i + 7)
            for language in ("eng_Latn", "hin_Deva")
            for domain in ("", "news")
            for i, text in enumerate(["a line", "नदी ▁ ", "1234 <script>"])
        ],
    )
    return measure([corpus], ["byte", "mistral:v1"], command=["tokenize-lab", "measure"])


def test_round_trip(tmp_path: Path) -> None:
    before = results()
    before.save(tmp_path)
    after = load_results(tmp_path)
    assert list(after.counts) == list(before.counts)
    for group, part in before.counts.items():
        other = after.counts[group]
        assert np.array_equal(other.units, part.units)
        assert other.aligned == part.aligned
        one, two = part.histogram.settle(), other.histogram.settle()
        assert np.array_equal(one.ids, two.ids)
        assert np.array_equal(one.occurrences, two.occurrences)
    assert after.provenance == before.provenance
    assert list(after.samples) == list(before.samples)


def test_the_same_measurement_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        again = results()
        del again.provenance["run"]  # times and hosts live there
        again.save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_samples_lie_over_the_text(tmp_path: Path) -> None:
    for sample in results().samples:
        raw = sample["text"].encode()
        byte, mistral = sample["tokens"]["byte"], sample["tokens"]["mistral:v1"]
        assert byte["ids"] == list(raw)
        assert byte["bytes"] is None
        if "▁" in sample["text"]:
            assert bytes.fromhex(mistral["bytes"]) == raw.replace("▁".encode(), b" ")
        else:
            assert mistral["bytes"] is None
            assert sum(mistral["sizes"]) == len(raw)


def test_a_folder_without_a_measurement_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no measurement \(provenance.json is missing\)"):
        load_results(tmp_path)


def test_files_of_two_runs_are_not_taken_for_one(tmp_path: Path) -> None:
    results().save(tmp_path / "one")
    other = results()
    other.provenance["settings"]["word_segmenter"] = "uax29"
    other.save(tmp_path / "two")
    (tmp_path / "one" / "counts.parquet").replace(tmp_path / "two" / "counts.parquet")
    with pytest.raises(InputError, match=r"counts.parquet is not the one that provenance.json"):
        load_results(tmp_path / "two")


def test_a_failed_overwrite_leaves_the_old_measurement_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results().save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if "samples" in self.name:
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        results().save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["counts.parquet", "histograms.parquet", "samples.json"])
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    results().save(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="a file is damaged"):
        load_results(tmp_path)


@pytest.mark.parametrize("name", ["counts.parquet", "histograms.parquet", "samples.json"])
def test_a_file_that_claims_a_terabyte_is_one_clear_line(tmp_path: Path, name: str) -> None:
    results().save(tmp_path)
    os.truncate(tmp_path / name, 1 << 40)
    with pytest.raises(InputError, match=rf"{name}: more than 4 GiB"):
        load_results(tmp_path)


def test_a_file_of_other_bytes_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results().save(tmp_path)
    os.truncate(tmp_path / "counts.parquet", 1 << 26)
    monkeypatch.delattr(Path, "read_bytes")
    with pytest.raises(InputError, match=r"counts.parquet is not the one that provenance.json"):
        load_results(tmp_path)


def test_a_table_of_more_rows_than_its_bytes_can_be_is_refused(tmp_path: Path) -> None:
    results().save(tmp_path)
    path, record = tmp_path / "counts.parquet", tmp_path / "provenance.json"
    none = pl.Series("document", [None], pl.String)
    none.extend_constant(None, 50_000_000).to_frame().write_parquet(path)
    assert path.stat().st_size < 1 << 20
    said = json.loads(record.read_text("utf-8"))
    said["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    record.write_text(json.dumps(said), "utf-8")
    with pytest.raises(InputError, match="50,000,001 rows in"):
        load_results(tmp_path)


def test_what_is_no_record_can_be_measured_over(tmp_path: Path) -> None:
    assert measured_before(tmp_path) == ""
    for content in (b"[" * 100_000, b"{}", b"[]", b'{"corpora": 3}', b"\xff"):
        (tmp_path / "provenance.json").write_bytes(content)
        assert measured_before(tmp_path) == "something that can no longer be read"


def test_a_table_of_the_rows(tmp_path: Path) -> None:
    found = results()
    assert repr(found) == "<measured: c with byte, mistral:v1>"
    frame = found.frame()
    rows = list(found.rows())
    assert frame["bytes_per_token"].to_list() == [row["bytes_per_token"] for row in rows]
    low, high = rows[-1]["intervals"]["bytes_per_token"]
    assert frame.row(-1, named=True)["bytes_per_token_low"] == low < high
    assert frame["domain"].dtype == pl.String and frame["bytes_per_token_difference"][0] is None
    found.save(tmp_path)
    assert load_results(tmp_path).frame().equals(frame)


def test_what_cannot_be_measured_is_refused_before_it_is_read(tmp_path: Path) -> None:
    corpus = DocumentCorpus("c", [Document("text")])
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for corpora, options, said in (
        ([corpus, corpus], {}, "2 corpora are named c"),
        ([corpus], {"baseline": "bite"}, "`baseline=bite`: not one of the tokenizers; did you"),
        ([corpus], {"group_by": ["langage"]}, "`group_by`: 'langage'.*; did you mean 'language'"),
        ([corpus], {"words": "uax"}, "`words`: 'uax' is unknown; did you mean 'uax29'"),
        ([corpus], {"out": blocked}, "file"),
    ):
        with pytest.raises(InputError, match=said):
            measure(corpora, ["byte"], **options)


def test_a_folder_from_before_lost_text_was_counted_is_read(tmp_path: Path) -> None:
    results().save(tmp_path)
    counts = tmp_path / "counts.parquet"
    pl.read_parquet(counts).drop("lost_bytes", "comparable_bytes").write_parquet(counts)
    record = json.loads((tmp_path / "provenance.json").read_text())
    record["files"]["counts.parquet"] = hashlib.sha256(counts.read_bytes()).hexdigest()
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    rows = load_results(tmp_path).frame()
    whole = rows.filter(pl.col("tokenizer") == "byte")
    assert whole["lost_share"].to_list() == [0, 0]
    assert whole["comparable_share"].to_list() == [1, 1]


def written(folder: Path, name: str, table: pl.DataFrame) -> None:
    """Put another table in the place of one, and its sum into the record."""
    table.write_parquet(folder / name)
    summed(folder, name)


def summed(folder: Path, name: str) -> None:
    record = folder / "provenance.json"
    said = json.loads(record.read_text("utf-8"))
    said["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    record.write_text(json.dumps(said), "utf-8")


def many_units(table: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return a table whose first row is that of many units."""
    units = pl.Series("unit", range(count), table["unit"].dtype).to_frame()
    return table.head(1).drop("unit").join(units, how="cross").select(table.columns)


COUNTS, HISTOGRAMS = "counts.parquet", "histograms.parquet"


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        (COUNTS, lambda table: table.reverse(), "units are twice in it, or not in order"),
        (COUNTS, lambda table: pl.concat([table, table]), "units are twice in it"),
        (COUNTS, lambda table: table.clear(), "of a group that has no counts"),
        (COUNTS, lambda table: table.filter(tokenizer="byte"), "of a group that has no counts"),
        (COUNTS, lambda table: table.drop("words"), "no column 'words'"),
        (
            COUNTS,
            lambda table: table.with_columns(bytes=pl.lit(1 << 53)),
            "more than 2 to the 53rd",
        ),
        (COUNTS, lambda table: table.with_columns(language=pl.lit("a" * (1 << 25))), "megabyte"),
        (COUNTS, lambda table: many_units(table, 1 << 18), "a group of more than 131,072 rows"),
        (HISTOGRAMS, lambda table: table.reverse(), "token ids are twice in it, not in order"),
        (HISTOGRAMS, lambda table: pl.concat([table, table]), "token ids are twice in it"),
        (HISTOGRAMS, lambda table: table.with_columns(token_id=pl.lit(1 << 32)), "ids are twice"),
        (HISTOGRAMS, lambda table: table.with_columns(tokenizer=pl.lit("x")), "has no counts"),
    ],
)
def test_tables_that_no_measurement_has_are_one_line(
    tmp_path: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame], why: str
) -> None:
    results().save(tmp_path)
    written(tmp_path, name, change(pl.read_parquet(tmp_path / name)))
    with pytest.raises(InputError) as refused:
        load_results(tmp_path)
    line = str(refused.value)
    assert why in line and "\n" not in line and len(line) < len(str(tmp_path)) + 120


def test_a_tokenizer_without_counts_is_one_line(tmp_path: Path) -> None:
    results().save(tmp_path)
    for name in (COUNTS, HISTOGRAMS):
        written(tmp_path, name, pl.read_parquet(tmp_path / name).filter(tokenizer="byte"))
    with pytest.raises(InputError, match=r"no counts of a tokenizer that provenance\.json names"):
        load_results(tmp_path)


def test_bytes_that_the_library_panics_over_are_one_line_and_no_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    results().save(tmp_path)
    path = tmp_path / COUNTS
    whole, lines = path.read_bytes(), 0
    for place in range(0, len(whole), 61):
        path.write_bytes(whole[:place] + bytes(24) + whole[place + 24 :])
        summed(tmp_path, COUNTS)
        try:
            load_results(tmp_path)
        except InputError:
            lines += 1
    assert lines > 10
    assert capfd.readouterr().err == ""


def test_a_report_divides_by_no_count_that_is_nothing(tmp_path: Path) -> None:
    measure([open_corpus("embedded:eng_Latn,hin_Deva")], ["byte", "mistral:v1"]).save(tmp_path)
    written(tmp_path, COUNTS, pl.read_parquet(tmp_path / COUNTS).with_columns(bytes=pl.lit(0)))
    assert build_report(tmp_path).exists()
