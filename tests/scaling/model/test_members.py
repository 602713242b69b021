"""Models stacked as one have the values and the gradients that each of them has by itself."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from scaling.data.windows import Patches, SpacePatches, StaticPatches, TokenBatch
from scaling.flops import BltShape, SubwordShape
from scaling.model import attention, blocks, fused, fused_attention
from scaling.model.blt import ByteLatentTransformer
from scaling.model.members import stack_members
from scaling.model.transformer import SubwordTransformer
from scaling.model.weights import AnyModel
from scaling.train.together import joined_rows
from tests.scaling.evaluate.streams import CPU, byte_stream
from tests.scaling.model.support import Cut

TEXTS = [
    b"the quick brown fox jumps over",
    b"a lazy dog",
    b"and sleeps until the evening comes " * 3,
]
MEMBERS = 3
# Static patches without and with the ends of documents, and patches of many lengths.
READ: dict[str, tuple[Patches | None, Sequence[int]]] = {
    "regular": (StaticPatches(4), (40, 60, 52, 44, 61, 76)),
    "static": (StaticPatches(3), (0, 11, 22, 33, 25, 44)),
    "space": (SpacePatches(6), (0, 11, 22, 33, 25, 44)),
}


def blt(slots: int) -> Callable[[], AnyModel]:
    return lambda: ByteLatentTransformer(BltShape(2, 8, 1, 4, slots), 5).double()


def subword(tied: bool) -> Callable[[], AnyModel]:
    shape = SubwordShape(2, 8, 256)
    return lambda: SubwordTransformer(shape, tied_head=tied).double()


def batches(read: str) -> list[TokenBatch]:
    """Return two rows for each member."""
    patches, begins = READ[read]
    stream = byte_stream(TEXTS)
    cuts = [Cut(tuple(begins[i : i + 2]), (16, 16), 16) for i in range(0, len(begins), 2)]
    return [cut.batch(stream, patches) for cut in cuts]


def nats_of(model: AnyModel, batch: TokenBatch) -> Tensor:
    """Return them, and add their gradients up; of members each with another weight."""
    nats: Tensor = model(model.inputs(batch, CPU), torch.from_numpy(batch.targets))
    return nats


# How much is computed at once by hand: less than a member's rows, two members, all; or plainly.
@pytest.mark.parametrize("cut", [16, 1600, 1 << 18, None], ids=["part", "two", "all", "plain"])
@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("make", [blt(1), blt(2), subword(True)], ids=["k = 1", "k = 2", "tokens"])
def test_members_are_what_they_are_alone(
    make: Callable[[], AnyModel], read: str, cut: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fused, blocks):
        monkeypatch.setattr(module, "by_hand", lambda x: cut is not None)
    for module in (fused, fused_attention):
        monkeypatch.setattr(module, "SLICE_FLOATS", cut or 1 << 18)
    torch.manual_seed(0)
    alone, read_by = [make() for _ in range(MEMBERS)], batches(read)
    scales = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    nats = torch.stack([nats_of(*pair) for pair in zip(alone, read_by, strict=True)])
    (nats * scales).sum().backward()
    gradients = [{name: p.grad for name, p in model.named_parameters()} for model in alone]
    whole = stack_members(make(), alone)  # whose gradients are zeros from here on
    together = nats_of(whole, joined_rows(read_by))
    (together * scales).sum().backward()
    torch.testing.assert_close(together, nats, rtol=1e-12, atol=0)
    for model, expected in zip(alone, gradients, strict=True):
        for name, weight in model.named_parameters():
            torch.testing.assert_close(weight.grad, expected[name], rtol=1e-10, atol=1e-12)


def test_what_is_done_to_a_member_is_done_to_the_whole() -> None:
    torch.manual_seed(0)
    alone = [subword(True)() for _ in range(MEMBERS)]
    drawn = [model.head.detach().clone() for model in alone]
    whole = stack_members(subword(True)(), alone)
    assert isinstance(whole, SubwordTransformer) and whole.embedding is whole.head
    torch.testing.assert_close(whole.head, torch.stack(drawn), rtol=0, atol=0)
    with torch.no_grad():
        alone[1].head.add_(1)
        whole.norm.gain.mul_(2)
    torch.testing.assert_close(whole.head[1], drawn[1] + 1, rtol=0, atol=0)
    torch.testing.assert_close(whole.head[0], drawn[0], rtol=0, atol=0)
    assert (alone[2].norm.gain == 2).all()


def test_units_filled_up_for_a_gpu_are_filled_up_for_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (fused, blocks):
        monkeypatch.setattr(module, "by_hand", lambda x: False)
    torch.manual_seed(0)
    whole = stack_members(blt(2)(), [blt(2)() for _ in range(MEMBERS)])
    batch = joined_rows(batches("space"))
    plain = nats_of(whole, batch)
    monkeypatch.setitem(fused.UNITS_MULTIPLE, "cpu", 8)
    torch.testing.assert_close(nats_of(whole, batch), plain, rtol=1e-12, atol=0)


def test_attention_to_many_keys_is_left_to_torch_for_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    whole = stack_members(blt(1)(), [blt(1)() for _ in range(MEMBERS)])
    batch = joined_rows(batches("static"))
    by_hand = nats_of(whole, batch)
    monkeypatch.setattr(attention, "_MOST_KEYS_BY_HAND", 1)
    torch.testing.assert_close(nats_of(whole, batch), by_hand, rtol=1e-12, atol=0)
