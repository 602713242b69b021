"""Blocks see nothing of what they are to fill in, and are laid out as when text is written."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from scaling.config.train_file import TrainFile
from scaling.data.windows import Patches, SpacePatches, StaticPatches, TokenBatch
from scaling.evaluate.latent_reader import CachedBytes, NextStarts, next_space, next_static
from scaling.flops import BltShape, CostContext, block_cost, training_flops_per_byte
from scaling.model.blt import ByteLatentTransformer
from scaling.model.diffusion import (
    LEAST_TIME,
    MASK,
    BlockInputs,
    BlockRows,
    MaskedBlocks,
    blocks_of,
    masked_blocks,
)
from scaling.model.weights import build_model
from scaling.train import step as stepping
from scaling.train.machine import MachineSettings
from scaling.train.memory import built_parameters, step_bytes
from tests.scaling.evaluate.streams import CPU, byte_stream
from tests.scaling.model.support import Cut, form
from tests.scaling.train.runs import blt_spec, metrics, run, small_shards

ONE = (b"That is the question: whether",)
SEVERAL = (b"To be, ", b"or", b"not  to be that is the", b"q", b"uestion: whet")
CUTS = {
    "one document": (ONE, Cut((0, 5, 13), (16, 16, 16), 16)),
    "several documents": (SEVERAL, Cut((0, 14, 25), (20, 20, 20), 20)),
    "padding": (SEVERAL, Cut((0, 17, 40), (20, 13, 5), 20)),
}
PATCHES: dict[str, Patches] = {
    "1": StaticPatches(1),
    "3.5": StaticPatches(3.5),
    "4": StaticPatches(4),
    "space": SpacePatches(6),
}
SIZE = 5


def filling_model(local_layers: int = 2, slots: int = 2, window: int = 7) -> ByteLatentTransformer:
    torch.manual_seed(3)
    shape = BltShape(2, 8, local_layers, 8, slots)
    return ByteLatentTransformer(shape, window, fills_blocks=True).double().eval()


def all_masked(batch: TokenBatch) -> MaskedBlocks:
    opens, cells, is_text = blocks_of(batch, SIZE)
    masked = np.full(cells.shape, MASK)
    weights = np.ones(len(cells), np.float32)
    return MaskedBlocks(masked, np.where(is_text, cells, -1), opens, is_text, weights)


def logits_of(model: ByteLatentTransformer, batch: TokenBatch, blocks: MaskedBlocks) -> Tensor:
    with torch.no_grad():
        return model.block_logits(model.inputs(batch, CPU), BlockInputs.of(blocks, CPU))


def leaks(model: ByteLatentTransformer, name: str, rule: str) -> tuple[int, int]:
    """Change each byte in turn; return how many masked blocks that begin at or before it, in its
    row, notice, and how many of those after it do."""
    texts, cut = CUTS[name]
    data = b"".join(texts)
    batch = cut.batch(byte_stream(texts), PATCHES[rule])
    blocks = all_masked(batch)
    before = logits_of(model, batch, blocks)
    early = late = 0
    for place, byte in enumerate(data):
        other = byte ^ 1 if byte not in b" !" else byte  # no space comes or goes: the same patches
        changed = bytearray(data)
        changed[place] = other
        ends = np.cumsum([0, *map(len, texts)])
        again = [bytes(changed[a:b]) for a, b in itertools.pairwise(ends.tolist())]
        rows = cut.batch(byte_stream(again), PATCHES[rule])
        assert rows.starts is not None and batch.starts is not None
        assert (rows.starts == batch.starts).all()
        moved = (logits_of(model, rows, blocks) - before).abs().amax(dim=(2, 3)).numpy() > 1e-12
        real = blocks.is_text.any(axis=2)
        opened = np.take_along_axis(cut.places, blocks.opens, axis=1)
        early += int((moved & real & (opened <= place)).sum())
        late += int((moved & real & (opened > place)).sum())
    return early, late


@pytest.mark.parametrize("rule", PATCHES)
@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("plain", [False, True])
def test_a_masked_block_sees_only_what_came_before(name: str, rule: str, plain: bool) -> None:
    with form(plain):
        early, late = leaks(filling_model(1, 1) if plain else filling_model(), name, rule)
    assert early == 0 and late > 0


def test_the_probe_catches_blocks_that_see_their_own_clean_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = BlockRows.__init__

    def unmasked(self: BlockRows, *arguments: object) -> None:
        whole(self, *arguments)  # type: ignore[arg-type]
        width = arguments[1].inputs.shape[1]  # type: ignore[attr-defined]
        self.before = (self.before + 2).clamp(max=width - 1)

    monkeypatch.setattr(BlockRows, "__init__", unmasked)
    assert leaks(filling_model(), "one document", "4")[0] > 0


def test_the_probe_catches_blocks_that_read_the_latent_of_their_own_patch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = BlockRows.__init__

    def unshifted(self: BlockRows, *arguments: object) -> None:
        whole(self, *arguments)  # type: ignore[arg-type]
        last = int(self.latent_of_cell.max())
        self.latent_of_cell = (self.latent_of_cell + 1).clamp(max=last)

    monkeypatch.setattr(BlockRows, "__init__", unshifted)
    assert leaks(filling_model(), "one document", "4")[0] > 0


def test_blocks_do_not_see_each_other_but_themselves_both_ways() -> None:
    texts, cut = CUTS["several documents"]
    batch = cut.batch(byte_stream(texts), StaticPatches(3))
    blocks = masked_blocks(batch, SIZE, seed=1, step=0)
    model = filling_model()
    before = logits_of(model, batch, blocks)
    for cell in range(SIZE):
        cells = blocks.cells.copy()
        cells[1, 2, cell] = 65
        assert blocks.is_text[1, 2, cell]
        moved = (logits_of(model, batch, blocks._replace(cells=cells)) - before).abs().amax(-1)
        assert (moved[1, 2] > 1e-12).all()
        moved[1, 2] = 0
        assert float(moved.max()) == 0


RULES: dict[str, NextStarts] = {
    "4": next_static(4),
    "3.5": next_static(3.5),
    "space": next_space(6),
}


@pytest.mark.parametrize("rule", RULES)
def test_blocks_of_training_are_those_of_writing(rule: str) -> None:
    """For each patch, after all that came before it was read; some of its bytes are known."""
    text = ONE[0]
    batch = Cut((0,), (len(text),), len(text)).batch(byte_stream(ONE), PATCHES[rule])
    blocks = masked_blocks(batch, SIZE, seed=2, step=0)
    model = filling_model()
    trained = logits_of(model, batch, blocks)[0]
    whole = 0
    for number, place in enumerate(blocks.opens[0].tolist()):
        if place + SIZE > len(text):
            continue
        reader = CachedBytes(model, text[:place], 64, RULES[rule])
        with torch.no_grad():
            written = reader.fill(blocks.cells[0, number].tolist())
        torch.testing.assert_close(written, trained[number], rtol=0, atol=1e-12)
        whole += 1
    assert whole > 3


def test_no_block_begins_inside_a_patch() -> None:
    """The second mistake there is to make: layouts that training never saw."""
    reader = CachedBytes(filling_model(), b"abcde", 64, next_static(4))
    assert not reader.at_boundary
    with pytest.raises(AssertionError, match="where patches do"):
        reader.fill([MASK] * SIZE)


def test_masks_follow_from_seed_step_and_row() -> None:
    texts, cut = CUTS["padding"]
    batch = cut.batch(byte_stream(texts), SpacePatches(6))
    whole = masked_blocks(batch, SIZE, seed=1, step=7)
    last = Cut(cut.begins[2:], cut.lengths[2:], cut.width).batch(
        byte_stream(texts), SpacePatches(6)
    )
    alone = masked_blocks(last, SIZE, seed=1, step=7, first_row=2)
    count = alone.cells.shape[1]
    assert whole.weights[2] == alone.weights[0]
    assert (whole.cells[2, :count] == alone.cells[0])[alone.is_text[0]].all()
    assert not np.array_equal(masked_blocks(batch, SIZE, 1, 8).weights, whole.weights)
    assert (whole.weights >= 1).all() and (whole.weights <= 1 / LEAST_TIME).all()
    masked = whole.cells == MASK
    assert (whole.targets[masked & whole.is_text] < MASK).all()
    assert (whole.targets[~masked] == -1).all() and (whole.targets[~whole.is_text] == -1).all()
    opens, cells, is_text = blocks_of(batch, SIZE)
    for row, block in np.argwhere(is_text.any(axis=2)).tolist():
        place = cut.begins[row] + opens[row, block]
        length = int(is_text[row, block].sum())
        data = b"".join(texts)[place : place + length]
        assert bytes(cells[row, block, :length].tolist()) == data


def test_a_silent_mask_term_leaves_the_run_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: losses of all steps, and the weights that both have."""
    shards = small_shards(tmp_path / "shards")
    spec = blt_spec(shards, steps=6)
    plain = run(spec, shards, tmp_path / "plain")
    monkeypatch.setattr(stepping, "BLOCK_WEIGHT", 0.0)
    blocks = replace(spec, model=replace(spec.model, diffusion_block=4))
    assert blocks.run_id != spec.run_id
    silent = run(blocks, shards, tmp_path / "silent")
    assert silent.validation_nats == plain.validation_nats
    for one, other in zip(metrics(tmp_path / "plain"), metrics(tmp_path / "silent"), strict=True):
        assert other.pop("block_nats_per_target") > 0
        assert one == other
    monkeypatch.setattr(stepping, "BLOCK_WEIGHT", 1.0)
    assert run(blocks, shards, tmp_path / "loud").validation_nats != plain.validation_nats


