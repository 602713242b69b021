"""Scores are worked out another way, document by document, and must agree."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.shards import Stream
from scaling.data.windows import SpacePatches, StaticPatches, StoredPatches
from scaling.evaluate.score import Scores, interval, score
from scaling.flops import BltShape, SubwordShape
from scaling.model.blt import ByteLatentTransformer
from scaling.model.cross_attention import Tokens
from scaling.model.transformer import SubwordTransformer
from tests.scaling.evaluate.streams import CPU, byte_stream, token_stream

TEXTS = [b"", b"a", b"To be, or not to be", b"that is the question:" * 5, "naïve café".encode()]
TEXTS = [text for text in TEXTS if text]


def _blt(seed: int = 1) -> ByteLatentTransformer:
    torch.manual_seed(seed)
    return ByteLatentTransformer(BltShape(2, 16, 1, 8, 2), 7).double()


def _subword(vocabulary: int, seed: int = 1) -> SubwordTransformer:
    torch.manual_seed(seed)
    return SubwordTransformer(SubwordShape(2, 16, vocabulary)).double()


def _one_by_one(model: SubwordTransformer, stream: Stream, width: int) -> list[float]:
    """Nats of each document, its windows fed one at a time, without rows, segments or padding."""
    out = []
    for number in range(stream.document_count):
        units = torch.tensor(stream.document(number).astype(np.int64))
        total = 0.0
        for part in torch.split(units, width):
            inputs = torch.cat([torch.tensor([stream.bos]), part[:-1]])[None]
            with torch.no_grad():
                logits = model(Tokens(inputs, None))[0]
            logs = logits - logits.logsumexp(-1, keepdim=True)
            total -= float(logs[torch.arange(len(part)), part].sum())
        out.append(total)
    return out


@pytest.mark.parametrize("model", [_blt(), _subword(256)], ids=["blt", "bytes"])
def test_a_model_that_knows_nothing_scores_eight_bits(
    model: ByteLatentTransformer | SubwordTransformer,
) -> None:
    with torch.no_grad():
        model.head.zero_()
    patches = StaticPatches(3) if isinstance(model, ByteLatentTransformer) else None
    scores = score(model, byte_stream(TEXTS), 16, 2, patches, CPU)
    assert scores.bits_per_byte == pytest.approx(8, abs=1e-12)
    assert scores.bytes == sum(map(len, TEXTS))
    assert scores.document_bytes.tolist() == [len(text) for text in TEXTS]


@pytest.mark.parametrize("width", [1, 5, 16, 200])
@pytest.mark.parametrize("rows", [1, 3, 50])
def test_documents_score_what_they_score_alone(width: int, rows: int) -> None:
    model, stream = _subword(256), byte_stream(TEXTS)
    scores = score(model, stream, width, rows, None, CPU)
    assert scores.document_nats == pytest.approx(_one_by_one(model, stream, width), rel=1e-10)


@pytest.mark.parametrize("patches", [StaticPatches(2.5), SpacePatches(6)])
def test_a_byte_latent_model_scores_documents_apart(patches: StaticPatches | SpacePatches) -> None:
    model = _blt()
    together = score(model, byte_stream(TEXTS), 32, 3, patches, CPU)
    alone = [score(model, byte_stream([text]), 32, 1, patches, CPU) for text in TEXTS]
    assert together.document_nats == pytest.approx([one.nats for one in alone], rel=1e-10)
    assert together.document_patches.tolist() == [one.patches for one in alone]
    assert together.compression_rate == together.bytes / together.patches


def test_stored_patches_that_are_not_there() -> None:
    with pytest.raises(InputError, match="hold no patches"):
        score(_blt(), byte_stream(TEXTS), 16, 2, StoredPatches(), CPU)


def test_no_text() -> None:
    with pytest.raises(InputError, match="no text"):
        score(_blt(), byte_stream([]), 16, 2, StaticPatches(2), CPU)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=12), min_size=1, max_size=6),
    st.integers(1, 9),
    st.integers(0, 1),
)
def test_bytes_are_those_of_the_raw_text(
    documents: list[list[int]], width: int, prefix: int
) -> None:
    """Tokens of 1 to 5 bytes; a document's first may hold a byte that is none of the text."""
    lengths = np.array([1, 2, 3, 4, 5], np.int32)
    stream = token_stream(documents, lengths, prefix)
    scores = score(_subword(5), stream, width, 2, None, CPU)
    expected = [int(lengths[ids].sum()) - prefix for ids in documents]
    assert scores.document_bytes.tolist() == expected
    assert scores.units == sum(map(len, documents))


