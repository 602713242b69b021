"""Who attends to whom: causal within a segment, and in the local modules within a window of bytes.

Scores come from torch's fused attention. A window is attended to in chunks of its own length: a
chunk sees itself and the one before, so the work grows with the window, not with the context.
Segments (documents, or parts of them) differ by their numbers; the mask for that is built
only for batches that hold more than one segment in a row.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_MOST_KEYS_BY_HAND = 512
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


class Masked:
    """Attention of which the mask is known, so that it may also be done by hand (`fused`)."""

    def __init__(self, attend: Attend, seen: Callable[[int], Tensor]) -> None:
        """Make it of a function of queries, keys and values, and one that returns the mask.

        Args:
            seen: from the number of positions: [R or 1, N, Q, K] does query see key? N chunks of Q
                queries; each chunk's K keys end with its own.
        """
        self._attend, self._seen = attend, seen
        self._bias: Tensor | None = None

    def __call__(self, q_RHWC: Tensor, k_RHWC: Tensor, v_RHWC: Tensor) -> Tensor:
        return self._attend(q_RHWC, k_RHWC, v_RHWC)

    def bias(self, like_RWD: Tensor) -> Tensor | None:
        """Return what is added to scores: 0 where seen, else minus infinity; kept for later.

        None where there are so many keys that torch's attention, which skips what is masked and
        keeps no scores, is the faster.
        """
        if self._bias is None:
            seen = self._seen(like_RWD.shape[1])
            if seen.shape[-1] > _MOST_KEYS_BY_HAND:
                return None
            self._bias = like_RWD.new_zeros(seen.shape).masked_fill_(~seen, -math.inf)
        return self._bias


def causal(segments_RW: Tensor | None) -> Masked:
    """Return attention to all earlier positions of the same segment.

    Args:
        segments_RW: the segment of each position, -1 on padding; None where each row is just one.
    """
    if segments_RW is None:
        return Masked(
            lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
            lambda positions: torch.ones(1, 1, positions, positions, dtype=torch.bool).tril(),
        )
    same = segments_RW[:, :, None] == segments_RW[:, None, :]  # padding attends to padding: no NaN
    mask_R1WW = same.tril()[:, None]
    return Masked(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask_R1WW),
        lambda _: mask_R1WW,
    )


def windowed(
    positions: int, window: int, segments_RW: Tensor | None, device: torch.device
) -> Masked:
    """Return attention to the last `window` positions, one's own included, of the same segment.

    Args:
        positions: W, of a row. window: in positions.
        segments_RW: as `causal`.
    """
    if positions <= window:
        return causal(segments_RW)
    chunks = math.ceil(positions / window)
    padding = chunks * window - positions
    # [R or 1, chunks, w, 2 w]: fused kernels want four axes, chunks where they expect heads.
    mask = _band(chunks, window, device)[None]
    if segments_RW is not None:
        queried = F.pad(segments_RW, (0, padding), value=-2).unflatten(1, (chunks, window, 1))
        seen = _after_chunk_before(queried)
        mask = mask & (queried == seen.transpose(-1, -2))  # a query always sees itself

    def attend(q_RHWC: Tensor, k_RHWC: Tensor, v_RHWC: Tensor) -> Tensor:
        q, k, v = (
            (F.pad(x, (0, 0, 0, padding)) if padding else x).unflatten(2, (chunks, window))
            for x in (q_RHWC, k_RHWC, v_RHWC)
        )
        k, v = _after_chunk_before(k), _after_chunk_before(v)
        rows, heads = q.shape[:2]
        seen = mask if len(mask) == 1 else mask.repeat_interleave(heads, dim=0)
        mixed = F.scaled_dot_product_attention(
            q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), attn_mask=seen
        )
        out_RHWC: Tensor = mixed.unflatten(0, (rows, heads)).flatten(2, 3)[:, :, :positions]
        return out_RHWC

    return Masked(attend, lambda _: _seen_by_half_chunks(positions, window, segments_RW, device))


def _seen_by_half_chunks(
    positions: int, window: int, segments_RW: Tensor | None, device: torch.device
) -> Tensor:
    """Return [R or 1, N, Q, K]: chunks of half a window, of which each query sees more of its keys.

    By hand the keys of chunks are views that may overlap as they like, so these cost no copies.
    """
    queries = math.ceil(window / 2)
    before = math.ceil((window - 1) / queries) * queries
    padding = -positions % queries
    at = torch.arange(-before, positions + padding, device=device)
    query_NQ1 = at[before:].view(-1, queries, 1)
    key_N1K = at.unfold(0, before + queries, queries)[:, None]
    seen = (key_N1K <= query_NQ1) & (key_N1K > query_NQ1 - window) & (key_N1K >= 0)
    if segments_RW is None:
        return seen[None]
    segments = F.pad(segments_RW, (before, padding), value=-2)
    of_query = segments[:, before:].unflatten(1, query_NQ1.shape)
    of_key = segments.unfold(1, before + queries, queries)[:, :, None]
    both: Tensor = seen & (of_query == of_key)  # a query always sees itself
    return both


def _band(chunks: int, window: int, device: torch.device) -> Tensor:
    """Return [chunks, w, 2 w]: query i of a chunk sees keys i + 1 .. i + w of the two chunks."""
    query = torch.arange(window, device=device)[:, None]
    key = torch.arange(2 * window, device=device)[None, :]
    band = ((key > query) & (key <= query + window)).repeat(chunks, 1, 1)
    band[0, :, :window] = False  # the first chunk has none before it
    return band


def _after_chunk_before(x: Tensor) -> Tensor:
    """Return [..., chunks, 2 w, C] from [..., chunks, w, C]: each chunk after the one before it."""
    # Split, not sliced: the gradient of a slice is a whole tensor of zeros with a part filled in.
    before, _ = F.pad(x, (0, 0, 0, 0, 1, 0)).split([x.shape[-3], 1], dim=-3)
    return torch.cat((before, x), dim=-2)
