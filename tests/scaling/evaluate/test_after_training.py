"""What training leaves behind is opened, scores as it did, and goes on with a prompt."""

import re
from pathlib import Path

import pytest

from scaling.data.shards import open_shards
from scaling.data.windows import patches_of
from scaling.evaluate.score import score
from scaling.evaluate.trained_run import open_run
from tests.cli import answer, command, mistake
from tests.scaling.evaluate.streams import CPU

DATA = """
[data]
corpus = ["embedded:eng_Latn"]
held_out_bytes = 1000
context_bytes = 64
window_bytes = 16
[training]
steps = 2
batch_bytes = 256
"""
BLT = """
[model]
family = "blt"
layers = 1
dim = 16
local_layers = 1
local_dim = 16
cross_factor = 1
[patching]
"""
SUBWORD = """
[model]
family = "subword"
layers = 1
dim = 16
"""


def _specification(kind: str, out: Path) -> str:
    if kind == "subword":
        return SUBWORD + DATA.replace("[data]", '[data]\ntokenizer = "mistral:v3"')
    if kind == "space":
        return BLT + 'kind = "space"\n' + DATA
    if kind == "static":
        return BLT + 'kind = "static"\ncompression_rate = 3\n' + DATA
    sizes = "--layers 1 --dim 16 --train-bytes 2000 --context-bytes 64 --batch-bytes 256"
    line = f"embedded:eng_Latn --held-out-bytes 1000 {sizes} --device cpu --out {out}"
    byte_model = answer(f"scaling train-entropy-model {line}")
    entropy = f'compression_rate = 3\nentropy_model = "{byte_model["folder"]}"\n'
    return BLT + f'kind = "{kind}"\n' + entropy + DATA


@pytest.mark.parametrize("kind", ["static", "space", "entropy", "entropy-monotonic", "subword"])
def test_a_trained_run_is_opened_and_used(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    file = tmp_path / "spec.toml"
    file.write_text(_specification(kind, out))
    record = answer(f"scaling train {file} --device cpu --out {out}")
    folder = Path(record["folder"])
    run = open_run(folder)
    held_out = open_shards(out / "shards" / run.spec.shards).held_out
    scores = score(run.model, held_out, run.spec.window_units, 3, patches_of(run.spec), CPU)
    assert scores.bytes == record["validation_bytes"]
    assert (scores.patches or scores.units) == record["validation_tokens"]
    assert scores.nats == pytest.approx(record["validation_nats"], rel=1e-6)
    assert run.record is not None and run.record.validation_nats == record["validation_nats"]

    (row,) = answer(f"scaling evaluate {folder} embedded:eng_Latn --device cpu")["rows"]
    assert row["bytes"] > scores.bytes
    assert row["bits_per_byte"] == pytest.approx(scores.bits_per_byte, rel=0.2)
    added = answer(f"scaling generate {folder} 'It was' --bytes 20 --device cpu")
    assert added["bytes"] == 20
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be,\nthat is the question:\n")
    line = f"scaling evaluate {folder} {text} --device cpu"
    exactly = f"{line} --exact --exact-bytes 12"
    if kind != "subword":
        assert re.search("predicts bytes, .* leave out --exact", mistake(exactly))
        return
    found = answer(exactly)
    exact = found["rows"][0].pop("exact")
    assert found.pop("exact_bytes") == 12
    assert found == answer(line)
    assert (exact["documents"], exact["bytes"]) == (2, 24)
    # A text may end within a token.
    assert 0 < exact["exact_bits_per_byte"] < exact["canonical_bits_per_byte"]
    assert exact["given_away_interval"][0] <= exact["given_away"] <= exact["given_away_interval"][1]
    printed = command(exactly)
    assert f"{exact['exact_bits_per_byte']:.4f}" in printed.stdout
