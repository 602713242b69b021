"""Reading runs: what is derived, what is refused and by which row."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import polars as pl
import pytest

from corpora.errors import InputError
from scaling.published import tables
from scaling.read_runs import read_runs
from tests.cli import answer, mistake

HEADER = "compute_flops,compression_rate,global_params,train_bytes,bits_per_byte"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "runs.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_csv_and_parquet_hold_the_same_runs(tmp_path: Path) -> None:
    csv = read_runs(tables.path(tables.ISOFLOP))
    csv.rows.drop("row").write_parquet(tmp_path / "runs.parquet")
    parquet = read_runs(tmp_path / "runs.parquet")
    assert len(csv) == len(parquet) == 311
    for column in ("compute_flops", "train_bytes", "bits_per_byte", "params"):
        assert np.array_equal(csv.column(column, "test"), parquet.column(column, "test"))
    assert csv.sha256 != parquet.sha256


def test_nats_per_token_become_bits_per_byte(tmp_path: Path) -> None:
    header = "compute_flops,compression_rate,params,train_tokens,nats_per_token"
    runs = read_runs(write(tmp_path, "1e18,4,1e7,2e9,3.0", header=header))
    assert runs.column("bits_per_byte", "test")[0] == pytest.approx(3 / (math.log(2) * 4))
    assert runs.column("train_bytes", "test")[0] == pytest.approx(8e9)
    assert runs.conventions() == {"params": "params", "flops": "undeclared"}


def test_other_projects_names_are_read_and_noted(tmp_path: Path) -> None:
    runs = read_runs(write(tmp_path, "1e18,1e7,2e9,3.0", header="C,N,D,loss"))
    assert runs.column("params", "test")[0] == 1e7
    assert runs.column("nats_per_token", "test")[0] == 3.0
    assert any("'N' is read as params" in note.message for note in runs.notes)


def test_records_give_the_realised_rate_and_leave_failures_out(tmp_path: Path) -> None:
    good = {
        "run_id": "a",
        "status": "finished",
        "spec": {"compute_flops": 1e15, "compression_rate": 4.0, "language": "eng_Latn"},
        "params": {"global_params": 1e6, "total_params": 2e6},
        "train_bytes": 4.4e9,
        "train_tokens": 1e9,
        "validation_nats": 700.0,
        "validation_bytes": 1000,
        "steps": 900,
    }
    diverged = {**good, "run_id": "b", "status": "diverged", "reason": "loss was nan at step 12"}
    short = {**good, "run_id": "c", "steps": 40}
    for record in (good, diverged, short):
        (tmp_path / f"{record['run_id']}.json").write_text(json.dumps(record))
    runs = read_runs(tmp_path)
    assert len(runs) == 1
    assert runs.column("compression_rate", "test")[0] == pytest.approx(4.4)
    assert runs.column("bits_per_byte", "test")[0] == pytest.approx(0.7 / math.log(2))
    assert [one.reason for one in runs.excluded] == [
        "diverged: loss was nan at step 12",
        "too short: 40 steps, fewer than 300",
    ]
    assert len(read_runs(tmp_path, keep_short=True)) == 2
    assert runs.params_column == "global_params"
    assert read_runs(tmp_path, params="total_params").column("params", "test")[0] == 2e6


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1e18,4,1e7,2e9,", "row 2: bits_per_byte is empty"),
        ("1e18,4,1e7,2e9,nan", "row 2: bits_per_byte is nan"),
        ("1e18,4,-1e7,2e9,1.0", "row 2: global_params is -10000000.0"),
        ("0,4,1e7,2e9,1.0", "row 2: compute_flops is 0.0"),
        ("1e18,4,1e7,2e9,1.3", "rows 1, 2 are the same run"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: str, said: str) -> None:
    path = write(tmp_path, "1e18,4,1e7,2e9,1.2", row, "2e18,4,1e7,2e9,1.1")
    with pytest.raises(InputError, match=said) as caught:
        read_runs(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_mixed_flops_conventions_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "1e18,4,1e7,2e9,1.2,full",
        "1e18,4,2e7,1e9,1.2,6nd-total",
        header=HEADER + ",flops_convention",
    )
    with pytest.raises(InputError, match="mixed FLOPs conventions"):
        read_runs(path)
    chosen = read_runs(path, flops_convention="full")
    assert len(chosen) == 1 and chosen.flops_convention == "full"
    with pytest.raises(InputError, match="no row counts FLOPs by 'half'"):
        read_runs(path, flops_convention="half")


def test_tokens_without_a_rate_cannot_be_bytes(tmp_path: Path) -> None:
    runs = read_runs(write(tmp_path, "1e18,1e7,2e9,3.0", header="C,N,D,loss"))
    with pytest.raises(InputError, match="without a compression rate"):
        runs.column("bits_per_byte", "law2")
    with pytest.raises(InputError, match="without a compression rate"):
        runs.column("train_bytes", "law1")


def test_what_is_not_a_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_runs(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="no record"):
        read_runs(tmp_path)
    (tmp_path / "torn.json").write_text('{"run_id": ')
    with pytest.raises(InputError, match="not JSON"):
        read_runs(tmp_path)
    (tmp_path / "torn.json").write_text('{"compute_flops": 1e18, "status": "\\ud800"}')
    with pytest.raises(InputError, match="do not make a table"):
        read_runs(tmp_path)
    (tmp_path / "runs.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_runs(tmp_path / "runs.parquet")
    with pytest.raises(InputError, match="did you mean"):
        read_runs(write(tmp_path, "1", header="compute_flop"))
    with pytest.raises(InputError, match="no parameter count 'big_params'"):
        read_runs(write(tmp_path, "1e18,4,1e7,2e9,1.2"), params="big_params")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "an empty record"),
        ({"train_bytes": "many"}, "train_bytes is 'many', not a number"),
        ({"train_tokens": "1e9"}, "train_tokens is '1e9', not a number"),
        ({"validation_nats": "x"}, "validation_nats is 'x', not a number"),
        ({"steps": "many"}, "steps is 'many', not a number"),
        ({"compute_flops": "1e18x"}, "row 2: compute_flops is 1e18x"),
    ],
)
def test_bad_records_are_named(tmp_path: Path, change: dict[str, str] | None, said: str) -> None:
    good = {
        "run_id": "a",
        "compute_flops": 1e18,
        "train_bytes": 4e9,
        "train_tokens": 1e9,
        "validation_nats": 7.0,
        "validation_bytes": 10,
        "steps": 900,
    }
    bad = {} if change is None else {**good, "run_id": "b", **change}
    (tmp_path / "a.json").write_text(json.dumps(good))
    (tmp_path / "b.json").write_text(json.dumps(bad))
    with pytest.raises(InputError, match=said) as caught:
        read_runs(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(InputError, match=r"x\.json: not a regular file but a folder"):
        read_runs(tmp_path)
    text = write(tmp_path, "1e18,4,1e7,2e9,1.2,many", header=HEADER + ",steps")
    with pytest.raises(InputError, match="row 1: steps is 'many', not a positive number"):
        read_runs(text)


def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path) -> None:
    lower = write(tmp_path, "1e18,4,1e7,2e9,1.2")
    upper = tmp_path / "RUNS.CSV"
    upper.write_bytes(lower.read_bytes())
    assert read_runs(upper).rows.equals(read_runs(lower).rows)
    read_runs(lower).rows.drop("row").write_parquet(tmp_path / "RUNS.PARQUET")
    assert len(read_runs(tmp_path / "RUNS.PARQUET")) == 1


def test_groups_come_sorted_and_keep_their_rows() -> None:
    runs = tables.isoflop_runs()
    budgets = [context["compute_flops"] for context, _ in runs.groups(["compute_flops", "seed"])]
    assert budgets == [1e19, 2e19, 1e20, 2e20, 1e21, 2e21]
    kept = runs.where(runs.column("compute_flops", "test") < 5e19, "a large budget")
    assert len(kept) == 103 and len(kept.excluded) == 208
    assert {one.reason for one in kept.excluded} == {"a large budget"}
    assert pl.Series([one.row for one in kept.excluded]).n_unique() == 208


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"compute_flops;bits_per_byte\n1;2\n", "line 1: columns are separated by semicolons"),
        (b"a,b,a\n1,2,3\n", "line 1: two columns are called 'a'"),
        (b"a,b\n1,2\n\n1,2,3\n", "line 4: 3 fields, where the header names 2"),
        (b'a,b\n"1\n",2\n3\n', "line 4: 1 fields, where the header names 2"),
        (b'a,b\n1,"2\n3,4\n', "line 2: unexpected end of data"),
        (b"a,b\n1,\xff\n", "line 2: is not UTF-8"),
    ],
)
def test_a_csv_that_is_no_table_is_refused_by_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    table = tmp_path / "runs.csv"
    table.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_runs(table)
    assert str(caught.value).startswith(f"{table}: {said}")


def test_a_frame_is_read_as_its_table_is() -> None:
    """polars, lazy or not, pandas and any library that exports Arrow give the same runs."""
    path = tables.path(tables.ISOFLOP)
    table = read_runs(path)
    polars, whole = pl.read_csv(path, infer_schema_length=None), pandas.read_csv(path)
    for frame in (polars, polars.lazy(), whole, Arrow(polars)):
        runs = read_runs(frame)
        assert runs.name == "data frame" and runs.rows.equals(table.rows)
    assert read_runs(polars).sha256 == read_runs(polars, "theirs").sha256
    assert len(read_runs(whole[whole["compute_flops"] > 5e19])) == 208
    assert read_runs(table.frame()).rows.equals(table.rows)


class Arrow:
    """A frame of a library that is neither."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


