"""Attention in chunks, and over segments, is what a dense mask of who sees whom gives."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scaling.model.attention import causal, windowed
from scaling.model.blocks import Rotary, RotaryTable, heads_for
from scaling.model.flex import FlexBlocks, blocks_read, windowed_by
from tests.scaling.evaluate.streams import CPU

EXACT = 1e-12


class Case(NamedTuple):
    """What is attended to, and how far.

    Attributes:
        q, k, v: [R, H, W, C] float64. segments: [R, W], or None where each row is one.
        window: in positions.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    segments: Tensor | None
    window: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rows, heads, width = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    q, k, v = torch.randn(3, rows, heads, width, 2, generator=generator, dtype=torch.float64) * 2
    segments = None
    if draw(st.booleans()):
        opens = torch.rand(rows, width, generator=generator) < draw(st.sampled_from([0.05, 0.3]))
        opens[:, 0] = False
        segments = opens.cumsum(dim=1)
        lengths = torch.randint(1, width + 1, (rows, 1), generator=generator)
        segments[torch.arange(width) >= lengths] = -1  # padding
    return Case(q, k, v, segments, draw(st.integers(1, 45)))


def dense(case: Case, window: int) -> Tensor:
    """Attention by the definition: a softmax over all keys, those not seen at minus infinity."""
    width = case.q.shape[2]
    distance = torch.arange(width)[:, None] - torch.arange(width)
    sees = (distance >= 0) & (distance < window)
    if case.segments is not None:
        sees = sees & (case.segments[:, None, :, None] == case.segments[:, None, None, :])
    scores = case.q @ case.k.transpose(-1, -2) / math.sqrt(case.q.shape[-1])
    return scores.masked_fill(~sees, -math.inf).softmax(dim=-1) @ case.v


def with_gradients(attend: Callable[[Tensor, Tensor, Tensor], Tensor], case: Case) -> list[Tensor]:
    """Return the mixture, and its gradients to queries, keys and values."""
    leaves = [x.clone().requires_grad_() for x in (case.q, case.k, case.v)]
    out = attend(*leaves)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), leaves)]


@settings(max_examples=300, deadline=None)
@given(cases())
def test_windows_are_read_as_a_dense_mask_says(case: Case) -> None:
    attend = windowed(case.q.shape[2], case.window, case.segments, CPU)
    expected = with_gradients(lambda q, k, v: dense(Case(q, k, v, *case[3:]), case.window), case)
    for found, other in zip(with_gradients(attend, case), expected, strict=True):
        torch.testing.assert_close(found, other, rtol=0, atol=EXACT)


@given(cases())
def test_whole_rows_are_read_as_a_dense_mask_says(case: Case) -> None:
    width = case.q.shape[2]
    expected = with_gradients(lambda q, k, v: dense(Case(q, k, v, *case[3:]), width), case)
    for found, other in zip(with_gradients(causal(case.segments), case), expected, strict=True):
        torch.testing.assert_close(found, other, rtol=0, atol=EXACT)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@settings(max_examples=50, deadline=None)
