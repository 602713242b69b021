"""Parts of batches as models read them, made ahead: while a device computes, a thread reads the
rows that come next, lays out their patches and brings them there.

To a GPU they go from pinned memory on a stream of their own, so that neither the host nor the
stream that computes waits for them. What is made does not depend on when, or by whom.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scaling.data.windows import TokenBatch
from scaling.model.cross_attention import PatchedBytes, Tokens
from scaling.model.diffusion import BlockInputs, MaskedBlocks
from scaling.model.weights import AnyModel

Rows = tuple[int, int, int]  # a step, the first row of a part of its batch, one past the last


class BatchPart(NamedTuple):
    """Rows of a batch as a model reads them.

    Attributes:
        inputs: of the model. blocks: to be filled; None where there are none.
        targets: int64 [R, W], -1 on padding. scored: how many there are.
        units: of the global module: tokens, or patches. bytes: of raw text.
    """

    inputs: PatchedBytes | Tokens
    targets: Tensor
    blocks: BlockInputs | None
    scored: int
    units: int
    bytes: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the model is called with, to return nats."""
        return self.inputs, self.targets, *(() if self.blocks is None else (self.blocks,))


def part_of(
    model: AnyModel, batch: TokenBatch, blocks: MaskedBlocks | None, device: torch.device
) -> BatchPart:
    """Return the rows of `batch` as the model reads them, on `device`."""
    targets, padding = batch.targets, batch.segments < 0
    scored = targets.size - int(padding.sum())
    if scored < targets.size:
        targets = np.where(padding, -1, targets)
    return BatchPart(
        inputs=model.inputs(batch, device),
        targets=torch.from_numpy(targets).to(device),
        blocks=None if blocks is None else BlockInputs.of(blocks, device),
        scored=scored,
        units=scored if batch.starts is None else int(batch.starts.sum()),
        bytes=batch.scored_bytes,
    )


class PartsAhead:
    """Makes the part that is wanted next while the one before is computed."""

    def __init__(self, make: Callable[[Rows], BatchPart], device: torch.device) -> None:
        """Prepare.

        Args:
            make: returns a part, on the CPU or on `device`; called by one thread alone.
            device: that parts are brought to.
        """
        self._make, self._device = make, device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._thread = ThreadPoolExecutor(1)
        self._next: tuple[Rows, Future[tuple[BatchPart, Any]]] | None = None

    def part(self, rows: Rows, then: Rows) -> BatchPart:
        """Return these rows, and begin with those that will be wanted `then`."""
        waiting, self._next = self._next, None
        if waiting is None or waiting[0] != rows:
            waiting = rows, self._thread.submit(self._brought, rows)
        part, done = waiting[1].result()
        self._next = then, self._thread.submit(self._brought, then)
        if done is not None:
            computing = torch.cuda.current_stream(self._device)
            computing.wait_event(done)
            for tensor in tensors_of(part):
                tensor.record_stream(computing)  # lest it be given away while still in use
        return part

    def _brought(self, rows: Rows) -> tuple[BatchPart, Any]:
        if self._stream is None:
            return self._make(rows), None
        with torch.cuda.stream(self._stream):
            part = each_tensor(self._make(rows), self._there)
            return part, self._stream.record_event()

    def _there(self, tensor: Tensor) -> Tensor:
        if tensor.device == self._device:
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)


def each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return a named tuple with each tensor in it, or in one that it holds, changed."""
    if isinstance(value, Tensor):
        return change(value)
    if hasattr(value, "_fields"):
        return type(value)(*(each_tensor(part, change) for part in value))
    return value


def tensors_of(value: Any) -> list[Tensor]:
    """Return the tensors in a named tuple, and in those that it holds, in their order."""
    found: list[Tensor] = []
    each_tensor(value, lambda tensor: found.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return found
