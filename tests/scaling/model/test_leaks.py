"""No model sees what it is to predict: change a byte, and no logit at or before it may move.

Position p predicts target p. The whole batch is made anew from the changed text, patches and the
entropies they are cut by included. Logits are compared to the last bit: the rows as they were and
all the changed ones are read in one batch, then with the two halves swapped, so that every number
is worked out in the same place of tensors of the same shapes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.windows import SpacePatches, StaticPatches, TextRows, TokenBatch
from scaling.model.blt import ByteLatentTransformer
from scaling.model.cross_attention import PatchedBytes, patched_bytes
from scaling.model.transformer import SubwordTransformer
from scaling.train.together import joined_rows
from tests.scaling.evaluate.streams import CPU
from tests.scaling.model.support import (
    Cut,
    Rule,
    Texts,
    form,
    latent_model,
    patched_by,
    patched_by_entropy,
    token_model,
)

Moves = NDArray[np.float64]
Flags = NDArray[np.bool_]
Forward = Callable[[TokenBatch], Tensor]
Breakage = Callable[[PatchedBytes, TokenBatch], PatchedBytes]

ROUNDING = 1e-12  # logits are of size 1

ONE = (b"That is the question: whether",)
SEVERAL = (b"To be, ", b"or", b"not  to be that is the", b"q", b"uestion: whet")


@dataclass(frozen=True)
class Layout:
    """Documents, and the rows they are read in."""

    texts: tuple[bytes, ...]
    cut: Cut


# TextRows overlap, and begin and end inside documents.
LAYOUTS = {
    "one document": Layout(ONE, Cut((0, 5, 13), (16, 16, 16), 16)),
    "several documents": Layout(SEVERAL, Cut((0, 14, 25), (20, 20, 20), 20)),
    "padding": Layout(SEVERAL, Cut((0, 17, 40), (20, 13, 5), 20)),
}
RULES: dict[str, Callable[[Texts], Rule]] = {
    **{
        f"static {rate}": lambda _, rate=rate: patched_by(StaticPatches(rate))  # type: ignore[misc]
        for rate in (1, 2, 3.5, 4, 8)
    },
    "space": lambda _: patched_by(SpacePatches(6)),
    "entropy": lambda texts: patched_by_entropy(texts, monotonic=False),
    "entropy-monotonic": lambda texts: patched_by_entropy(texts, monotonic=True),
}


def changed(texts: Texts, place: int) -> list[bytes]:
    """Return the texts with the byte at a place of their stream altered; spaces come and go."""
    data = bytearray(b"".join(texts))
    data[place] = ord(" ") if data[place] != ord(" ") else ord("x")
    out, begin = [], 0
    for text in texts:
        out.append(bytes(data[begin : begin + len(text)]))
        begin += len(text)
    return out


def movements(forward: Forward, layout: Layout, rule: Rule) -> Moves:
    """Return [places, rows, W]: how far a change at each place moves each position's logits."""
    size = len(b"".join(layout.texts))
    batches = [layout.cut.batch(*rule(changed(layout.texts, place))) for place in range(size)]
    before = [layout.cut.batch(*rule(layout.texts))] * size
    with torch.no_grad():
        old = forward(joined_rows([*before, *batches]))
        new = forward(joined_rows([*batches, *before]))
    rows, width = len(layout.cut.begins), layout.cut.width
    most = (old - new)[: size * rows].abs().amax(dim=-1)
    assert torch.isfinite(most).all()
    return most.view(size, rows, width).numpy()


@dataclass(frozen=True)
class Relation:
    """How positions lie to the place that is changed, each bool [places, rows, W].

    Attributes:
        at_or_before: in the stream. apart: after it, in another document, or in another row.
        following: the very next position of the same segment.
    """

    at_or_before: Flags
    apart: Flags
    following: Flags


def relation(layout: Layout, across_rows: bool) -> Relation:
    """Return it for all places; padding, where nothing is predicted, is in none of the three.

    With `across_rows` a change may be felt in other rows of the document, as patches cut by a
    document's entropies are.
    """
    offsets = np.cumsum([0, *map(len, layout.texts)])
    document = np.searchsorted(offsets, np.arange(offsets[-1]), side="right")
    at, changed_at = layout.cut.places, np.arange(offsets[-1])[:, None, None]
    in_row = (at == changed_at).any(axis=-1, keepdims=True)
    same = (document[at] == document[changed_at]) & (in_row | across_rows)
    text = np.broadcast_to(at >= 0, same.shape)
    return Relation(
        at_or_before=text & (at <= changed_at),
        apart=text & (at > changed_at) & ~same,
        following=text & same & in_row & (at == changed_at + 1),
    )


