"""The small byte model whose uncertainty cuts patches, and the entropies it finds.

The byte model sees a limited context. A document is read in overlapping
blocks, so that every byte but the document's first ones has at least a quarter of the context
before it; blocks are counted from the document's start, so an entropy depends on nothing but the
document's bytes before it, and text that is still being written has the same ones.
"""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corpora.errors import InputError
from scaling.flops import BYTE_VOCABULARY, forward_flops_per_byte
from scaling.model.cross_attention import Tokens
from scaling.model.stored import stored_weights
from scaling.model.transformer import SubwordTransformer
from scaling.model.weights import WEIGHTS, build_model, load_weights, weights_sha256
from scaling.record import RECORD, SPEC, read_record, read_spec
from scaling.spec import RunSpec

REREAD = 4  # a block begins this fraction of the context before the bytes it is read for
_MOST_LOGITS = {"cpu": 1 << 22, "cuda": 1 << 27}  # at a time: 16 MB, or half a GB
# Blocks are filled up to a multiple of so many bytes: a GPU takes a few large batches faster.
_LENGTHS = {"cpu": 1, "cuda": 64}


class EntropyBlock(NamedTuple):
    """Bytes begin .. end of a document are read together for the sake of wanted .. end."""

    begin: int
    wanted: int
    end: int


def blocks(size: int, context: int) -> Iterator[EntropyBlock]:
    """Yield the blocks of a document of `size` bytes."""
    back = context // REREAD
    wanted = 0
    while wanted < size:
        begin = max(0, wanted - back)
        yield EntropyBlock(begin, wanted, min(begin + context, size))
        wanted = begin + context


def block_begin(index: int, context: int) -> int:
    """Return where the block begins that byte `index` of a document is read in."""
    if index < context:
        return 0
    stride = context - context // REREAD
    return stride * ((index - context) // stride + 1)


def entropies_of_documents(
    model: SubwordTransformer,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    context: int,
    device: torch.device,
    advance: Callable[[int], object] | None = None,
) -> NDArray[np.float32]:
    """Return the entropy, in bits, of the model's distribution of every byte: [bytes].

    Args:
        model: over bytes, on `device`.
        data: [bytes] documents, one after the other. offsets: [documents + 1] where they begin.
        context: bytes the model was trained to see at once.
        advance: called with the bytes that have been done.
    """
    assert model.shape.vocabulary_size == 256, "entropies are those of a byte model"
    out = np.zeros(len(data), np.float32)
    todo = [
        EntropyBlock(begin + block.begin, begin + block.wanted, begin + block.end)
        for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        for block in blocks(end - begin, context)
    ]
    # Blocks of equal length are read together; what fills one up comes after all that is wanted.
    multiple = _LENGTHS[device.type]

    def length(block: EntropyBlock) -> int:
        return -(-(block.end - block.begin) // multiple) * multiple

    todo.sort(key=lambda block: (length(block), block.begin))
    at_once = max(1, _MOST_LOGITS[device.type] // (256 * context))
    model.eval()
    with torch.inference_mode():
        for group in _groups(todo, at_once, length):
            rows = np.zeros((len(group), length(group[0])), np.int64)
            for row, block in zip(rows, group, strict=True):
                row[: block.end - block.begin] = data[block.begin : block.end]
            inputs = np.concatenate([np.full((len(rows), 1), 256), rows[:, :-1]], axis=1)
            logits = model(Tokens(torch.from_numpy(inputs).to(device), None))
            values = entropy_bits(logits).cpu().numpy()
            for block, row in zip(group, values, strict=True):
                out[block.wanted : block.end] = row[
                    block.wanted - block.begin : block.end - block.begin
                ]
            if advance is not None:
                advance(sum(block.end - block.wanted for block in group))
    return out


def entropy_bits(logits: Tensor) -> Tensor:
    """Return the entropy in bits of distributions given by logits [..., V]."""
    logs = logits.float().log_softmax(dim=-1)
    return -(logs.exp() * logs).sum(dim=-1) / math.log(2)


def _groups(
    todo: list[EntropyBlock], at_once: int, length: Callable[[EntropyBlock], int]
) -> Iterator[list[EntropyBlock]]:
    for _, blocks_of_length in groupby(todo, length):
        while group := list(islice(blocks_of_length, at_once)):
            yield group


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
        once = forward_flops_per_byte(self.spec.model.shape, self.spec.cost_context)
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
    if spec.model.family != "subword" or spec.model.vocabulary_size != BYTE_VOCABULARY:
        raise InputError(
            f"{folder}: its model is a {spec.model.family} of {spec.model.vocabulary_size:,} ids;"
            " patches are cut by a subword model over the tokenizer byte"
        )
    tensors = stored_weights(folder, spec)
    model = build_model(spec)
    assert isinstance(model, SubwordTransformer)
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
