"""A Parquet table of runs whose bytes were changed is read, or one line; no panic's text."""

import contextlib
import random
from pathlib import Path

import polars as pl
import pytest

from corpora.errors import InputError
from scaling.load_table import load_table


def test_bytes_of_a_table_that_were_changed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, draw, lines = tmp_path / "runs.parquet", random.Random(0), 0
    numbers = [float(n) for n in range(500)]
    words = [f"run {n % 7}" for n in range(500)]
    pl.DataFrame({"params": numbers, "loss": numbers, "name": words}).write_parquet(path)
    whole = path.read_bytes()
    for _ in range(150):
        spoilt = bytearray(whole)
        begin = draw.randrange(len(whole))
        spoilt[begin : begin + draw.randrange(1, 40)] = draw.randbytes(draw.randrange(1, 40))
        path.write_bytes(spoilt)
        try:
            load_table(path)
        except InputError as error:
            lines += "cannot be read as a table" in str(error)
    assert lines > 50
    assert capfd.readouterr().err == ""


def test_a_page_of_less_than_no_values(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Room was asked of the system for it, which ended the process."""
    path = tmp_path / "runs.parquet"
    pl.DataFrame({"name": ["some", "text"] * 20}).write_parquet(path, compression="uncompressed")
    whole = path.read_bytes()
    for place in range(100):  # headers of pages among them
        path.write_bytes(whole[:place] + b"\x7f" + whole[place + 1 :])
        with contextlib.suppress(InputError):
            load_table(path)
    assert capfd.readouterr().err == ""