def leaks(found: Moves, layout: Layout) -> int:
    """Return how many logits at or before the change move at all."""
    return int((found[relation(layout, True).at_or_before] > 0).sum())


def reading(model: ByteLatentTransformer, broken: Breakage | None = None) -> Forward:
    """Return the model's forward pass, of inputs that `broken` has tampered with."""

    def forward(batch: TokenBatch) -> Tensor:
        if broken is None:
            logits: Tensor = model(model.inputs(batch, CPU))
            return logits
        # Indices are what is tampered with; regular patches would do without any.
        tampered: Tensor = model(broken(patched_bytes(batch, CPU, always_indexed=True), batch))
        return tampered

    return forward


def of_tokens(model: SubwordTransformer) -> Forward:
    """Return the model's forward pass."""
    return lambda batch: model(model.inputs(batch, CPU))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    ("local_layers", "slots", "plain"), [(1, 2, False), (2, 1, False), (2, 2, True)]
)
def test_a_byte_latent_model_sees_only_what_came_before(
    name: str, layout: Layout, local_layers: int, slots: int, plain: bool
) -> None:
    forward = reading(latent_model(local_layers, slots))
    with form(plain):
        found = movements(forward, layout, RULES[name](layout.texts))
    assert leaks(found, layout) == 0
    lies = relation(layout, across_rows=name.startswith("entropy"))
    assert lies.following.any()
    # A row's latents are numbered from its beginning, so where a change makes more patches, those
    # of later documents turn further; only differences of turns count, but they are rounded.
    assert found[lies.apart].max(initial=0) <= (0 if name.startswith("static") else ROUNDING)
    assert (found[lies.following] > ROUNDING).all()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("window", [None, 1, 6, 50])
@pytest.mark.parametrize("plain", [False, True])
def test_a_model_of_tokens_sees_only_what_came_before(
    layout: Layout, window: int | None, plain: bool
) -> None:
    with form(plain):
        found = movements(of_tokens(token_model(window=window)), layout, patched_by(None))
    assert leaks(found, layout) == 0
    lies = relation(layout, across_rows=False)
    assert found[lies.apart].max(initial=0) == 0
    assert (found[lies.following] > ROUNDING).all()


@pytest.mark.parametrize("window", [1, 4])
def test_a_window_bounds_how_far_a_change_is_heard(window: int) -> None:
    # Two layers: what is read at p has passed through at most two windows.
    layout = LAYOUTS["one document"]
    found = movements(of_tokens(token_model(window=window)), layout, patched_by(None))
    distance = layout.cut.places - np.arange(len(found))[:, None, None] - 1
    in_row = relation(layout, across_rows=False).apart
    heard = (found > 0) & ~in_row
    assert distance[heard].max() == 2 * (window - 1)


def test_a_byte_far_outside_the_window_is_heard_through_the_latents() -> None:
    # One local layer and a window of one byte: all that reaches further is what latents carry.
    layout = LAYOUTS["one document"]
    model = latent_model(window=1)
    found = movements(reading(model), layout, patched_by(StaticPatches(4)))[0, 0]
    # Byte 0 is the input of position 1; it is pooled into the latent of the patch that opens at 4.
    assert np.flatnonzero(found > ROUNDING).tolist() == [1, *range(4, 16)]


@pytest.mark.parametrize("name", RULES)
def test_what_stands_on_padding_is_heard_nowhere(name: str) -> None:
    layout = LAYOUTS["padding"]
    batch = layout.cut.batch(*RULES[name](layout.texts)(layout.texts))
    padding = batch.segments < 0
    other = replace(batch, inputs=np.where(padding, 77, batch.inputs))
    for forward in (reading(latent_model(2, 2)), of_tokens(token_model(window=6))):
        with torch.no_grad():
            old, new = forward(batch), forward(other)
        assert torch.equal(old[~padding], new[~padding])
        assert not torch.equal(old, new)


@pytest.mark.parametrize("name", RULES)
def test_a_row_reads_the_same_with_padding_and_without(name: str) -> None:
    stream, patches = RULES[name](ONE)(ONE)
    bare = Cut((3,), (13,), 13).batch(stream, patches)
    padded = Cut((3, 0), (13, 4), 29).batch(stream, patches)
    for forward in (reading(latent_model(2, 2)), of_tokens(token_model(window=6))):
        with torch.no_grad():
            torch.testing.assert_close(forward(padded)[:1, :13], forward(bare), rtol=0, atol=1e-12)


