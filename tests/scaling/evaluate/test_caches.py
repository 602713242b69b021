"""Reading with caches gives what a whole forward pass for every unit gives."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from scaling.evaluate.byte_cache import CachedBytes
from scaling.evaluate.entropies import entropy_bits, piece_begin, text_entropies
from scaling.evaluate.next_starts import NextEntropy, NextSpace, NextStarts, NextStatic
from scaling.evaluate.token_cache import CachedTokens
from scaling.evaluate.whole import Whole, piece_batch
from scaling.model.blt import ByteLatentTransformer
from scaling.model.patching import entropy_starts
from scaling.model.transformer import SubwordTransformer
from scaling.shapes import BltShape, SubwordShape
from scaling.spec import Patching
from tests.scaling.evaluate.streams import CPU

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


def _entropy(kind: str, most_bytes: int = 6) -> NextEntropy:
    model = byte_model()
    bits = text_entropies(model, np.frombuffer(TEXT, np.uint8), np.array([0, len(TEXT)]), 10)
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
    "every byte": lambda: NextStatic(1),
    "static": lambda: NextStatic(3),
    "fractional": lambda: NextStatic(2.5),
    "one patch": lambda: NextStatic(100),
    "space": lambda: NextSpace(6),
    "entropy": lambda: _entropy("entropy"),
    "monotonic": lambda: _entropy("entropy-monotonic"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("dtype", "tolerance", "known"),
    [(torch.float64, EXACT, 0), (torch.float64, EXACT, 50), (torch.float32, SINGLE, 24)],
    ids=["from nothing", "from the middle of a piece", "from the end of one, float32"],
)
def test_a_byte_latent_model(rule: str, dtype: torch.dtype, tolerance: float, known: int) -> None:
    """From each beginning, over the ends of several pieces; one starts in the middle of one."""
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
    """The caches' pieces are no bystanders: without the latent, the logits are others."""
    model = latent_model()
    reader = CachedBytes(model, TEXT[:10], WINDOW, NextStatic(4))
    before = reader.logits()
    reader._latent = reader._latent + 1
    reader.push(TEXT[10])  # byte 11 is not the first of a patch: it reads the same latent
    changed = reader.logits()
    honest = CachedBytes(model, TEXT[:11], WINDOW, NextStatic(4)).logits()
    assert before.shape == changed.shape
    assert not torch.allclose(changed, honest, rtol=0, atol=1e-6)


@pytest.mark.parametrize("window", range(1, 9))
def test_pieces_overlap_by_half(window: int) -> None:
    begin, length = 0, 0
    for place in range(60):
        if length == window:  # full: the last half stays
            begin, length = place - window // 2, window // 2
        assert piece_begin(place, window) == begin
        length += 1


@pytest.mark.parametrize("window", [1, 2, 5, 10, 200])
@pytest.mark.parametrize("rows", [1, 3])
def test_entropies_are_those_of_reading_byte_by_byte(window: int, rows: int) -> None:
    model = byte_model()
    texts = [TEXT, b"x", b"naive", TEXT[5:40]]
    offsets = np.cumsum([0, *map(len, texts)])
    data = np.frombuffer(b"".join(texts), np.uint8)
    found = text_entropies(model, data, offsets, window, rows, CPU)
    expected = []
    for text in texts:
        reader = Whole(model, b"", window, None)
        for byte in text:
            expected.append(float(entropy_bits(reader.logits())))
            reader.push(byte)
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_entropy_of_a_fair_die() -> None:
    assert float(entropy_bits(torch.zeros(8))) == pytest.approx(3)
    assert float(entropy_bits(torch.tensor([0.0, -1e9]))) == 0


@pytest.mark.parametrize("kind", ["entropy", "entropy-monotonic"])
def test_starts_byte_by_byte_are_those_of_the_whole_document(kind: str) -> None:
    """However the text came, in one go or byte by byte, and caps included."""
    rule = _entropy(kind, most_bytes=4)
    for place in range(len(TEXT)):
        begin = piece_begin(place, WINDOW)
        piece = rule(TEXT[:place], begin)
        assert len(piece) == place - begin + 1
    data = np.frombuffer(TEXT, np.uint8)
    bits = text_entropies(rule._model, data, np.array([0, len(data)]), 10)
    whole = entropy_starts(bits, rule._threshold, 4, kind == "entropy-monotonic")
    assert 0.2 < whole.mean() < 0.7
    whole[begin] = True
    assert piece.tolist() == whole[begin : len(TEXT)].tolist()


def test_the_batch_of_a_piece_begins_with_bos() -> None:
    assert piece_batch([7, 8], 257, None).inputs.tolist() == [[256, 7, 8]]
