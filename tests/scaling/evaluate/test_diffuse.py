"""Blocks that a decoder fills, written as they are or judged by the whole model."""

import numpy as np
import pytest
import torch

from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.data.windows import StaticPatches, TokenBatch
from scaling.evaluate.decoding import DecodingMethod, Passes, Unmasking
from scaling.evaluate.generate import continue_text, cut
from scaling.evaluate.latent_reader import CachedBytes, NextStarts, next_space, next_static
from scaling.evaluate.sampling import Sampling
from scaling.evaluate.score import unit_nats
from scaling.evaluate.trained_run import TrainedRun
from scaling.evaluate.write_ahead import unmasked, weights_of, write_blocks
from scaling.model.blt import ByteLatentTransformer
from scaling.model.diffusion import MASK, BlockInputs, MaskedBlocks, blocks_of
from tests.scaling.evaluate.streams import CPU, byte_stream
from tests.scaling.evaluate.test_caches import _entropy
from tests.scaling.evaluate.test_speculate import plain
from tests.scaling.model.support import Cut
from tests.scaling.model.test_diffusion import filling_model

GREEDY = Sampling()


def rules() -> dict[str, NextStarts]:
    return {"4": next_static(4), "3.5": next_static(3.5), "space": next_space(6)}


@pytest.mark.parametrize(
    ("name", "unmask"),
    [("4", "once"), ("3.5", "confidence:0.01"), ("space", "entropy:12"), ("entropy", "once")],
)
def test_verified_blocks_are_the_text_of_plain_decoding(name: str, unmask: str) -> None:
    """Over the ends of segments, with and without reuse; weights at random."""

    def rule() -> NextStarts:
        return _entropy("entropy") if name == "entropy" else rules()[name]

    model = filling_model()
    expected = plain(model, b"On", rule(), 30, 20)
    for reuse in (True, False):
        decoding = DecodingMethod.parse("verify:6", reuse=reuse, unmask=unmask)
        reader = CachedBytes(model, b"On", 20, rule())
        assert b"".join(cut(write_blocks(reader, decoding, GREEDY), 30)) == expected
        assert reader.passes.drafted > 0


@pytest.mark.parametrize(("size", "unmask"), [(8, "once"), (8, "confidence:0.9"), (4, "entropy:2")])
def test_blocks_take_one_global_pass_each(size: int, unmask: str) -> None:
    """N_glob = L / B, where blocks end where patches do; N_dec, 1 to B fillings and a reading."""
    model = filling_model()
    reader = CachedBytes(model, b"", 512, next_static(4))
    decoding = DecodingMethod.parse(f"diffuse:{size}", unmask=unmask)
    text = b"".join(cut(write_blocks(reader, decoding, GREEDY), 40))
    passes, blocks = reader.passes, 40 // size
    assert len(text) == 40 and passes.global_module == passes.encoder == blocks
    fillings = passes.decoder - blocks
    assert fillings == blocks if unmask == "once" else blocks <= fillings <= 40
    assert passes.drafted == 0


def test_an_open_patch_is_finished_byte_by_byte() -> None:
    model = filling_model()
    reader = CachedBytes(model, b"abcde", 512, next_static(4))
    pieces = write_blocks(reader, DecodingMethod.parse("diffuse:6"), GREEDY)
    assert [len(next(pieces)) for _ in range(6)] == [1, 1, 1, 6, 1, 1]
    assert plain(model, b"abcde", next_static(4), 3) == b"".join(
        cut(
            write_blocks(
                CachedBytes(model, b"abcde", 96, next_static(4)),
                DecodingMethod.parse("diffuse:6"),
                GREEDY,
            ),
            3,
        )
    )


def test_the_surest_are_filled_first() -> None:
    weights = np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.6, 0.2, 0.2]])

    def chosen(rule: str, rows: list[int]) -> list[int]:
        found: list[int] = unmasked(weights[rows], Unmasking.parse(rule)).tolist()
        return found

    every = [0, 1, 2, 3]
    assert chosen("once", every) == every
    assert chosen("confidence:0.55", every) == [0, 2, 3]
    assert chosen("confidence:1", [1, 3]) == [1]  # none is above: the surest
    # Entropies 0.325, 0.693, 0 and 0.950 nats.
    assert chosen("entropy:0.3", every) == [2]
    assert chosen("entropy:0.33", every) == [0, 2]
    assert chosen("entropy:1.02", every) == [0, 1, 2]
    assert chosen("entropy:0", [1, 3]) == [0]


