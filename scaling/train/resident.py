"""A run's text on the device that reads it: rows are cut there, and nothing is brought to them.

That is done for rows that lie within one document each, whose patches, if there are any, are even:
all that differs from one such batch to the next are the units. Others are laid out on the host as
ever. Training texts of these models are small beside a GPU's memory; one that is not stays where it
is.
"""

import numpy as np
import torch
from torch import Tensor

from scaling.data.order import Windows
from scaling.data.windows import StaticPatches, cut_rows, scored_bytes
from scaling.model.weights import AnyModel
from scaling.train.ahead import BatchPart, Rows, part_of
from scaling.train.device import synchronize
from scaling.train.memory import available_bytes

_SHARE = 1 / 8  # of the memory, at most
_AT_ONCE = 1 << 26  # units


def text_fits(windows: Windows, device: torch.device, processes: int) -> bool:
    """Whether the text takes a small part of a process's share of the device's memory."""
    return windows.stream.units.nbytes <= _SHARE * available_bytes(device) / processes


class ResidentText:
    """The units of a stream on a device, and what its plain batches have in common."""

    def __init__(self, model: AnyModel, windows: Windows, device: torch.device) -> None:
        """Bring the text to `device`, that of the model."""
        units = windows.stream.units
        small = units.dtype == np.uint8
        kind = torch.uint8 if small else torch.int32
        self.units = torch.empty(len(units), dtype=kind, device=device)
        for begin in range(0, len(units), _AT_ONCE):  # never held whole
            part = units[begin : begin + _AT_ONCE].astype(np.uint8 if small else np.int32)
            self.units[begin : begin + _AT_ONCE] = torch.from_numpy(part)
        self.model, self.windows, self.device = model, windows, device
        self.along = torch.arange(windows.window_units, device=device)
        synchronize(device)  # a stream of its own may read it next
        # Of batches with so many rows: one of them, on the device.
        self.alike: dict[int, BatchPart] = {}

    def part(self, rows: Rows, of_step: int) -> BatchPart | None:
        """Return rows of a step's batch; None where they are not all plain.

        Args:
            of_step: rows of the whole step.
        """
        windows, (step, low, high) = self.windows, rows
        if not isinstance(windows.patches, StaticPatches | None):
            return None
        begins = windows.first_units(step * of_step + low, step * of_step + high)
        documents, width = windows.stream.documents, windows.window_units
        after = np.searchsorted(documents, begins, side="right")
        if (np.searchsorted(documents, begins + width, side="left") > after).any():
            return None
        alike = self.alike.get(len(begins))
        if alike is None:
            batch = windows.batch(step, of_step, (low, high))
            alike = self.alike[len(begins)] = part_of(self.model, batch, None, self.device)
        size = len(begins) * width
        if windows.stream.unit_bytes is not None:
            lengths = np.full(len(begins), width)
            size = scored_bytes(cut_rows(windows.stream, begins, lengths, width))
        targets = self.units[self._brought(begins)[:, None] + self.along].long()
        inputs = targets.roll(1, dims=1)
        inputs[:, 0] = windows.stream.bos
        return alike._replace(
            inputs=alike.inputs._replace(inputs=inputs), targets=targets, bytes=size
        )

    def _brought(self, begins: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Tensor:
        here = torch.from_numpy(begins)
        if self.device.type == "cpu":
            return here
        return here.pin_memory().to(self.device, non_blocking=True)