def test_what_pandas_calls_missing_is_missing() -> None:
    frame = pandas.DataFrame(
        {
            "C": [1e18, 2e18, 4e18],
            "loss": [3.0, None, 2.8],
            "language": ["eng_Latn", None, "deu_Latn"],
            "status": [None, "diverged", "finished"],
            "steps": pandas.array([900, None, 900], dtype="Int64"),
        },
        index=[7, 8, 9],
    )
    runs = read_runs(frame)
    assert runs.rows["language"].to_list() == ["eng_Latn", "deu_Latn"]
    assert [(gone.row, gone.reason) for gone in runs.excluded] == [(2, "diverged")]
    with pytest.raises(InputError, match="data frame: row 2: nats_per_token is empty"):
        read_runs(frame.drop(columns="status"), keep_short=True)
    twice = pandas.DataFrame([[1.0, 2.0]], columns=["C", "C"])
    with pytest.raises(InputError, match="two columns are called 'C'"):
        read_runs(twice)
    for empty in (pl.DataFrame(), pandas.DataFrame(), pl.DataFrame({"C": []})):
        with pytest.raises(InputError, match="data frame: the table has no rows"):
            read_runs(empty)
    with pytest.raises(InputError, match="a list, not a table; give a path or a data frame"):
        read_runs([1, 2])  # type: ignore[arg-type]


