"""What the tests of training share: small texts, small runs, and what is left of them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.synthetic import MarkovSource
from scaling.data.build_text import build_text
from scaling.data.build_units import build_tokens
from scaling.data.shards import open_shards
from scaling.model.weights import WEIGHTS, read_tensors
from scaling.record import RECORD, RunRecord
from scaling.spec import Model, Patching, RunSpec, Training
from scaling.train.machine import MachineSettings
from scaling.train.metrics import METRICS
from scaling.train.progress import StopRequest
from scaling.train.run import train
from scaling.train.step import AskedStep, Stepper
from tests.conftest import ROOT
from tokenize_lab.tokenizer_spec import load_tokenizer

CPU = MachineSettings(device="cpu", threads=1)
# Of the machine, not of the result.
MACHINE_FIELDS = ("seconds", "device", "versions", "commit", "host")
SOURCE = MarkovSource(order=1, alphabet="abcdefgh", concentration=0.5, document_bytes=300)


def text_shards(folder: Path, texts: list[str], held_out_bytes: int) -> Path:
    """Return shards of the texts as documents of one language."""
    documents = [Document(text, "zxx") for text in texts]
    corpus = DocumentCorpus("planted", documents)
    return build_text([corpus], folder, held_out_bytes=held_out_bytes)


def small_shards(folder: Path) -> Path:
    """Return shards of 100 documents of 300 bytes, whose ends fall into most windows."""
    return text_shards(folder, SOURCE.texts(100), 3000)


def byte_tokens(text: Path, folder: Path) -> Path:
    """Return shards of the same text, a token for each byte."""
    return build_tokens(text, load_tokenizer("byte"), folder)


def blt_spec(shards: Path, steps: int = 12, rate: float = 4.0, **training: Any) -> RunSpec:
    """Return a run of a small byte latent transformer, of 4 windows of 64 bytes a step."""
    return RunSpec(
        model=Model(family="blt", layers=1, dim=16, local_layers=1, local_dim=16, cross_factor=1),
        patching=Patching(kind="static", compression_rate=rate),
        training=replace(Training(steps=steps, batch_bytes=256, learning_rate=3e-3), **training),
        shards=shards.name,
        compression_rate=rate,
        context_bytes=64,
        window_bytes=16,
    )


def subword_spec(shards: Path, steps: int = 12, **training: Any) -> RunSpec:
    """Return a run of a small transformer over bytes, of 4 windows of 64 a step."""
    model = Model(family="subword", layers=1, dim=16)
    blt = blt_spec(shards, steps, rate=1.0, **training)
    return replace(blt, model=model, patching=None, window_bytes=64)


def run(
    spec: RunSpec,
    shards: Path,
    folder: Path,
    machine: MachineSettings = CPU,
    stop: StopRequest | None = None,
) -> RunRecord:
    """Train in this process."""
    return train(spec, open_shards(shards), folder, machine, stop=stop)


def rows_tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that will hold, in order, how many rows were computed at once."""
    tried: list[int] = []
    whole = Stepper._gradients

    def counted(self: Stepper, step: int) -> AskedStep:
        tried.append(self.micro_rows)
        return whole(self, step)

    monkeypatch.setattr(Stepper, "_gradients", counted)
    return tried


def remains(folder: Path) -> tuple[bytes, list[dict[str, Any]], dict[str, Any]]:
    """Return weights, metrics and record of a run that has ended, less what is of the machine."""
    record = json.loads((folder / RECORD).read_text("utf-8"))
    for name in MACHINE_FIELDS:
        del record[name]
    return (folder / WEIGHTS).read_bytes(), metrics(folder), record


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics, less their seconds."""
    lines = (folder / METRICS).read_text("utf-8").splitlines()
    values = [json.loads(line) for line in lines]
    for value in values:
        del value["seconds"]
    return values


def close(run: Path, other: Path, tolerance: float) -> None:
    """Require the same loss of every step and final weights of runs that sum in another order.

    Losses are compared relatively: a batch's nats are one float32 sum, which is rounded by itself.
    """
    losses = [[line["nats_per_target"] for line in metrics(folder)] for folder in (run, other)]
    assert len(losses[0]) == len(losses[1]) > 0
    assert np.abs(np.array(losses[0]) / losses[1] - 1).max() < tolerance
    first, second = read_tensors(run / WEIGHTS)[0], read_tensors(other / WEIGHTS)[0]
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert float((tensor - second[name]).abs().max()) < tolerance, name


def python(*arguments: str, **environment: str) -> list[str]:
    """Return the command line of a Python whose torch keeps to one thread."""
    set_here = [f"{name}={value}" for name, value in environment.items()]
    return ["env", "OMP_NUM_THREADS=1", *set_here, sys.executable, *arguments]


def started(command: list[str]) -> "subprocess.Popen[str]":
    """Start a command in the project's folder."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(command: list[str], timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run a command in the project's folder to its end."""
    process = started(command)
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, out, err)