def test_micro_batches_and_runs_killed_see_the_same_blocks(tmp_path: Path) -> None:
    shards = small_shards(tmp_path / "shards")
    spec = blt_spec(shards, steps=3)
    spec = replace(spec, model=replace(spec.model, diffusion_block=4))
    run(spec, shards, tmp_path / "whole")
    run(spec, shards, tmp_path / "parts", MachineSettings(device="cpu", threads=1, micro_rows=1))
    for one, other in zip(metrics(tmp_path / "whole"), metrics(tmp_path / "parts"), strict=True):
        for key in ("nats_per_target", "block_nats_per_target"):
            assert one[key] == pytest.approx(other[key], rel=1e-5)


def test_memory_is_asked_for_blocks_too() -> None:
    spec = blt_spec(Path("0" * 16))
    blocks = replace(spec, model=replace(spec.model, diffusion_block=4))
    for one in (spec, blocks):
        built = sum(parameter.numel() for parameter in build_model(one).parameters())
        assert built_parameters(one) == built
    assert step_bytes(blocks, 4) > step_bytes(spec, 4)


def test_what_blocks_cost_in_training() -> None:
    """B / T rows of the decoder a byte: counted by hand."""
    shape = BltShape(2, 64, 3, 32, 2)
    context = CostContext(4, 512, 64)
    with_blocks = context._replace(diffusion_block=8)
    row = 24 * 3 * 32**2 + 2 * 3 * 32 * (65 + 16) + 3 * (4 * 32**2 + 2 * 32 * 3) + 2 * 256 * 32
    assert sum(block_cost(shape, with_blocks)) == 2 * row
    more = training_flops_per_byte(shape, with_blocks) - training_flops_per_byte(shape, context)
    assert more == pytest.approx(3 * 2 * row)
    for name, less in (("head-excluded", 2 * 256 * 32), ("6nd-total", row), ("6nd-global", row)):
        plain = training_flops_per_byte(shape, context, name)
        more = training_flops_per_byte(shape, with_blocks, name) - plain
        assert more == pytest.approx(3 * 2 * (row - less))


@pytest.mark.parametrize(
    ("family", "block", "message"),
    [
        ("blt", 0, "no block"),
        ("blt", 1, "no block"),
        ("blt", 64, "within context_bytes = 64"),
        ("subword", 4, "fills no blocks"),
    ],
)
def test_blocks_asked_for_wrongly(family: str, block: int, message: str) -> None:
    local = {"local_layers": 1, "local_dim": 8, "cross_factor": 1} if family == "blt" else {}
    asked: dict[str, Any] = {
        "model": {"family": family, "layers": 1, "dim": 8, "diffusion_block": block, **local},
        "data": {"corpus": ["embedded"], "held_out_bytes": 9, "context_bytes": 64},
        "training": {"steps": 1, "batch_bytes": 64},
    }
    if family == "blt":
        asked["patching"] = {"kind": "static", "compression_rate": 4.0}
        asked["data"]["window_bytes"] = 16
    else:
        asked["data"]["tokenizer"] = "byte"
    with pytest.raises(ValidationError, match=message):
        TrainFile.model_validate(asked)
