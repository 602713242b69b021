"""`scaling train` from a file to a record, on the text that comes with the package."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from scaling.evaluate.trained_run import open_run
from scaling.prepare import ENTROPY_MODEL, TOKENIZER
from scaling.record import read_record
from tests.cli import command, mistake
from tests.scaling.train.runs import remains

BLT = 'family = "blt"\nlayers = 1\ndim = 16\nlocal_layers = 1\nlocal_dim = 16\ncross_factor = 1'
SUBWORD = 'family = "subword"\nlayers = 1\ndim = 16'
CPU = "--device cpu --threads 1"


def file_of(
    folder: Path,
    model: str = BLT,
    patching: str = 'kind = "static"\ncompression_rate = 4',
    data: str = "window_bytes = 16",
    training: str = "steps = 3\nbatch_bytes = 256",
    held_out: int = 1000,
) -> Path:
    """Write a specification over 48 English lines, 4,885 bytes."""
    path = folder / "spec.toml"
    tables = {
        "model": model,
        "patching": patching,
        "data": f'corpus = "embedded:eng_Latn"\nheld_out_bytes = {held_out}\ncontext_bytes = 64\n'
        + data,
        "training": training,
    }
    text = "".join(f"[{name}]\n{rows}\n" for name, rows in tables.items() if rows)
    path.write_text(text)
    return path


def trained(line: str, *more: str | Path) -> Any:
    """Run a command of `scaling` on one CPU; return its answer."""
    done = command(f"scaling {line}", *more, *CPU.split(), "--json")
    assert done.exit_code == 0, done.stderr
    # A slow machine is told how the run stands, and anyone of a model that is all vocabulary.
    told = done.stderr.splitlines()
    assert all(line.startswith(("step ", "scoring ", "a model of size ")) for line in told), told
    return done.json()


def byte_model(out: Path, train_bytes: int = 768) -> Any:
    """Train a byte model of entropy patches; return its answer."""
    sizes = f"--layers 1 --dim 16 --train-bytes {train_bytes} --context-bytes 64 --batch-bytes 256"
    corpus = "embedded:eng_Latn --held-out-bytes 1000"
    return trained(f"train-entropy-model {corpus} {sizes} --out {out}")


def ended_well(value: dict[str, Any], out: Path) -> Path:
    """Require a finished run of 3 steps; return its folder."""
    derived = value["derived"]
    assert derived["status"] == "finished" and value["steps"] == 3
    assert 3 < derived["bits_per_byte"] < 12
    assert value["validation_bytes"] >= 1000
    folder = Path(value["folder"])
    assert folder == out / "runs" / derived["run_id"]
    assert open_run(folder).spec.run_id == derived["run_id"]
    return folder


@pytest.mark.parametrize(
    "patching",
    ['kind = "static"\ncompression_rate = 3.5', 'kind = "space"'],
    ids=["static", "space"],
)
def test_patches_that_need_no_model(tmp_path: Path, patching: str) -> None:
    spec = file_of(tmp_path, patching=patching)
    value = trained(f"train {spec} --out {tmp_path}/out")
    folder = ended_well(value, tmp_path / "out")
    rate = value["spec"]["compression_rate"]
    assert rate == pytest.approx(64 / 19) if "static" in patching else 4 < rate < 8
    # Again: the same record, and nothing is written.
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()}
    assert trained(f"train {spec} --out {tmp_path}/out") == value
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()} == before
    text = command(f"scaling train {spec} --out {tmp_path}/out {CPU}").stdout
    assert f"{value['derived']['bits_per_byte']:.4f}" in text and str(folder) in text


def test_two_folders_hold_the_same_run(tmp_path: Path) -> None:
    spec = file_of(tmp_path)
    one, two = (
        Path(trained(f"train {spec} --out {tmp_path}/{name}")["folder"]) for name in ("one", "two")
    )
    assert one.name == two.name and remains(one) == remains(two)
    (shards,) = (tmp_path / "one" / "shards").iterdir()
    for path in shards.rglob("*.*"):
        other = tmp_path / "two" / "shards" / path.relative_to(tmp_path / "one" / "shards")
        assert path.is_dir() or path.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("kind", ["entropy", "entropy-monotonic"])
def test_patches_cut_by_a_model_of_their_own(tmp_path: Path, kind: str) -> None:
    made = byte_model(tmp_path / "out")
    read_by = ended_well(made, tmp_path / "out")
    patching = f'kind = "{kind}"\ncompression_rate = 3\nentropy_model = "{read_by}"'
    spec = file_of(tmp_path, patching=patching)
    value = trained(f"train {spec} --out {tmp_path}/out")
    folder = ended_well(value, tmp_path / "out")
    # A tie of entropies cuts many patches at once, so T is met as nearly as the text allows.
    assert value["spec"]["compression_rate"] == pytest.approx(3, rel=0.15)
    assert value["spec"]["patching"]["threshold"] > (0 if kind == "entropy" else -10)
    assert value["patching_flops"] > made["derived"]["compute_flops"] > 0
    # The byte model goes with the run.
    for path in read_by.iterdir():
        path.unlink()
    opened = open_run(folder)
    assert opened.byte_model is not None
    assert opened.byte_model.sha256 == value["spec"]["patching"]["entropy_model"]
    assert (folder / ENTROPY_MODEL).is_dir()


@pytest.mark.parametrize("name", ["byte", "mistral:v1"])
def test_tokenizers_by_name(tmp_path: Path, name: str) -> None:
    spec = file_of(tmp_path, SUBWORD, "", f'tokenizer = "{name}"')
    value = trained(f"train {spec} --out {tmp_path}/out")
    folder = ended_well(value, tmp_path / "out")
    assert (folder / TOKENIZER).read_text() == name + "\n"
    assert value["spec"]["model"]["vocabulary_size"] == (256 if name == "byte" else 32_000)
    rate = value["spec"]["compression_rate"]
    assert rate == 1 if name == "byte" else 3 < rate < 5
    held_out = value["validation_bytes"] / value["validation_tokens"]
    assert held_out == pytest.approx(rate, rel=0.2)


def test_a_tokenizer_of_ones_own(tmp_path: Path) -> None:
    from corpora.open import open_corpus
    from tokenize_lab.training.settings import TrainSettings
    from tokenize_lab.training.train import train_tokenizer

    corpus = open_corpus("embedded:eng_Latn")
    path = train_tokenizer(corpus, TrainSettings("bpe", 400), tmp_path / "own").path
    spec = file_of(tmp_path, SUBWORD, "", f'tokenizer = "own/{path.name}"')
    value = trained(f"train {spec} --out {tmp_path}/out")
    folder = ended_well(value, tmp_path / "out")
    content = path.read_bytes()
    path.unlink()
    opened = open_run(folder)
    assert opened.tokenizer is not None and opened.tokenizer.vocabulary_size <= 400
    assert (folder / path.name).read_bytes() == content


def test_prepared_for_a_bare_box(tmp_path: Path) -> None:
    spec, out = file_of(tmp_path), tmp_path / "an out"
    value = trained(f"train {spec} --prepare --out", out)
    folder, shards = Path(value["folder"]), Path(value["shards"])
    assert [path.name for path in folder.iterdir()] == ["spec.json"]
    assert value["shards"].endswith(json.loads((folder / "spec.json").read_text())["shards"])
    text = command(f"scaling train {spec} --prepare {CPU} --out", out).stdout
    words = shlex.split(text.splitlines()[-1])
    assert words[:3] == ["python", "-m", "scaling.train"]
    from scaling.train.__main__ import main

    assert main([*words[3:], *CPU.split()]) == 0
    assert read_record(folder) is not None and shards.is_dir()
    # The command that prepared it takes it for its own.
    assert trained(f"train {spec} --out", out)["status"] == "finished"


def test_a_bare_box_is_told_what_the_patches_cost(tmp_path: Path) -> None:
    made = byte_model(tmp_path / "out", train_bytes=256)
    patching = f'kind = "entropy"\ncompression_rate = 3\nentropy_model = "{made["folder"]}"'
    line = f"train {file_of(tmp_path, patching=patching)} --out {tmp_path}/out --prepare"
    value = trained(line)
    assert value["patching_flops"] > made["derived"]["compute_flops"] > 0
    words = shlex.split(command(f"scaling {line} {CPU}").stdout.splitlines()[-1])
    from scaling.train.__main__ import main

    assert main([*words[3:], *CPU.split()]) == 0
    record = read_record(Path(value["folder"]))
    assert record is not None and record.patching_flops == value["patching_flops"]


def test_names_and_numbers_past_all_bounds(tmp_path: Path) -> None:
    assert re.search("no such file|too long", mistake(f"scaling train {'a' * 300}"))
    for option in (f"--seed {1 << 63}", "--layers 1001", f"--dim {1 << 17}"):
        line = f"scaling train-entropy-model embedded {option} --out {tmp_path}"
        assert command(line).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_of_every_character_is_prepared_with_a_warning(tmp_path: Path) -> None:
    spec = file_of(tmp_path, SUBWORD, "", 'tokenizer = "character"')
    done = command(f"scaling train {spec} --out {tmp_path}/out --prepare --json {CPU}")
    assert done.json()["model"]["vocabulary_size"] == 0x110000
    warning = "little but vocabulary: 1,114,112 ids take 99.99 % of the parameters"
    assert done.stderr == f"a model of size [1, 16] is {warning}\n"


def test_too_little_text_for_a_batch(tmp_path: Path) -> None:
    spec = file_of(tmp_path, training="steps = 3\nbatch_bytes = 6400")
    message = mistake(f"scaling train {spec} --out {tmp_path}/out {CPU}")
    assert "too few for a batch of 100" in message


def test_more_held_out_than_there_is(tmp_path: Path) -> None:
    spec = file_of(tmp_path, held_out=1_000_000)
    assert "hold out less" in mistake(f"scaling train {spec} --out {tmp_path}/out {CPU}")


def test_no_such_device_shows_before_the_text_is_read(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    message = mistake(f"scaling train {file_of(tmp_path)} --out {tmp_path}/out --device cuda")
    assert "'cuda'" in message and "use the CPU" in message
    assert not (tmp_path / "out").exists()


def test_a_rate_out_of_reach_names_those_in_reach(tmp_path: Path) -> None:
    made = byte_model(tmp_path / "out")
    # Lines are short, so patches of at most 64 bytes cannot hold 63 on average.
    patching = f'kind = "entropy"\ncompression_rate = 63\nentropy_model = "{made["folder"]}"'
    spec = file_of(tmp_path, patching=patching)
    message = mistake(f"scaling train {spec} --out {tmp_path}/out {CPU}")
    assert "63" in message and re.search(r"1\.?\d* to \d\d\.\d", message), message


def test_shards_that_were_altered_or_cut(tmp_path: Path) -> None:
    spec = file_of(tmp_path)
    value = trained(f"train {spec} --out {tmp_path}/out --prepare")
    path = Path(value["shards"]) / "train" / "bytes.u8"
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert "has changed" in mistake(f"scaling train {spec} --out {tmp_path}/out {CPU}")
    path.write_bytes(whole[:-1])
    assert "should be" in mistake(f"scaling train {spec} --out {tmp_path}/out {CPU}")
    path.write_bytes(whole)
    assert trained(f"train {spec} --out {tmp_path}/out")["status"] == "finished"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = f"scaling train {file_of(tmp_path)} --out {tmp_path}/file/out {CPU}"
    assert "file" in mistake(line)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    message = mistake(f"scaling train {file_of(tmp_path)} --out {tmp_path}/closed/out {CPU}")
    assert "cannot be written" in message


def test_a_run_that_diverges_ends_with_one(tmp_path: Path) -> None:
    # The largest rate a file may ask for, on weights that no decay holds back.
    training = "steps = 260\nbatch_bytes = 256\nlearning_rate = 1.0\nclip = 1e6\nbeta2 = 0.0"
    spec = file_of(tmp_path, SUBWORD, "", 'tokenizer = "byte"', training + "\nwarmup = 0.0")
    result = command(f"scaling train {spec} --out {tmp_path}/out {CPU} --json")
    assert result.exit_code == 1
    value = result.json()
    assert value["status"] == "diverged" and value["reason"]
    assert value["derived"]["bits_per_byte"] is None
    again = command(f"scaling train {spec} --out {tmp_path}/out {CPU}")
    assert again.exit_code == 1 and "diverged" in again.stdout and "none" in again.stdout


def test_a_missing_entropy_model_says_how_to_make_one(tmp_path: Path) -> None:
    patching = 'kind = "entropy"\ncompression_rate = 3\nentropy_model = "nowhere"'
    spec = file_of(tmp_path, patching=patching)
    message = mistake(f"scaling train {spec} --out {tmp_path}/out {CPU}")
    assert "nowhere" in message and "train-entropy-model" in message