def test_languages_add_up() -> None:
    stream = byte_stream(TEXTS, languages=[1, 0, 1, 0])
    scores = score(_subword(256), stream, 16, 2, None, CPU)
    parts = scores.by_language(["eng", "fra", "deu"])
    assert list(parts) == ["eng", "fra"]
    assert parts["eng"].document_bytes.tolist() == [len(TEXTS[1]), len(TEXTS[3])]
    assert sum(one.nats for one in parts.values()) == pytest.approx(scores.nats)
    assert sum(one.bytes for one in parts.values()) == scores.bytes
    assert sum(one.units for one in parts.values()) == scores.units == scores.bytes
    assert scores.patches == 0


def test_a_quick_look_reads_the_first_batches_only() -> None:
    stream, seen = byte_stream(TEXTS), list[int]()
    model = _subword(256)
    whole = score(model, stream, 8, 1, None, CPU)
    some = score(model, stream, 8, 1, None, CPU, most_bytes=20, advance=seen.append)
    assert 20 <= some.bytes == sum(seen) < 28
    complete = len(some.document_nats) - 1  # the last may have been cut short
    assert some.document_nats[:complete] == pytest.approx(whole.document_nats[:complete])


def test_the_model_goes_on_training_and_float32_agrees() -> None:
    model = _subword(256)
    model.train()
    exact = score(model, byte_stream(TEXTS), 16, 2, None, CPU)
    training_after = [model.training]
    model.eval()
    single = score(model.float(), byte_stream(TEXTS), 16, 2, None, CPU)
    assert [*training_after, model.training] == [True, False]
    assert single.bits_per_byte == pytest.approx(exact.bits_per_byte, rel=1e-6)
    half = score(model, byte_stream(TEXTS), 16, 2, None, CPU, autocast=torch.bfloat16)
    assert half.bits_per_byte != single.bits_per_byte
    assert half.bits_per_byte == pytest.approx(exact.bits_per_byte, rel=0.02)


def _scores(nats: NDArray[np.float64], size: int) -> Scores:
    sizes = np.full(len(nats), size, np.int64)
    return Scores(nats, sizes, sizes, sizes, np.zeros(len(nats), np.uint16))


def test_the_interval_is_that_of_a_mean() -> None:
    """Documents of one size: the bits per byte are a mean, whose spread is known."""
    random = np.random.default_rng(5)
    nats = random.normal(200, 30, 400)
    scores = _scores(nats, 100)
    found = interval(scores, draws=4000)
    assert found is not None
    half = 1.96 * nats.std() / math.sqrt(400) / (100 * math.log(2))
    middle = scores.bits_per_byte
    assert found == pytest.approx((middle - half, middle + half), abs=half / 10)
    assert interval(scores, draws=4000) == found
    assert interval(scores, draws=4000, seed=1) != found
    narrow = interval(scores, level=0.5)
    assert narrow is not None and found[0] < narrow[0] < middle < narrow[1] < found[1]


def test_no_interval_of_one_document_or_of_a_diverged_model() -> None:
    assert interval(_scores(np.ones(1), 1)) is None
    assert interval(_scores(np.array([1.0, math.nan]), 1)) is None