@given(cases())
def test_the_kernel_for_a_gpu_sees_what_a_dense_mask_says(case: Case) -> None:
    # Without gradients, which it has on a GPU only; `just gpu-check` compares those.
    width = case.q.shape[2]
    attend = FlexBlocks().attend(width, case.window, case.segments, case.q)
    expected = dense(case, case.window)
    torch.testing.assert_close(attend(*case[:3]), expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("width", [1, 127, 128, 129, 640, 1000])
@pytest.mark.parametrize("window", [1, 2, 128, 129, 130, 256, 257, 1000])
def test_the_blocks_that_are_read_are_those_with_something_to_see(width: int, window: int) -> None:
    distance = torch.arange(width)[:, None] - torch.arange(width)
    sees = (distance >= 0) & (distance < window)
    padded = torch.zeros(-(-width // 128) * 128, -(-width // 128) * 128, dtype=torch.bool)
    padded[:width, :width] = sees
    wanted = padded.unflatten(0, (-1, 128)).unflatten(2, (-1, 128)).any(dim=3).any(dim=1)
    blocks = blocks_read(width, min(window, width), CPU)
    assert torch.equal(blocks.to_dense()[0, 0].bool(), wanted)
    # Backwards: which queries look at a key.
    counts, indices = blocks.q_num_blocks, blocks.q_indices
    assert counts is not None and indices is not None
    for key, count in enumerate(counts[0, 0].tolist()):
        found = sorted(indices[0, 0, key, :count].tolist())
        assert found == wanted[:, key].nonzero().flatten().tolist()


def test_the_kernel_is_taken_where_it_is_compiled_and_takes_such_heads() -> None:
    graphs: list[str] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., object]:
        graphs.append(str(graph.graph))
        return graph.forward

    def attention(q: Tensor, segments: Tensor | None, width: int) -> Tensor:
        flex = FlexBlocks()
        return windowed_by(flex, q.shape[2], 8, segments, q, width)(q, q, q)

    compiled = torch.compile(attention, backend=backend, dynamic=False)
    for width, positions, segmented, taken in (
        (16, 20, False, True),
        (16, 8, False, False),  # whole rows of one segment: torch's own, without a mask
        (16, 8, True, True),
        (24, 20, False, False),
        (8, 20, False, False),
    ):
        q = torch.randn(1, 2, positions, width)
        segments = torch.arange(positions).view(1, -1) // 5 if segmented else None
        plain = attention(q, segments, width)
        graphs.clear()
        torch.testing.assert_close(compiled(q, segments, width), plain)
        assert any("flex_attention" in graph for graph in graphs) == taken


@given(cases())
def test_a_row_of_one_segment_is_read_alike_with_its_number_and_without(case: Case) -> None:
    rows, _, width, _ = case.q.shape
    numbered = torch.zeros(rows, width, dtype=torch.int32)
    for first, other in (
        (causal(None), causal(numbered)),
        (windowed(width, case.window, None, CPU), windowed(width, case.window, numbered, CPU)),
    ):
        torch.testing.assert_close(
            first(case.q, case.k, case.v), other(case.q, case.k, case.v), rtol=0, atol=EXACT
        )


@pytest.mark.parametrize(("width", "window"), [(1, 1), (7, 1), (12, 4), (13, 4), (9, 8), (5, 30)])
def test_exactly_the_window_is_seen(width: int, window: int) -> None:
    # Values tell the keys apart, and equal scores weigh all that are seen alike.
    v = torch.eye(width, dtype=torch.float64)[None, None]
    flat = torch.zeros_like(v)
    weights = windowed(width, window, None, CPU)(flat, flat, v)[0, 0]
    for position in range(width):
        first = max(0, position - window + 1)
        seen = weights[position].nonzero().flatten().tolist()
        assert seen == list(range(first, position + 1))
        assert weights[position, seen].tolist() == pytest.approx([1 / len(seen)] * len(seen))


@given(
    st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 100_000), st.sampled_from([2, 6, 64])
)
def test_scores_depend_on_the_distance_alone(a: int, b: int, shift: int, width: int) -> None:
    generator = torch.Generator().manual_seed(a)
    q, k = torch.randn(2, 1, 1, 1, width, generator=generator, dtype=torch.float64)

    def score(a: int, b: int) -> float:
        turned = [Rotary(torch.tensor([place]), width).to(x)(x) for place, x in ((a, q), (b, k))]
        return float((turned[0] * turned[1]).sum())

    # An angle of 1e5 radians is known to 1.5e-11, and a score is of size sqrt(width).
    assert score(a + shift, b + shift) == pytest.approx(score(a, b), abs=1e-9)


def test_scores_differ_from_distance_to_distance_and_turns_keep_lengths() -> None:
    x = torch.randn(1, 1, 50, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    same = x[:, :, :1].expand_as(x)
    turned = Rotary(torch.arange(50), 8).to(x)(same)
    torch.testing.assert_close(turned.norm(dim=-1), same.norm(dim=-1))
    scores = (turned[0, 0] @ turned[0, 0, 0]).tolist()
    assert len(set(scores)) == 50
    assert turned[0, 0, 0].tolist() == same[0, 0, 0].tolist()  # position 0 is not turned


def test_the_angles_are_those_of_the_published_base() -> None:
    rotary = Rotary(torch.tensor([0, 1, 1000]), 4)
    angles = np.array([0, 1, 1000])[:, None] * np.array([1, 500_000**-0.5])
    np.testing.assert_allclose(rotary.cos.numpy(), np.cos(angles), atol=1e-12)
    np.testing.assert_allclose(rotary.sin.numpy(), np.sin(angles), atol=1e-12)


def test_late_positions_are_exact_in_single_precision() -> None:
    late = torch.tensor([(1 << 20) + 1])
    single = Rotary(late, 64).to(torch.zeros((), dtype=torch.float32))
    angles = float(late) * 500_000.0 ** (-np.arange(32) / 32)
    np.testing.assert_allclose(single.cos.numpy()[0], np.cos(angles), atol=1e-6)
    np.testing.assert_allclose(single.sin.numpy()[0], np.sin(angles), atol=1e-6)


def test_heads_divide_the_width_into_even_parts_near_64() -> None:
    assert [heads_for(width) for width in (64, 96, 128, 192, 256, 320, 384, 640)] == [
        1, 2, 2, 3, 4, 5, 6, 10,
    ]  # fmt: skip
    for width in range(2, 400, 2):
        heads = heads_for(width)
        assert width % heads == 0
        assert width // heads % 2 == 0


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 300)), min_size=1, max_size=4),
    st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
)
def test_a_table_has_the_bits_of_angles_computed_anew(
    ranges: list[tuple[int, int]], kind: torch.dtype
) -> None:
    table, like = RotaryTable(16), torch.empty(0, dtype=kind)
    for begin, count in ranges:
        found = table(range(begin, begin + count), like)
        anew = Rotary(torch.arange(begin, begin + count), 16).to(like)
        assert torch.equal(found.cos, anew.cos) and torch.equal(found.sin, anew.sin)


def test_a_table_that_reaches_far_enough_is_not_made_again() -> None:
    table, like = RotaryTable(8), torch.empty(0)
    with torch.inference_mode():
        first = table.reach(100, like.device, like.dtype)
    assert table(range(3, 128), like).cos.data_ptr() == first.cos[3:].data_ptr()
    assert not first.cos.is_inference()  # what is trained later may keep it