def test_sampled_blocks_judged_by_rejection_follow_the_model() -> None:
    """The first byte's distribution, against plain sampling's own."""
    model = filling_model().float()
    sampling = Sampling(temperature=0.3, top_k=3)
    reader = CachedBytes(model, b"", 64, next_static(4))
    expected = weights_of(reader.logits(), sampling)
    draws, counts = 80, np.zeros(256)
    for seed in range(draws):
        drawing = Sampling(temperature=0.3, top_k=3, seed=seed)
        reader = CachedBytes(model, b"", 64, next_static(4))
        counts[next(write_blocks(reader, DecodingMethod.parse("verify:4"), drawing))[0]] += 1
    noise = 4 * np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(counts / draws - expected) <= noise + 1e-9).all()


@pytest.mark.parametrize("rule", ["confidence", "confidence:2", "entropy:-1", "nan", "once:1"])
def test_rules_that_there_are_not(rule: str) -> None:
    with pytest.raises(InputError, match="`unmask`"):
        DecodingMethod.parse("diffuse:4", unmask=rule)


def test_blocks_of_nothing_and_of_one_byte(plain_run: TrainedRun) -> None:
    with pytest.raises(InputError, match="has a byte or more"):
        DecodingMethod.parse("diffuse:0")
    for how in ("diffuse:1", "verify:1", "speculate:0"):
        assert DecodingMethod.parse(how).kind == "ar"
    for how in ("diffuse:8", "verify:8"):
        with pytest.raises(InputError, match="has not learnt to fill blocks"):
            next(continue_text(plain_run, "a", 9, GREEDY, DecodingMethod.parse(how)))


def _windows(run: TrainedRun, text: bytes) -> tuple[TokenBatch, MaskedBlocks]:
    """Return the text in whole windows, and its blocks, all of them masked."""
    width = run.spec.window_units
    begins = tuple(range(0, len(text) - width, width))
    cut_at = Cut(begins, (width,) * len(begins), width)
    batch = cut_at.batch(byte_stream([text]), StaticPatches(4))
    opens, cells, is_text = blocks_of(batch, 8)
    masked = np.full(cells.shape, MASK)
    weights = np.ones(len(cells), np.float32)
    return batch, MaskedBlocks(masked, np.where(is_text, cells, -1), opens, is_text, weights)


@pytest.mark.slow
def test_the_first_of_a_block_says_what_the_row_before_it_says(block_run: TrainedRun) -> None:
    """On the text it was trained on: their nats approach each other from the one side that is no
    leak (400 steps leave .45, LOG.md), its accuracy is not the greater; further in is harder."""
    batches = open_corpus("embedded:eng_Latn").batches()
    text = "\n".join(text for batch in batches for text in batch.texts).encode()
    model = block_run.model
    assert isinstance(model, ByteLatentTransformer)
    batch, blocks = _windows(block_run, text)
    nats = unit_nats(model, batch, CPU)
    with torch.inference_mode():
        inputs = model.inputs(batch, CPU)
        logits = model.block_logits(inputs, BlockInputs.of(blocks, CPU))
        clean = model(inputs)
    row = np.arange(len(blocks.opens))[:, None]
    right = torch.from_numpy(blocks.targets.clip(min=0))
    of_cells = -logits.log_softmax(-1).gather(-1, right[..., None])[..., 0].numpy()
    before, first = nats[row, blocks.opens], of_cells[:, :, 0]
    noise = (first - before).std() / np.sqrt(first.size)
    assert -4 * noise < first.mean() - before.mean() < 0.6
    uniform = np.log(256)
    assert uniform - first.mean() > 0.8 * (uniform - before.mean())
    hit = (logits.argmax(-1) == right).numpy()
    next_hit = (clean.argmax(-1).numpy() == batch.targets)[row, blocks.opens]
    assert hit[:, :, 0].mean() < next_hit.mean() + 4 * next_hit.std() / np.sqrt(next_hit.size)
    by_place = [of_cells[:, :, c][blocks.is_text[:, :, c]].mean() for c in range(8)]
    assert by_place[0] < by_place[2] < by_place[7]


@pytest.mark.slow
def test_blocks_that_were_learnt_are_kept_more_often(block_run: TrainedRun) -> None:
    passes = Passes()
    for how in ("verify:8", "speculate:8"):
        text = continue_text(block_run, "The ", 200, GREEDY, DecodingMethod.parse(how), passes)
        expected = continue_text(block_run, "The ", 200, GREEDY)
        assert b"".join(text) == b"".join(expected)
    assert passes.accepted > 0
    for how in ("diffuse:8", "diffuse:3"):
        passes = Passes()
        text = continue_text(block_run, "The ", 200, GREEDY, DecodingMethod.parse(how), passes)
        assert len(b"".join(text)) == 200 and passes.global_module <= 51
