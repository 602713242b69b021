"""A Parquet table of runs whose bytes were changed is read, or one line; no panic's text."""

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
