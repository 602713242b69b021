"""How hard every byte of a text is to guess: what entropy patches are cut by.

The byte model sees a limited context, and begins afresh in it. A document is read in overlapping
blocks, so that every byte but the document's first ones has at least a quarter of the context
before it; blocks are counted from the document's start, so an entropy depends on nothing but the
document's bytes before it, and text that is still being written has the same ones.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.model.inputs import Tokens
from scaling.model.transformer import SubwordTransformer

REREAD = 4  # a block begins this fraction of the context before the bytes it is read for
_MOST_LOGITS = 1 << 22  # at a time: 16 MB


class Block(NamedTuple):
    """Bytes begin .. end of a document are read together for the sake of wanted .. end."""

    begin: int
    wanted: int
    end: int


def blocks(size: int, context: int) -> Iterator[Block]:
    """Yield the blocks of a document of `size` bytes."""
    back = context // REREAD
    wanted = 0
    while wanted < size:
        begin = max(0, wanted - back)
        yield Block(begin, wanted, min(begin + context, size))
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
        Block(begin + block.begin, begin + block.wanted, begin + block.end)
        for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        for block in blocks(end - begin, context)
    ]
    # Blocks of equal length are read together: no padding, so no block depends on another.
    todo.sort(key=lambda block: (block.end - block.begin, block.begin))
    at_once = max(1, _MOST_LOGITS // (256 * context))
    model.eval()
    with torch.inference_mode():
        for group in _groups(todo, at_once):
            rows = np.stack([data[block.begin : block.end] for block in group]).astype(np.int64)
            inputs = np.concatenate([np.full((len(rows), 1), 256), rows[:, :-1]], axis=1)
            logits = model(Tokens(torch.from_numpy(inputs).to(device), None))
            values = entropy_bits(logits).cpu().numpy()
            for block, row in zip(group, values, strict=True):
                out[block.wanted : block.end] = row[block.wanted - block.begin :]
            if advance is not None:
                advance(sum(block.end - block.wanted for block in group))
    return out


def entropy_bits(logits: Tensor) -> Tensor:
    """Return the entropy in bits of distributions given by logits [..., V]."""
    logs = logits.float().log_softmax(dim=-1)
    return -(logs.exp() * logs).sum(dim=-1) / math.log(2)


def _groups(todo: list[Block], at_once: int) -> Iterator[list[Block]]:
    group: list[Block] = []
    for block in todo:
        if group and (
            len(group) == at_once or block.end - block.begin != group[0].end - group[0].begin
        ):
            yield group
            group = []
        group.append(block)
    if group:
        yield group
