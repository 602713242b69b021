"""`scaling flops` and `reproduce`, and what help may load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import answer, command, mistake

BLT = "scaling flops --family blt --compression-rate 4 --layers"


def test_flops() -> None:
    paper = answer(f"{BLT} 8")
    assert paper["global_params"] == 12 * 8 * 1024**2
    assert round(100 * paper["latent_share"]) == 55  # table 6
    assert paper["training_flops_per_byte"] == 3 * paper["forward_flops_per_byte"]
    micro = answer(f"{BLT} 2 --dim 128 --context-bytes 4096 --window-bytes 256 --compute 1e15")
    assert micro["total_params"] > micro["global_params"] == 12 * 2 * 128**2
    assert micro["train_bytes"] == pytest.approx(1e15 / micro["training_flops_per_byte"])
    text = command("scaling flops --family bpe --layers 8 --compression-rate 4.5").stdout
    assert "total_params: 231,735,296" in text
    low = "scaling flops --family blt --layers 8 --compression-rate 0.5"
    assert "at least 1" in mistake(low)
    assert "did you mean 'full'" in mistake(f"{BLT} 8 --convention ful")


def test_reproduce(tmp_path: Path) -> None:
    rows = answer("scaling reproduce --draws 40 --out", tmp_path)
    keys = {"group", "name", "published", "ours", "difference", "agrees"}
    assert all(set(row) >= keys for row in rows)
    assert json.loads((tmp_path / "reproduce.json").read_text()) == rows
    done = command("scaling reproduce --draws 40")
    assert "Law II, 48 optima" in done.stdout and "figures agree" in done.stderr
    (delta,) = [
        row for row in rows if (row["group"], row["name"]) == ("Law II, 48 optima", "delta")
    ]
    line = next(line for line in done.stdout.splitlines() if line.split()[:1] == ["delta"])
    assert line.split()[1:5] == [".0361", "0.0361141", f"{delta['difference']:+.2g}", "yes"]


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys, scaling.cli.app; "
        "heavy = {'polars', 'scipy', 'numpy', 'torch', 'pydantic'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
