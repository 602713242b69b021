"""What is written by hand equals its plain form, in values and in gradients."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from scaling.model import attention, blocks, fused, fused_attention
from scaling.model.attention import windowed
from scaling.model.blocks import Rotary, SelfAttention
from scaling.model.fused import norm_head_nats, norm_linear, norm_swiglu
from tests.scaling.model.support import form

SHAPES = [(1, 1), (3, 5), (7,)]


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype).requires_grad_()


def linear_case(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Callable[..., Tensor], Any]:
    return norm_linear, (
        drawn(*shape, 6, dtype=dtype),
        drawn(6, dtype=dtype),
        drawn(4, 6, dtype=dtype),
    )


def swiglu_case(
    shape: tuple[int, ...], dtype: torch.dtype, plain: int = 2
) -> tuple[Callable[..., Tensor], Any]:
    into, out = drawn(2 * 3 + plain, 6, dtype=dtype), drawn(6, 3 + plain, dtype=dtype)
    x, gain = drawn(*shape, 6, dtype=dtype), drawn(6, dtype=dtype)
    return (lambda x, gain, into, out: norm_swiglu(x, gain, into, out, 3)), (x, gain, into, out)


def ungated_case(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Callable[..., Tensor], Any]:
    return swiglu_case(shape, dtype, plain=0)


def nats_case(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Callable[..., Tensor], Any]:
    targets = torch.randint(-1, 9, shape)  # -1: not scored
    x, gain, head = drawn(*shape, 6, dtype=dtype), drawn(6, dtype=dtype), drawn(9, 6, dtype=dtype)
    return (lambda x, gain, head: norm_head_nats(x, gain, head, targets)), (x, gain, head)


CASES = [linear_case, swiglu_case, ungated_case, nats_case]


def values_and_gradients(work: Callable[..., Tensor], given: tuple[Tensor, ...]) -> list[Tensor]:
    out = work(*given)
    weights = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return [out, *torch.autograd.grad((out * weights).sum() + out.sum(), given)]


@pytest.fixture(params=[16, 1 << 18], ids=["several slices", "one slice"])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "SLICE_FLOATS", request.param)
    monkeypatch.setattr(fused_attention, "SLICE_FLOATS", request.param)


@pytest.mark.usefixtures("slices")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_gradients_written_by_hand_are_those_of_finite_differences(
    case: Callable[..., Any], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    work, given = case(shape, torch.float64)
    assert torch.autograd.gradcheck(work, given)


@pytest.mark.usefixtures("slices")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_by_hand_and_plain_agree(
    case: Callable[..., Any],
    shape: tuple[int, ...],
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(1)
    work, given = case(shape, dtype)
    hand = values_and_gradients(work, given)
    monkeypatch.setattr(fused, "by_hand", lambda x: False)
    for ours, plain in zip(hand, values_and_gradients(work, given), strict=True):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("case", CASES)
def test_under_autocast_the_plain_form_runs_and_warns_of_nothing(case: Callable[..., Any]) -> None:
    torch.manual_seed(2)
    work, given = case((3, 5), torch.float32)
    exact = work(*given)
    with torch.autocast("cpu", torch.bfloat16):
        assert not fused.by_hand(given[0])
        rough = work(*given)
        rough.sum().backward()
        halves = F.linear(given[0], given[2])
        fused.norm(halves, torch.ones(halves.shape[-1]))  # gain and x of different types
    torch.testing.assert_close(rough.to(exact), exact, rtol=0.03, atol=0.1)


def test_nothing_scored_is_no_nats_and_no_gradient() -> None:
    x, gain, head = drawn(2, 3, 4), drawn(4), drawn(5, 4)
    nats = norm_head_nats(x, gain, head, torch.full((2, 3), -1))
    nats.backward()
    assert nats == 0
    assert all(given.grad is not None and not given.grad.any() for given in (x, gain, head))


def test_nats_of_huge_logits_are_finite() -> None:
    head = torch.tensor([[1e4], [-1e4]])
    nats = norm_head_nats(torch.ones(1, 1), torch.ones(1), head, torch.tensor([1]))
    torch.testing.assert_close(nats, torch.tensor(2e4 / math.sqrt(1 + fused.NORM_EPS)))


def attention_case(
    positions: int, window: int, segments: bool, dtype: torch.dtype
) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """Return attention of a block of two heads, as a function of its inputs and weights."""
    layer = SelfAttention(8, 2, 1.0)
    which = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 2, 2, 2, -1], [0] * 11])[:, :positions]
    rotary = Rotary(torch.arange(positions), 4).to(torch.empty(0, dtype=dtype))

    def work(x: Tensor, gain: Tensor, qkv: Tensor, out: Tensor) -> Tensor:
        attend = windowed(positions, window, which if segments else None, x.device)
        given = {"qkv": qkv, "out": out}
        after: Tensor = functional_call(layer, given, (x, gain, rotary, attend))
        return after

    # Weights as a model has them: sharper scores magnify what float32 rounds.
    weights = (w.detach().to(dtype).requires_grad_() for w in (layer.qkv, layer.out))
    return work, (drawn(2, positions, 8, dtype=dtype), drawn(8, dtype=dtype), *weights)


# Whole chunks, a last chunk in part, chunks of one, one chunk (as in the global module).
WINDOWS = [(8, 4), (11, 4), (5, 1), (7, 9), (1, 1)]


@pytest.mark.usefixtures("slices")
@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize(("positions", "window"), WINDOWS)
def test_attention_by_hand_and_plain_agree(
    positions: int, window: int, segments: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    work, given = attention_case(positions, window, segments, torch.float64)
    single_work, _ = attention_case(positions, window, segments, torch.float32)
    single = tuple(x.detach().float().requires_grad_() for x in given)
    exact, rounded = values_and_gradients(work, given), values_and_gradients(single_work, single)
    with monkeypatch.context() as patched:
        patched.setattr(blocks, "by_hand", lambda x: False)
        plain = values_and_gradients(work, given)
        plain_rounded = values_and_gradients(single_work, single)
    torch.testing.assert_close(exact, plain)
    # Rounding is another, since sums are taken in another order; it is no worse.
    for true, ours, theirs in zip(exact, rounded, plain_rounded, strict=True):
        bound = 2 * (theirs - true).abs().max() + 2e-7 * true.abs().max()
        assert (ours - true).abs().max() < bound


@pytest.mark.usefixtures("slices")
@pytest.mark.parametrize("segments", [False, True])
def test_gradients_of_attention_are_those_of_finite_differences(segments: bool) -> None:
    torch.manual_seed(4)
    work, given = attention_case(11, 4, segments, torch.float64)
    assert torch.autograd.gradcheck(work, given, fast_mode=True)


def test_attention_to_many_keys_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    work, given = attention_case(8, 4, False, torch.float32)
    hand = work(*given)
    monkeypatch.setattr(attention, "_MOST_KEYS_BY_HAND", 5)  # chunks of 2, and 4 before
    monkeypatch.setattr(blocks, "norm_attention", None)  # calling it would fail
    torch.testing.assert_close(work(*given), hand)


@pytest.mark.parametrize("plain", [0, 1, 2])
@pytest.mark.parametrize("multiple", [2, 8])
def test_units_that_are_always_nothing_change_nothing(
    plain: int, multiple: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    work, given = swiglu_case((3, 5), torch.float64, plain)
    with form(plain=True):
        exact = values_and_gradients(work, given)
        monkeypatch.setitem(fused.UNITS_MULTIPLE, "cpu", multiple)
        padded = values_and_gradients(work, given)
    for one, other in zip(padded, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