def test_pandas_is_never_imported_for_those_who_do_not_use_it() -> None:
    code = (
        "import sys, polars; from scaling.read_runs import read_runs;"
        "read_runs(polars.DataFrame({'C': [1e18], 'loss': [3.0]}));"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_columns_of_other_names(tmp_path: Path) -> None:
    path = write(tmp_path, "1e18,1.2,3.0", header="flop_budget,val_bpb,bits_per_byte")
    runs = read_runs(path, columns={"compute_flops": "flop_budget", "bits_per_byte": "val_bpb"})
    assert runs.column("compute_flops", "test").tolist() == [1e18]
    assert runs.column("bits_per_byte", "test").tolist() == [1.2]
    swapped = {"bits_per_byte": "val_bpb", "nats_per_token": "bits_per_byte"}
    assert read_runs(path, columns=swapped).column("nats_per_token", "test").tolist() == [3.0]
    for columns, said in (
        ({"bits_per_bite": "val_bpb"}, "no column 'bits_per_bite' in a runs table; did you mean"),
        ({"bits_per_byte": "val_bbp"}, "no column 'val_bbp'; did you mean 'val_bpb'"),
        ({"B": "val_bpb"}, "no column 'B' in a runs table"),
        ({"params": "val_bpb", "train_bytes": "val_bpb"}, "can stand for one thing only"),
    ):
        with pytest.raises(InputError, match=said):
            read_runs(path, columns=columns)
    form = "--law law2 --form compute-dependent"
    optima = f"scaling fit {tables.path(tables.OPTIMA)} {form} --draws 0 --column"
    own = answer(f"{optima} bits_per_byte=bits_per_byte")
    assert own["estimates"]["gamma"] == pytest.approx(-0.190, abs=1e-3)
    assert "no column 'bpb'" in mistake(f"{optima} bits_per_byte=bpb")
    assert "give NAME=THEIRS" in mistake(f"{optima} bits_per_byte")


def test_runs_are_shown_in_a_line() -> None:
    runs = tables.isoflop_runs()
    shown = "Runs(cot_latent_english_isoflop.csv: 311 runs, 1e+19 to 2e+21 FLOPs, bits_per_byte"
    assert repr(runs) == f"{shown})"
    few = runs.where(runs.column("compute_flops", "test") < 5e19, "a <large> budget")
    assert repr(few).endswith("103 runs, 1e+19 to 2e+19 FLOPs, bits_per_byte, 208 left out)")
    assert "311 runs" in runs._repr_html_() and "<table" in runs._repr_html_()


@pytest.mark.parametrize("end", ["\n", "\n\n\n", ",,,,\n"])
def test_lines_without_anything_are_no_runs(tmp_path: Path, end: str) -> None:
    path = write(tmp_path, "1e18,4,1e7,2e9,1.2", "", "1e18,4,2e7,1e9,1.3")
    whole = read_runs(path).rows
    path.write_text(path.read_text() + end)
    assert read_runs(path).rows.equals(whole) and whole.height == 2
    path.write_text(HEADER + "\n" + end)
    with pytest.raises(InputError, match="the table has no rows"):
        read_runs(path)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_bytes(b"\xef\xbb\xbfcompute_flops,bits_per_byte\n1e18,1.5\n")
    assert read_runs(table).column("compute_flops", "test").tolist() == [1e18]


def test_nested_columns_are_named_by_their_path(tmp_path: Path) -> None:
    runs = [
        {
            "config": {"params": 1e6 * n, "train": {"compute_flops": 1e15}},
            "summary": {"val/bpb": 1.5 - n / 10},
            "train_bytes": 1e9,
        }
        for n in (1, 2)
    ]
    folder = tmp_path / "runs"
    folder.mkdir()
    for n, run in enumerate(runs):
        (folder / f"{n}.json").write_text(json.dumps(run))
    pl.DataFrame(runs).write_parquet(tmp_path / "runs.parquet")
    columns = {
        "bits_per_byte": "summary.val/bpb",
        "params": "config.params",
        "compute_flops": "config.train.compute_flops",
    }
    for source in (folder, tmp_path / "runs.parquet", pl.DataFrame(runs)):
        found = read_runs(source, columns=columns)
        assert found.column("bits_per_byte", "test").tolist() == [1.4, 1.3]
        assert found.column("params", "test").tolist() == [1e6, 2e6]
        assert found.column("compute_flops", "test").tolist() == [1e15, 1e15]
    with pytest.raises(InputError, match=r"no column 'summary.val/bpd'"):
        read_runs(tmp_path / "runs.parquet", columns={"bits_per_byte": "summary.val/bpd"})


def test_what_unpacks_to_more_than_can_be_held_is_one_line(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.parquet"
    column = pl.Series("compute_flops", [1.0]).extend_constant(1.0, 60_000_000)
    column.to_frame().write_parquet(bomb)
    assert bomb.stat().st_size < 1 << 20
    said = "60,000,001 rows of 1 columns, and no table of runs has over 10,000,000 values"
    assert said in mistake(f"scaling fit {bomb} --law law2")
    with (tmp_path / "runs.csv").open("wb") as sparse:
        sparse.truncate((128 << 20) + 1)
    assert "more than 128 MiB" in mistake(f"scaling fit {tmp_path / 'runs.csv'} --law law2")


def test_a_header_without_end_is_compared_in_no_time(tmp_path: Path) -> None:
    header = ",".join(f"c{i}" for i in range(200_000))
    path = write(tmp_path, "1", header=f"{header},c7")
    assert "line 1: two columns are called 'c7'" in mistake(f"scaling fit {path} --law law2")


@pytest.mark.parametrize(
    "record", ["[" * 100_000, '{"a":' * 100_000, '{"a":' * 900 + "1" + "}" * 900]
)
def test_a_record_nested_too_deep_is_one_line(tmp_path: Path, record: str) -> None:
    (tmp_path / "run.json").write_text(record)
    assert str(tmp_path) in mistake(f"scaling fit {tmp_path} --law law2")


@pytest.mark.parametrize("value", [[1, 2], b"\xff", pl.lit("x").cast(pl.Categorical)])
def test_a_column_of_something_else_is_one_line(tmp_path: Path, value: object) -> None:
    column = value if isinstance(value, pl.Expr) else pl.lit(value)
    frame = pl.read_csv(tables.path(tables.ISOFLOP)).with_columns(column.alias("compute_flops"))
    frame.write_parquet(tmp_path / "runs.parquet")
    said = mistake(f"scaling fit {tmp_path / 'runs.parquet'} --law law2")
    assert "compute_flops is a column of " in said and "not of numbers" in said


def test_a_record_that_is_a_pipe_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    assert "a pipe or a device" in mistake(f"scaling fit {tmp_path} --law law2")
