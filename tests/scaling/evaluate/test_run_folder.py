"""A run's folder may be anyone's: nothing in it is believed before it has been compared."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.evaluate.trained_run import open_run
from scaling.model.byte_model import open_byte_model
from scaling.model.weights import WEIGHTS, write_tensors
from scaling.spec import Model, RunSpec
from tests.scaling.evaluate.runs import BLT, latent_run, subword_run, write_run
from tests.scaling.train.runs import blt_spec, run, small_shards
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bpe")
    train_tokenizer(open_corpus("embedded"), TrainSettings("bpe", 300), out)
    return out / "tokenizer.json"


def refused(folder: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_run(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_come_back(tmp_path: Path) -> None:
    latent_run(tmp_path)
    again = tmp_path / "again"
    latent_run(again)
    first, second = open_run(tmp_path).model, open_run(again).model
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


def test_no_run(tmp_path: Path) -> None:
    refused(tmp_path / "absent", "name a run's folder")
    refused(tmp_path, "name a run's folder")


def test_a_run_that_has_not_finished(tmp_path: Path) -> None:
    latent_run(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    refused(tmp_path, "not finished")


def test_a_finished_run_that_lost_its_weights(tmp_path: Path) -> None:
    # Told to train it, one would get the old record from `train`, and no weights.
    shards = small_shards(tmp_path / "shards")
    record = run(blt_spec(shards, 2), shards, tmp_path / "run")
    assert record.status == "finished"
    (tmp_path / "run" / WEIGHTS).unlink()
    refused(tmp_path / "run", "delete record.json there")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\x80\x04\x95 a pickle" + data,
        lambda data: b"\xff" * 8 + data[8:],  # a header longer than the file
        lambda data: data[:8] + b"x" + data[9:],
    ],
)
def test_weights_that_are_torn_or_hostile(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    latent_run(tmp_path)
    path = tmp_path / WEIGHTS
    path.write_bytes(damage(path.read_bytes()))
    refused(tmp_path, "cannot be read as safetensors")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _claimed(path: Path) -> None:
    """Write a file that holds, as it says, one tensor of a terabyte."""
    size = (1 << 40) - (1 << 20)
    fields = {"norm.gain": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    text = json.dumps(fields).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + size)


def _many(path: Path) -> None:
    one = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    text = json.dumps({f"t{number}": one for number in range(200_000)}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_pipe, "a pipe or a device; delete it and train again"),
        (_circle, "leads back here"),
        (_sparse, "too many for a model of"),
        (_claimed, "too many for a model of"),
        (_many, "a header of "),
        (Path.mkdir, "a folder; delete it and train again"),
    ],
)
def test_weights_that_are_no_file_or_claim_to_be_a_large_one(
    tmp_path: Path, write: Callable[[Path], None], message: str
) -> None:
    latent_run(tmp_path, "entropy")
    for folder in (tmp_path / "entropy_model", tmp_path):
        (folder / WEIGHTS).unlink()
        write(folder / WEIGHTS)
        if folder != tmp_path:
            with pytest.raises(InputError, match=message):
                open_byte_model(folder)
    refused(tmp_path, message)


def test_weights_of_another_model(tmp_path: Path) -> None:
    latent_run(tmp_path / "one")
    write_run(tmp_path / "two", replace(BLT, model=replace(BLT.model, dim=64)))
    shutil.copyfile(tmp_path / "two" / WEIGHTS, tmp_path / "one" / WEIGHTS)
    refused(tmp_path / "one", "another model's weights")


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    latent_run(tmp_path)
    weights = dict(open_run(tmp_path).model.named_parameters())
    spoilt = {**weights, "norm.gain": torch.full_like(weights["norm.gain"], torch.nan)}
    write_tensors(tmp_path / WEIGHTS, spoilt, {})
    refused(tmp_path, "norm.gain holds numbers that are not finite")


def _rewrite(folder: Path, change: Callable[[RunSpec], RunSpec]) -> None:
    """Write another specification, its identity in order, beside the same weights."""
    path = folder / "spec.json"
    spec = change(RunSpec.from_json(json.loads(path.read_text())))
    path.write_text(json.dumps(spec.to_json()))


def _model(**changes: Any) -> Callable[[RunSpec], RunSpec]:
    return lambda spec: replace(spec, model=replace(spec.model, **changes))


def _patching(**changes: Any) -> Callable[[RunSpec], RunSpec]:
    def change(spec: RunSpec) -> RunSpec:
        assert spec.patching is not None
        return replace(spec, patching=replace(spec.patching, **changes))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_model(dim=1 << 20), "too few for a model of"),
        (_model(layers=10**12), "layers is 1000000000000"),
        (_model(dim="32"), "'model.dim' is not a whole number"),
        (_model(layers=True), "'model.layers' is not a whole number"),
        (_model(local_dim=-16), "'model.local_dim' is not a whole number"),
        (_model(heads=0), "heads is 0"),
        (_model(heads=5), "5 heads do not split 32"),
        (_model(family="mamba"), "'model.family' is not one of blt, subword"),
        (lambda spec: replace(spec, patching=None), "without patching"),
        (lambda spec: replace(spec, context_bytes=0), "context_bytes is 0"),
        (lambda spec: replace(spec, compression_rate=-1.0), "compression_rate is -1"),
        (lambda spec: replace(spec, seed="x"), "'seed' is not a whole number"),
        (_patching(kind="bpe"), "'patching.kind' is not one of"),
        (_patching(compression_rate=0.5), r"compression_rate is 0\.5"),
        (_patching(compression_rate=None), "compression_rate is None"),
        (_patching(most_bytes=0), "most_bytes is 0"),
        (_patching(kind="entropy"), "threshold is missing"),
    ],
)
def test_specifications_that_no_run_has(
    tmp_path: Path, change: Callable[[RunSpec], RunSpec], message: str
) -> None:
    latent_run(tmp_path)
    _rewrite(tmp_path, change)
    refused(tmp_path, message)


def test_a_specification_that_was_altered(tmp_path: Path) -> None:
    latent_run(tmp_path)
    path = tmp_path / "spec.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    refused(tmp_path, "run_id")
    for text in ("[1, 2", "[]", path.read_text().replace("3.0", "NaN"), "{}"):
        path.write_text(text)
        refused(tmp_path, "not a run's specification|cannot be read")


def test_a_tokenizer_of_its_own(tmp_path: Path, bpe: Path) -> None:
    subword_run(tmp_path, "tokenizer.json", bpe)
    opened = open_run(tmp_path)
    assert opened.tokenizer is not None
    assert opened.tokenizer.vocabulary_size == opened.spec.model.vocabulary_size
    moved = tmp_path.parent / "moved"
    tmp_path.rename(moved)
    assert open_run(moved).tokenizer is not None


def test_a_tokenizer_that_has_changed(tmp_path: Path, bpe: Path) -> None:
    subword_run(tmp_path, "tokenizer.json", bpe)
    (tmp_path / "tokenizer.txt").write_text("byte\n")
    refused(tmp_path, "has changed since")
    (tmp_path / "tokenizer.txt").unlink()
    refused(tmp_path, "there is no such file")
    (tmp_path / "tokenizer.txt").write_bytes(b"\xff\xfe")
    refused(tmp_path, "cannot be read")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../tokenizer.json",
        "hf:../tokenizer.json",
        "hf:gpt2",
        "sub/t.json",
        "absent.json",
        "tokenizer.json\nbyte",
        "link.json",
        "hf:",
        "/etc/hostname",
    ],
)
def test_no_tokenizer_outside_the_folder(tmp_path: Path, bpe: Path, name: str) -> None:
    folder = tmp_path / "run"
    subword_run(folder, "tokenizer.json", bpe)
    shutil.copyfile(bpe, tmp_path / "tokenizer.json")
    (folder / "sub").mkdir()
    shutil.copyfile(bpe, folder / "sub" / "t.json")
    (folder / "link.json").symlink_to(tmp_path / "tokenizer.json")
    (folder / "tokenizer.txt").write_text(name)
    refused(folder, "neither a tokenizer's name nor a file in the run's folder")


def test_a_vocabulary_of_another_size(tmp_path: Path, bpe: Path) -> None:
    spec = subword_run(tmp_path, "tokenizer.json", bpe)
    smaller = replace(spec, model=Model(family="subword", layers=1, dim=16, vocabulary_size=299))
    (tmp_path / "spec.json").unlink()
    write_run(tmp_path, smaller)
    refused(tmp_path, "ids, where the model has 299")


def test_an_entropy_model_that_has_changed(tmp_path: Path) -> None:
    latent_run(tmp_path, "entropy")
    own = tmp_path / "entropy_model"
    weights = dict(open_run(tmp_path).byte_model.model.named_parameters())  # type: ignore[union-attr]
    write_tensors(own / WEIGHTS, {**weights, "head": weights["head"] + 1}, {})
    refused(tmp_path, "entropy model has changed")
    shutil.rmtree(own)
    refused(tmp_path, "no such folder")
    latent_run(own)
    refused(tmp_path, "patches are cut by a subword model")


def test_an_entropy_model_too_large_for_its_weights(tmp_path: Path) -> None:
    latent_run(tmp_path, "entropy")
    own = tmp_path / "entropy_model"
    _rewrite(own, _model(dim=1 << 20))
    refused(tmp_path, "too few for a model of")
    with pytest.raises(InputError, match="too few for a model of"):  # as `train` opens it
        open_byte_model(own)


def test_a_name_of_a_tokenizer_that_is_a_pipe_or_has_no_end(tmp_path: Path) -> None:
    subword_run(tmp_path, "byte")
    name = tmp_path / "tokenizer.txt"
    for write, message in (
        (_pipe, "a pipe"),
        (_circle, "no such file"),
        (_sparse, "more than 1 MiB"),
    ):
        name.unlink()
        write(name)
        refused(tmp_path, message)
