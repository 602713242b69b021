"""Folders of runs with random weights: what training would leave, without training."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch

from scaling.model.byte_model import open_byte_model
from scaling.model.weights import WEIGHTS, build_model, write_tensors
from scaling.record import write_spec
from scaling.spec import Model, Patching, RunSpec, Training
from tokenize_lab.tokenizer_spec import load_tokenizer

CONTEXT = 64

TRAINING = Training(steps=1, batch_bytes=CONTEXT, learning_rate=1e-3)
BLT = RunSpec(
    model=Model(family="blt", layers=2, dim=32, local_layers=1, local_dim=16, cross_factor=2),
    patching=Patching(kind="static", compression_rate=3.0),
    training=TRAINING,
    shards="planted",
    compression_rate=3.0,
    context_bytes=CONTEXT,
    window_bytes=16,
)


def write_run(folder: Path, spec: RunSpec, *, confident: bool = False) -> RunSpec:
    """Write a run's specification and random weights."""
    model = build_model(spec)
    if confident:  # so that entropies differ from byte to byte
        with torch.no_grad():
            model.head.mul_(6)
    write_spec(folder, spec)
    write_tensors(folder / WEIGHTS, dict(model.named_parameters()), {"run_id": spec.run_id})
    return spec


def latent_run(folder: Path, kind: str = "static") -> RunSpec:
    """Write a byte latent run that cuts patches by `kind`; of entropy, with its byte model."""
    if kind == "static":
        return write_run(folder, BLT)
    if kind == "space":
        return write_run(folder, replace(BLT, patching=Patching(kind="space", most_bytes=9)))
    byte_model = folder / "entropy_model"
    subword_run(byte_model, "byte", confident=True)
    patching = Patching(
        kind=kind,  # type: ignore[arg-type]
        compression_rate=3.0,
        most_bytes=9,
        threshold=3.0 if kind == "entropy" else 0.0,
        entropy_model=open_byte_model(byte_model).sha256,
    )
    return write_run(folder, replace(BLT, patching=patching))


def subword_run(
    folder: Path, tokenizer: str, file: Path | None = None, *, confident: bool = False
) -> RunSpec:
    """Write a subword run; `file` is copied into the folder, and `tokenizer` names it there."""
    folder.mkdir(parents=True, exist_ok=True)
    if file is not None:
        shutil.copyfile(file, folder / tokenizer)
    (folder / "tokenizer.txt").write_text(tokenizer + "\n")
    loaded = load_tokenizer(str(folder / tokenizer) if file is not None else tokenizer)
    rate = 1.0 if tokenizer == "byte" else 3.5
    size = loaded.vocabulary_size
    spec = replace(
        BLT,
        model=Model(family="subword", layers=1, dim=16, vocabulary_size=size),
        patching=None,
        compression_rate=rate,
        tokenizer=loaded.sha256,
    )
    return write_run(folder, spec, confident=confident)