def one_latent_late(inputs: PatchedBytes, batch: TokenBatch) -> PatchedBytes:
    """Read the latent after one's own patch's, where the segment has one: the shift left out."""
    rows, latents, _ = inputs.members_shape
    assert inputs.latent_of_byte is not None
    latent = inputs.latent_of_byte.view(rows, -1) - latents * torch.arange(rows)[:, None]
    assert batch.starts is not None
    last = np.zeros_like(batch.segments)
    for row, segment in zip(*np.nonzero(batch.starts), strict=True):
        same = batch.segments[row] == batch.segments[row, segment]
        last[row, same] = int(latent[row, same].max())
    late = torch.minimum(latent + 1, torch.from_numpy(last).long())
    flat = late + latents * torch.arange(rows)[:, None]
    return inputs._replace(latent_of_byte=flat.flatten())


def one_byte_far(inputs: PatchedBytes, batch: TokenBatch) -> PatchedBytes:
    """Pool, beside a patch's bytes, the one after them, where the segment has it."""
    rows, latents, most = inputs.members_shape
    members = inputs.members.view(rows, latents, most)
    last = members.amax(dim=-1, keepdim=True)
    segments = torch.from_numpy(batch.segments).flatten()
    after = (last + 1).clamp(max=len(segments) - 1)
    more = torch.where(segments[after] == segments[last], after, last)
    known = inputs.is_member
    mask = torch.ones(rows, latents, most, dtype=torch.bool) if known is None else known
    return inputs._replace(
        members=torch.cat((members, more), dim=-1).flatten(),
        is_member=torch.cat((mask, more > last), dim=-1),
        members_shape=(rows, latents, most + 1),
    )


def one_byte_on(inputs: PatchedBytes, batch: TokenBatch) -> PatchedBytes:
    """Pool every byte's successor in its place, where the segment has one: targets for inputs."""
    segments = torch.from_numpy(batch.segments).flatten()
    after = (inputs.members + 1).clamp(max=len(segments) - 1)
    same = segments[after] == segments[inputs.members]
    return inputs._replace(members=torch.where(same, after, inputs.members))


@dataclass(frozen=True)
class OwnByte:
    """Patches that open at white space: the rule of `space`, one byte early."""

    def __call__(self, rows: TextRows) -> NDArray[np.bool_]:
        """Return starts [rows, W]."""
        starts: NDArray[np.bool_] = (rows.targets == ord(" ")) | rows.opens
        return starts


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", ["static 1", "static 3.5", "static 8", "space", "entropy"])
@pytest.mark.parametrize("broken", [one_latent_late, one_byte_far, one_byte_on])
def test_the_probe_catches_a_model_that_is_not_shifted(
    broken: Breakage, name: str, layout: Layout
) -> None:
    forward = reading(latent_model(), broken)
    assert leaks(movements(forward, layout, RULES[name](layout.texts)), layout) > 0


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_probe_catches_patches_that_look_at_their_own_byte(layout: Layout) -> None:
    found = movements(reading(latent_model()), layout, patched_by(OwnByte()))
    assert leaks(found, layout) > 0


@pytest.mark.parametrize("field", ["segments", "latent_segments"])
@pytest.mark.parametrize("name", ["several documents", "padding"])
def test_the_probe_catches_documents_that_attend_to_each_other(name: str, field: str) -> None:
    def unmasked(inputs: PatchedBytes, _: TokenBatch) -> PatchedBytes:
        kept = None if field == "segments" else inputs.segments
        kept_latents = None if field == "latent_segments" else inputs.latent_segments
        return inputs._replace(segments=kept, latent_segments=kept_latents)

    layout = LAYOUTS[name]
    found = movements(reading(latent_model(), unmasked), layout, patched_by(StaticPatches(2)))
    assert leaks(found, layout) == 0  # it is causal all the same
    assert found[relation(layout, across_rows=False).apart].max() > ROUNDING


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", ["static 1", "static 4", "space", "entropy"])
def test_both_forms_of_a_model_are_one_model(name: str, layout: Layout) -> None:
    batch = layout.cut.batch(*RULES[name](layout.texts)(layout.texts))
    for forward in (reading(latent_model(2, 2)), of_tokens(token_model(window=6))):
        with torch.no_grad():
            by_hand = forward(batch)
            with form(plain=True):
                plain = forward(batch)
        assert plain.dtype == torch.float64
        torch.testing.assert_close(by_hand, plain, rtol=0, atol=ROUNDING)
