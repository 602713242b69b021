"""The small byte model whose uncertainty cuts patches: a run's folder, opened."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.flops import BYTE_VOCABULARY, forward_flops_per_byte
from scaling.model.build import build_model
from scaling.model.entropies import REREAD, entropies_of_documents
from scaling.model.transformer import SubwordTransformer
from scaling.model.weights import WEIGHTS, load_weights, read_tensors, weights_sha256
from scaling.record import RECORD, read_record
from scaling.spec import RunSpec
from scaling.spec_json import SPEC, read_spec


@dataclass(frozen=True)
class ByteModel:
    """A trained model over bytes.

    Attributes:
        spec: its run. model: its weights, loaded.
        sha256: of the weights.
        training_flops: what training it cost, by the `full` convention; 0 where unrecorded.
    """

    spec: RunSpec
    model: SubwordTransformer
    sha256: str
    training_flops: float

    @property
    def reading_flops(self) -> float:
        """FLOPs per byte of finding entropies, what is read twice counted twice."""
        once = forward_flops_per_byte(self.spec.model.shape, self.spec.setting)
        return once * REREAD / (REREAD - 1)

    def entropies(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the entropy of every byte in bits; see `entropies_of_documents`."""
        device = next(self.model.parameters()).device
        return entropies_of_documents(self.model, data, offsets, self.spec.context_bytes, device)


def open_byte_model(folder: Path, device: torch.device | None = None) -> ByteModel:
    """Open the folder of a run that trained a model over bytes.

    Raises:
        InputError: it is no such folder, or its weights are not the specification's.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no such folder; train a byte model first: tokenize-lab scaling"
            f" train-entropy-model CORPUS --out {folder}"
        )
    spec = read_spec(folder / SPEC)
    model = build_model(spec)
    if not isinstance(model, SubwordTransformer) or spec.model.vocabulary_size != BYTE_VOCABULARY:
        raise InputError(
            f"{folder}: its model is a {spec.model.family} of {spec.model.vocabulary_size:,} ids;"
            " patches are cut by a subword model over the tokenizer byte"
        )
    tensors, _ = read_tensors(folder / WEIGHTS)
    load_weights(model, tensors, folder / WEIGHTS)
    record = read_record(folder)
    flops = record.flops["full"] if record is not None else 0.0
    return ByteModel(spec, model.to(device or torch.device("cpu")), weights_sha256(model), flops)


def copy_byte_model(source: Path, target: Path) -> None:
    """Copy a byte model's files into another run's folder."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (SPEC, WEIGHTS, RECORD):
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
