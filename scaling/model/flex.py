"""Attention by torch's FlexAttention: a kernel that is compiled for who sees whom.

A window takes blocks of 128 queries and of as many keys. Of a query's blocks only those are
read that some window reaches into, so neither keys are copied to lie beside each other, as the
chunks of `scaling.model.attention` are, nor is there a mask in memory; within a block, and between
segments, the kernel compares positions and numbers of segments as it goes. Uncompiled it would hold
all scores, and on a CPU it has no gradient: it is for compiled models on a GPU.

Which blocks are read follows from the number of positions and the window alone. So that they are
constants of a compiled graph they are found before it, and kept.
"""

import inspect
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from scaling.model.attention import Attend, windowed

BLOCK = 128
LEAST_HEAD_WIDTH = 16  # of its kernel's products


def is_there() -> bool:
    """Whether the installed torch has FlexAttention for rows of any length."""
    return "seq_lengths" in inspect.signature(BlockMask.from_kv_blocks).parameters


def blocks_read(positions: int, window: int, device: torch.device) -> BlockMask:
    """Return, of each block of queries, the blocks of keys that some query of it may see.

    Args:
        positions: W, of a row. window: in positions, a query's own included.
    """
    count = math.ceil(positions / BLOCK)
    before = math.ceil((window - 1) / BLOCK)  # blocks before its own that a window reaches into
    query = torch.arange(count, device=device)[:, None]
    first = (query - before).clamp(min=0)
    # Beyond the number of a row's blocks the indices are not looked at.
    indices = (first + torch.arange(count, device=device)).clamp(max=count - 1)
    return BlockMask.from_kv_blocks(
        (query - first + 1).view(1, 1, count).int(),
        indices.view(1, 1, count, count).int(),
        BLOCK_SIZE=BLOCK,
        seq_lengths=(positions, positions),
    )


class FlexBlocks:
    """The blocks of each number of positions and window, found once and kept."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int, torch.device], BlockMask] = {}

    def reach(self, positions: int, window: int, device: torch.device) -> BlockMask:
        """Return the blocks of rows of so many positions, before a graph that reads them."""
        key = (positions, min(window, positions), device)
        if key not in self._found:
            # To be trained with later, wherever they are first asked for.
            with torch.inference_mode(False), torch.no_grad():
                self._found[key] = blocks_read(positions, key[1], device)
        return self._found[key]

    def attend(
        self, positions: int, window: int, segments_RW: Tensor | None, like: Tensor
    ) -> Attend:
        """Return attention to the last `window` positions of the same segment.

        Args:
            positions, window, segments_RW: as of `scaling.model.attention.windowed`.
            like: on the device.
        """
        found = self.reach(positions, window, like.device)

        def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            seen = (key <= query) & (query - key < window)
            if segments_RW is not None:
                seen = seen & (segments_RW[row, query] == segments_RW[row, key])
            return seen

        mask = BlockMask(
            (positions, positions),
            found.kv_num_blocks,
            found.kv_indices,
            None,
            None,
            found.q_num_blocks,
            found.q_indices,
            None,
            None,
            (BLOCK, BLOCK),
            sees,
        )

        def attend(q_RHWC: Tensor, k_RHWC: Tensor, v_RHWC: Tensor) -> Tensor:
            out: Any = flex_attention(q_RHWC, k_RHWC, v_RHWC, block_mask=mask)
            mixed_RHWC: Tensor = out
            return mixed_RHWC

        return attend


def windowed_by(
    flex: FlexBlocks | None,
    positions: int,
    window: int,
    segments_RW: Tensor | None,
    like: Tensor,
    head_width: int,
) -> Attend:
    """Return attention to the last `window` positions of the same segment, by the kernel for it.

    FlexAttention's where it is to be used, is compiled, and takes such heads; torch's own where
    whole rows of one segment are attended to; and else chunks or a mask.

    Args:
        flex: None where it is not to be used.
        positions, window, segments_RW: as of `scaling.model.attention.windowed`.
        like: on the device. head_width: channels of a head.
    """
    fits = head_width >= LEAST_HEAD_WIDTH and head_width.bit_count() == 1
    whole = positions <= window and segments_RW is None
    if flex is None or whole or not fits or not torch.compiler.is_compiling():
        return windowed(positions, window, segments_RW, like.device)
    return flex.attend(positions, window, segments_RW, like)
