"""Reading with caches gives what a whole forward pass for every unit gives."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from scaling.evaluate.caches import CachedTokens, segment_batch, segment_begin
from scaling.evaluate.latent_reader import (
    CachedBytes,
    NextEntropy,
    NextStarts,
    next_space,
    next_static,
)
from scaling.flops import BltShape, SubwordShape
from scaling.model.blt import ByteLatentTransformer
from scaling.model.byte_model import block_begin, entropies_of_documents, entropy_bits
from scaling.model.patching import entropy_starts
from scaling.model.transformer import SubwordTransformer
from scaling.spec import Patching
from tests.scaling.evaluate.streams import CPU
from tests.scaling.evaluate.whole import Whole

TEXT = b"It is a truth universally   acknowledged, that a single man in possession of"
WINDOW = 24
EXACT, SINGLE = 1e-10, 1e-4


def byte_model(seed: int = 5, window: int | None = None) -> SubwordTransformer:
    """Return a random model of bytes whose entropies differ from byte to byte."""
    torch.manual_seed(seed)
    model = SubwordTransformer(SubwordShape(1, 16, 256), window=window)
    with torch.no_grad():
        model.head.mul_(6)
    return model.double().eval()


def latent_model(local_layers: int = 2) -> ByteLatentTransformer:
    """Return a random byte latent transformer whose local window is shorter than its context."""
    torch.manual_seed(2)
    return ByteLatentTransformer(BltShape(2, 32, local_layers, 16, 2), 5).double().eval()


def _bits(model: SubwordTransformer) -> NDArray[np.float32]:
    data = np.frombuffer(TEXT, np.uint8)
    return entropies_of_documents(model, data, np.array([0, len(data)]), 10, CPU)


def _entropy(kind: str, most_bytes: int = 6) -> NextEntropy:
    model = byte_model()
    bits = _bits(model)
    monotonic = kind == "entropy-monotonic"
    keys = np.diff(bits) if monotonic else bits
    patching = Patching(
        kind=kind,  # type: ignore[arg-type]
        compression_rate=3,
        most_bytes=most_bytes,
        threshold=float(np.quantile(keys, 0.7)),
    )
    return NextEntropy(patching, model, 10)


RULES: dict[str, Callable[[], NextStarts]] = {
    "every byte": lambda: next_static(1),
    "static": lambda: next_static(3),
    "fractional": lambda: next_static(2.5),
    "one patch": lambda: next_static(100),
    "space": lambda: next_space(6),
    "entropy": lambda: _entropy("entropy"),
    "monotonic": lambda: _entropy("entropy-monotonic"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("dtype", "tolerance", "known"),
    [(torch.float64, EXACT, 0), (torch.float64, EXACT, 50), (torch.float32, SINGLE, 24)],
    ids=["from nothing", "from the middle of a segment", "from the end of one, float32"],
)
def test_a_byte_latent_model(rule: str, dtype: torch.dtype, tolerance: float, known: int) -> None:
    """From each beginning, over the ends of several segments; one starts in the middle of one."""
    model = latent_model().to(dtype)
    cached = CachedBytes(model, TEXT[:known], WINDOW, RULES[rule]())
    whole = Whole(model, TEXT[:known], WINDOW, RULES[rule]())
    for byte in TEXT[known:]:
        assert torch.allclose(cached.logits(), whole.logits(), rtol=0, atol=tolerance)
        cached.push(byte)
        whole.push(byte)
    assert torch.allclose(cached.logits(), whole.logits(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("context", [1, 2, 7, 24])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, EXACT), (torch.float32, SINGLE)], ids=["64", "32"]
)
def test_a_token_model(
    window: int | None, context: int, dtype: torch.dtype, tolerance: float
) -> None:
    model = byte_model(window=window).to(dtype)
    cached = CachedTokens(model, list(TEXT[:9]), context)
    whole = Whole(model, TEXT[:9], context, None)
    for byte in TEXT[9:]:
        cached.push(byte)
        whole.push(byte)
        assert torch.allclose(cached.logits(), whole.logits(), rtol=0, atol=tolerance)


def test_the_latest_latent_matters_and_only_once_its_patch_has_opened() -> None:
    """The caches' segments are no bystanders: without the latent, the logits are others."""
    model = latent_model()
    reader = CachedBytes(model, TEXT[:10], WINDOW, next_static(4))
    before = reader.logits()
    reader._slots[-1] = reader._slots[-1] + 1
    reader.push(TEXT[10])  # byte 11 is not the first of a patch: it reads the same latent
    changed = reader.logits()
    honest = CachedBytes(model, TEXT[:11], WINDOW, next_static(4)).logits()
    assert before.shape == changed.shape
    assert not torch.allclose(changed, honest, rtol=0, atol=1e-6)


@pytest.mark.parametrize("window", range(1, 9))
def test_pieces_overlap_by_half(window: int) -> None:
    begin, length = 0, 0
    for place in range(60):
        if length == window:  # full: the last half stays
            begin, length = place - window // 2, window // 2
        assert segment_begin(place, window) == begin
        length += 1


@pytest.mark.parametrize("context", [1, 2, 7, 10])
def test_entropies_byte_by_byte_are_those_of_the_document(context: int) -> None:
    model = byte_model()
    data = np.frombuffer(TEXT, np.uint8)
    whole = entropies_of_documents(model, data, np.array([0, len(data)]), context, CPU)
    reader = CachedTokens(model, b"", context, block_begin)
    for byte, expected in zip(TEXT, whole, strict=True):
        assert float(entropy_bits(reader.logits())) == pytest.approx(expected, rel=1e-5)
        reader.push(byte)


@pytest.mark.parametrize("kind", ["entropy", "entropy-monotonic"])
def test_starts_byte_by_byte_are_those_of_the_whole_document(kind: str) -> None:
    """However the text came, in one go or byte by byte, and caps included."""
    rule = _entropy(kind, most_bytes=4)
    for place in range(len(TEXT)):
        begin = segment_begin(place, WINDOW)
        segment = rule(TEXT[:place], begin)
        assert len(segment) == place - begin + 1
    bits = _bits(rule._model)
    whole = entropy_starts(bits, rule._threshold, 4, kind == "entropy-monotonic")
    assert 0.2 < whole.mean() < 0.7
    whole[begin] = True
    assert segment.tolist() == whole[begin : len(TEXT)].tolist()


def test_the_batch_of_a_segment_begins_with_bos() -> None:
    assert segment_batch([7, 8], 257, None).inputs.tolist() == [[256, 7, 8]]
