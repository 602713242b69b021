"""Entropies are those of a plain forward pass over what stands before each byte."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scaling.flops import SubwordShape
from scaling.model.byte_model import (
    REREAD,
    block_begin,
    blocks,
    entropies_of_documents,
    entropy_bits,
)
from scaling.model.cross_attention import Tokens
from scaling.model.transformer import SubwordTransformer
from tests.scaling.evaluate.streams import CPU
from tests.scaling.model.support import byte_model

CONTEXT = 16
# Logits of size 20 are known to 1e-6 in single precision, and up to 8 bits are weighed by them.
SINGLE = 1e-5
TEXTS = [b"", b"a", b"It is a truth", b"universally acknowledged, that a single man" * 3, b"\xff\0"]


def laid_out(texts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), offsets


def entropies(
    model: SubwordTransformer, texts: list[bytes], context: int = CONTEXT
) -> NDArray[np.float32]:
    return entropies_of_documents(model, *laid_out(texts), context, CPU)


def by_prefixes(model: SubwordTransformer, text: bytes, context: int) -> list[float]:
    """Each byte alone: BOS, then the bytes from its block's beginning up to it; in float64."""
    out = []
    for i in range(len(text)):
        prefix = [256, *text[block_begin(i, context) : i]]
        with torch.no_grad():
            logits = model(Tokens(torch.tensor([prefix]), None))[0, -1].double()
        p = logits.softmax(-1)
        out.append(float(-(p * p.log2()).sum()))
    return out


@given(st.integers(0, 500), st.integers(4, 64))
def test_blocks_cover_each_byte_once_with_enough_before_it(size: int, context: int) -> None:
    covered: list[int] = []
    for block in blocks(size, context):
        assert 0 <= block.begin <= block.wanted < block.end <= size
        assert block.end - block.begin <= context
        if block.wanted:  # all but a document's first block reread a quarter of the context
            assert block.wanted - block.begin == context // REREAD
        covered += range(block.wanted, block.end)
    assert covered == list(range(size))


@given(st.integers(1, 500), st.integers(1, 64))
def test_a_byte_is_read_in_the_block_that_begins_where_it_is_said_to(
    size: int, context: int
) -> None:
    for block in blocks(size, context):
        for i in range(block.wanted, block.end):
            assert block_begin(i, context) == block.begin


@given(st.integers(0, 300), st.integers(0, 300), st.integers(4, 64))
def test_text_still_being_written_has_the_blocks_it_will_have(
    size: int, more: int, context: int
) -> None:
    begins = {i: b.begin for b in blocks(size, context) for i in range(b.wanted, b.end)}
    later = {i: b.begin for b in blocks(size + more, context) for i in range(b.wanted, b.end)}
    assert all(later[i] == begin for i, begin in begins.items())


def test_entropies_are_those_of_plain_forward_passes() -> None:
    model = byte_model()
    expected = [value for text in TEXTS for value in by_prefixes(model, text, CONTEXT)]
    found = entropies(model, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=SINGLE)
    assert found.std() > 0.1  # they differ, so agreeing says something
    assert 0 < found.min() < found.max() < 8


def test_real_text_too(shared: Path) -> None:
    path = next(path for path in sorted((shared / "data").rglob("*.txt")))
    text = path.read_bytes()[5000:5300]
    model = byte_model()
    np.testing.assert_allclose(
        entropies(model, [text], 64), by_prefixes(model, text, 64), rtol=0, atol=SINGLE
    )


def test_a_model_that_knows_nothing_has_exactly_eight_bits() -> None:
    model = byte_model()
    with torch.no_grad():
        model.head.zero_()
    assert (entropies(model, TEXTS) == 8).all()


@pytest.mark.parametrize(
    ("probabilities", "bits"),
    [([1.0, 0.0], 0.0), ([0.5, 0.5], 1.0), ([0.25] * 4, 2.0), ([0.5, 0.25, 0.25], 1.5)],
)
def test_entropies_of_known_distributions(probabilities: list[float], bits: float) -> None:
    # The logit of an impossible byte: its exponential is nought, and so is its share.
    logits = torch.tensor(probabilities).clamp_min(1e-30).log() + 3
    assert float(entropy_bits(logits)) == pytest.approx(bits, abs=1e-6)


@given(st.permutations(range(len(TEXTS))), st.integers(1, 4))
def test_entropies_do_not_depend_on_what_is_read_beside(order: list[int], at_once: int) -> None:
    model = byte_model()
    alone = [entropies(model, [text]) for text in TEXTS]
    with pytest.MonkeyPatch.context() as patch:
        logits = at_once * 256 * CONTEXT
        patch.setattr("scaling.model.byte_model._MOST_LOGITS", {"cpu": logits})
        together = entropies(model, [TEXTS[i] for i in order])
    expected = np.concatenate([alone[i] for i in order])
    np.testing.assert_allclose(together, expected, rtol=0, atol=1e-6)


@given(st.integers(1, 2 * CONTEXT))
def test_blocks_that_are_filled_up_have_the_same_entropies(multiple: int) -> None:
    model, texts = byte_model(), [TEXTS[3][:size] for size in range(0, 60, 7)]
    exact = entropies(model, texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scaling.model.byte_model._LENGTHS", {"cpu": multiple})
        np.testing.assert_allclose(entropies(model, texts), exact, rtol=0, atol=SINGLE)


@pytest.mark.parametrize("place", [0, 3, 15, 16, 40, 100])
def test_no_entropy_depends_on_its_own_byte_or_a_later_one(place: int) -> None:
    model, text = byte_model(), TEXTS[3]
    other = text[:place] + b"~" + text[place + 1 :]
    before, after = entropies(model, [text]), entropies(model, [other])
    assert (before[: place + 1] == after[: place + 1]).all()
    assert before[place + 1] != after[place + 1]


def test_all_bytes_are_told_of_and_the_model_is_left_unchanged() -> None:
    model = byte_model().train()
    weights = [parameter.detach().clone() for parameter in model.parameters()]
    told: list[int] = []
    data, offsets = laid_out(TEXTS)
    entropies_of_documents(model, data, offsets, CONTEXT, CPU, told.append)
    assert sum(told) == len(data)
    for old, parameter in zip(weights, model.parameters(), strict=True):
        assert torch.equal(old, parameter)
        assert parameter.grad is None


def test_no_text_has_no_entropies() -> None:
    assert len(entropies(byte_model(), [])) == 0
    assert len(entropies(byte_model(), [b"", b""])) == 0


def test_only_a_model_of_bytes_has_them() -> None:
    with pytest.raises(AssertionError, match="byte model"):
        entropies(SubwordTransformer(SubwordShape(1, 8, 300)), [b"text"])
