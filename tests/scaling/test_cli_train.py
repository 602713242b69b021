"""`scaling train` from a file to a record, on the text that comes with the package."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from corpora.errors import InputError
from scaling.cli.app import app
from scaling.evaluate.trained_run import open_run
from scaling.prepare import ENTROPY_MODEL, TOKENIZER
from scaling.record import read_record
from tests.scaling.train.runs import remains

RUNNER = CliRunner()
BLT = 'family = "blt"\nlayers = 1\ndim = 16\nlocal_layers = 1\nlocal_dim = 16\ncross_factor = 1'
SUBWORD = 'family = "subword"\nlayers = 1\ndim = 16'
HOW = ("--device", "cpu", "--threads", "1")


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


def invoked(*words: str | Path) -> Result:
    return RUNNER.invoke(app, [str(word) for word in words], catch_exceptions=False)


def refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is not strict JSON")


def answer(command: str, *words: str | Path) -> Any:
    result = invoked(command, *words, *HOW, "--json")
    assert result.exit_code == 0, result.stderr
    # A slow machine is told how the run stands.
    told = result.stderr.splitlines()
    assert all(line.startswith(("step ", "scoring ")) for line in told), told
    return json.loads(result.stdout, parse_constant=refuse)


def mistake(command: str, *words: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        invoked(command, *words)
    message = str(caught.value)
    assert "\n" not in message
    return message


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
    value = answer("train", spec, "--out", tmp_path / "out")
    folder = ended_well(value, tmp_path / "out")
    rate = value["spec"]["compression_rate"]
    assert rate == pytest.approx(64 / 19) if "static" in patching else 4 < rate < 8
    # Again: the same record, and nothing is written.
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()}
    assert answer("train", spec, "--out", tmp_path / "out") == value
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()} == before
    text = invoked("train", spec, "--out", tmp_path / "out", *HOW).stdout
    assert f"{value['derived']['bits_per_byte']:.4f}" in text and str(folder) in text


def test_two_folders_hold_the_same_run(tmp_path: Path) -> None:
    spec = file_of(tmp_path)
    one, two = (
        Path(answer("train", spec, "--out", tmp_path / name)["folder"]) for name in ("one", "two")
    )
    assert one.name == two.name and remains(one) == remains(two)
    (shards,) = (tmp_path / "one" / "shards").iterdir()
    for path in shards.rglob("*.*"):
        other = tmp_path / "two" / "shards" / path.relative_to(tmp_path / "one" / "shards")
        assert path.is_dir() or path.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("kind", ["entropy", "entropy-monotonic"])
def test_patches_cut_by_a_model_of_their_own(tmp_path: Path, kind: str) -> None:
    sizes = ("--layers", "1", "--dim", "16", "--train-bytes", "768", "--context-bytes", "64")
    more = ("--batch-bytes", "256", "--held-out-bytes", "1000", "--out", tmp_path / "out")
    made = answer("train-entropy-model", "embedded:eng_Latn", *sizes, *more)
    byte_model = ended_well(made, tmp_path / "out")
    patching = f'kind = "{kind}"\ncompression_rate = 3\nentropy_model = "{byte_model}"'
    spec = file_of(tmp_path, patching=patching)
    value = answer("train", spec, "--out", tmp_path / "out")
    folder = ended_well(value, tmp_path / "out")
    # A tie of entropies cuts many patches at once, so T is met as nearly as the text allows.
    assert value["spec"]["compression_rate"] == pytest.approx(3, rel=0.15)
    assert value["spec"]["patching"]["threshold"] > (0 if kind == "entropy" else -10)
    assert value["patching_flops"] > made["derived"]["compute_flops"] > 0
    # The byte model goes with the run.
    for path in byte_model.iterdir():
        path.unlink()
    opened = open_run(folder)
    assert opened.byte_model is not None
    assert opened.byte_model.sha256 == value["spec"]["patching"]["entropy_model"]
    assert (folder / ENTROPY_MODEL).is_dir()


@pytest.mark.parametrize("name", ["byte", "mistral:v1"])
def test_tokenizers_by_name(tmp_path: Path, name: str) -> None:
    spec = file_of(tmp_path, SUBWORD, "", f'tokenizer = "{name}"')
    value = answer("train", spec, "--out", tmp_path / "out")
    folder = ended_well(value, tmp_path / "out")
    assert (folder / TOKENIZER).read_text() == name + "\n"
    assert value["spec"]["model"]["vocabulary_size"] == (256 if name == "byte" else 32_000)
    rate = value["spec"]["compression_rate"]
    assert rate == 1 if name == "byte" else 3 < rate < 5
    held_out = value["validation_bytes"] / value["validation_tokens"]
    assert held_out == pytest.approx(rate, rel=0.2)


def test_a_tokenizer_of_ones_own(tmp_path: Path) -> None:
    from corpora.open import open_corpus
    from tokenize_lab.train.settings import TrainSettings
    from tokenize_lab.train.train import train_tokenizer

    corpus = open_corpus("embedded:eng_Latn")
    path = train_tokenizer(corpus, TrainSettings("bpe", 400), tmp_path / "own").path
    spec = file_of(tmp_path, SUBWORD, "", f'tokenizer = "own/{path.name}"')
    value = answer("train", spec, "--out", tmp_path / "out")
    folder = ended_well(value, tmp_path / "out")
    content = path.read_bytes()
    path.unlink()
    opened = open_run(folder)
    assert opened.tokenizer is not None and opened.tokenizer.vocabulary_size <= 400
    assert (folder / path.name).read_bytes() == content


def test_prepared_for_a_bare_box(tmp_path: Path) -> None:
    spec, out = file_of(tmp_path), tmp_path / "an out"
    value = answer("train", spec, "--out", out, "--prepare")
    folder, shards = Path(value["folder"]), Path(value["shards"])
    assert [path.name for path in folder.iterdir()] == ["spec.json"]
    assert value["shards"].endswith(json.loads((folder / "spec.json").read_text())["shards"])
    text = invoked("train", spec, "--out", out, "--prepare", *HOW).stdout
    command = shlex.split(text.splitlines()[-1])
    assert command[:3] == ["python", "-m", "scaling.train"]
    from scaling.train.__main__ import main

    assert main([*command[3:], *HOW]) == 0
    assert read_record(folder) is not None and shards.is_dir()
    # The command that prepared it takes it for its own.
    assert answer("train", spec, "--out", out)["status"] == "finished"


def test_a_bare_box_is_told_what_the_patches_cost(tmp_path: Path) -> None:
    sizes = ("--layers", "1", "--dim", "16", "--train-bytes", "256", "--context-bytes", "64")
    more = ("--batch-bytes", "256", "--held-out-bytes", "1000", "--out", tmp_path / "out")
    made = answer("train-entropy-model", "embedded:eng_Latn", *sizes, *more)
    patching = f'kind = "entropy"\ncompression_rate = 3\nentropy_model = "{made["folder"]}"'
    words = ("train", file_of(tmp_path, patching=patching), "--out", tmp_path / "out")
    value = answer(*words, "--prepare")
    assert value["patching_flops"] > made["derived"]["compute_flops"] > 0
    command = shlex.split(invoked(*words, "--prepare", *HOW).stdout.splitlines()[-1])
    from scaling.train.__main__ import main

    assert main([*command[3:], *HOW]) == 0
    record = read_record(Path(value["folder"]))
    assert record is not None and record.patching_flops == value["patching_flops"]


def test_names_and_numbers_past_all_bounds(tmp_path: Path) -> None:
    assert re.search("no such file|too long", mistake("train", "a" * 300))
    for option, size in (("--seed", 1 << 63), ("--layers", 1001), ("--dim", 1 << 17)):
        words = ("train-entropy-model", "embedded", option, str(size), "--out", tmp_path)
        assert invoked(*words).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_of_every_character_is_prepared(tmp_path: Path) -> None:
    spec = file_of(tmp_path, SUBWORD, "", 'tokenizer = "character"')
    value = answer("train", spec, "--out", tmp_path / "out", "--prepare")
    assert value["model"]["vocabulary_size"] == 0x110000


def test_too_little_text_for_a_batch(tmp_path: Path) -> None:
    spec = file_of(tmp_path, training="steps = 3\nbatch_bytes = 6400")
    message = mistake("train", spec, "--out", tmp_path / "out", *HOW)
    assert "too few for a batch of 100" in message


def test_more_held_out_than_there_is(tmp_path: Path) -> None:
    spec = file_of(tmp_path, held_out=1_000_000)
    assert "hold out less" in mistake("train", spec, "--out", tmp_path / "out", *HOW)


def test_no_such_device_shows_before_the_text_is_read(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    message = mistake("train", file_of(tmp_path), "--out", tmp_path / "out", "--device", "cuda")
    assert "'cuda'" in message and "use the CPU" in message
    assert not (tmp_path / "out").exists()


def test_a_rate_out_of_reach_names_those_in_reach(tmp_path: Path) -> None:
    sizes = ("--layers", "1", "--dim", "16", "--train-bytes", "768", "--context-bytes", "64")
    more = ("--batch-bytes", "256", "--held-out-bytes", "1000", "--out", tmp_path / "out")
    made = answer("train-entropy-model", "embedded:eng_Latn", *sizes, *more)
    # Lines are short, so patches of at most 64 bytes cannot hold 63 on average.
    patching = f'kind = "entropy"\ncompression_rate = 63\nentropy_model = "{made["folder"]}"'
    spec = file_of(tmp_path, patching=patching)
    message = mistake("train", spec, "--out", tmp_path / "out", *HOW)
    assert "63" in message and re.search(r"1\.?\d* to \d\d\.\d", message), message


def test_shards_that_were_altered_or_cut(tmp_path: Path) -> None:
    spec = file_of(tmp_path)
    value = answer("train", spec, "--out", tmp_path / "out", "--prepare")
    path = Path(value["shards"]) / "train" / "bytes.u8"
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert "has changed" in mistake("train", spec, "--out", tmp_path / "out", *HOW)
    path.write_bytes(whole[:-1])
    assert "should be" in mistake("train", spec, "--out", tmp_path / "out", *HOW)
    path.write_bytes(whole)
    assert answer("train", spec, "--out", tmp_path / "out")["status"] == "finished"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in mistake("train", file_of(tmp_path), "--out", tmp_path / "file" / "out", *HOW)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    message = mistake("train", file_of(tmp_path), "--out", tmp_path / "closed" / "out", *HOW)
    assert "cannot be written" in message


def test_a_run_that_diverges_ends_with_one(tmp_path: Path) -> None:
    # The largest rate a file may ask for, on weights that no decay holds back.
    training = "steps = 260\nbatch_bytes = 256\nlearning_rate = 1.0\nclip = 1e6\nbeta2 = 0.0"
    spec = file_of(tmp_path, SUBWORD, "", 'tokenizer = "byte"', training + "\nwarmup = 0.0")
    result = invoked("train", spec, "--out", tmp_path / "out", *HOW, "--json")
    assert result.exit_code == 1
    value = json.loads(result.stdout, parse_constant=refuse)
    assert value["status"] == "diverged" and value["reason"]
    assert value["derived"]["bits_per_byte"] is None
    again = invoked("train", spec, "--out", tmp_path / "out", *HOW)
    assert again.exit_code == 1 and "diverged" in again.stdout and "none" in again.stdout


def test_a_missing_entropy_model_says_how_to_make_one(tmp_path: Path) -> None:
    patching = 'kind = "entropy"\ncompression_rate = 3\nentropy_model = "nowhere"'
    spec = file_of(tmp_path, patching=patching)
    message = mistake("train", spec, "--out", tmp_path / "out", *HOW)
    assert "nowhere" in message and "train-entropy-model" in message
