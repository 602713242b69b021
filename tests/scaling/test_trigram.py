"""The trigram model that others must beat: it finds an entropy rate that is known exactly."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from corpora.synthetic import MarkovSource
from tests.scaling.trigram import fitted


def test_it_finds_the_entropy_rate_of_a_source_of_its_own_order() -> None:
    source = MarkovSource(order=2, document_bytes=2000, seed=5)
    trained, held_out = ("".join(source.texts(1000, part)).encode() for part in (0, 1))
    found = fitted(trained).bits_per_byte(held_out)
    assert found == pytest.approx(source.entropy_rate, rel=0.01)
    # A source of order 3 looks no more predictable than its pairs of letters make it.
    deeper = MarkovSource(order=3, alphabet="abcdefgh", document_bytes=2000, seed=5)
    text = "".join(deeper.texts(200, 0)).encode()
    assert fitted(text).bits_per_byte(text) > 1.1 * deeper.entropy_rate


@pytest.mark.parametrize("text", [b"a", b"abracadabra", bytes(range(256)) * 3])
def test_its_probabilities_sum_to_one_after_any_two_bytes(text: bytes) -> None:
    probabilities = np.exp2(-fitted(text).bits.reshape(-1, 256).astype(np.float64))
    assert probabilities.min() > 0
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-5


def test_its_bits_are_those_of_its_bytes_in_order() -> None:
    model = fitted(b"abracadabra, abracadabra")
    text = b"cab"
    expected = [model.bits[a << 16 | b << 8 | c] for a, b, c in [b"\n\nc", b"\nca", b"cab"]]
    assert model.bits_per_byte(text) == pytest.approx(np.mean(expected))


def test_long_texts_are_counted_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"the quick brown fox jumps over the lazy dog" * 3
    whole = fitted(text)
    monkeypatch.setattr("tests.scaling.trigram._AT_ONCE", 50)
    parts = fitted(text)
    assert (whole.bits == parts.bits).all()
    assert whole.bits_per_byte(text) == pytest.approx(parts.bits_per_byte(text), rel=1e-12)


def test_its_entropies_are_of_the_bytes_that_may_follow() -> None:
    model = fitted(b"abracadabra, abracadabra")
    text = b"cab"
    bits = model.bits.reshape(-1, 256)
    after_ca = bits[ord("c") << 8 | ord("a")].astype(np.float64)
    entropies = model.entropies(text)
    assert len(entropies) == 3
    assert entropies[2] == pytest.approx(float((np.exp2(-after_ca) * after_ca).sum()), rel=1e-5)
    assert (model.entropies(b"cax") == entropies).all(), "the last byte is not looked at"


@pytest.mark.slow
def test_it_reads_english_novels_as_it_did(shared: Path) -> None:
    with lzma.open(shared / "data/train/eng.jsonl.xz", "rt", encoding="utf-8") as file:
        text = "\n".join(json.loads(line)["text"] for line in file).encode()
    found = fitted(text[:-2_000_000]).bits_per_byte(text[-2_000_000:])
    # What a model trained on the same text must beat.
    assert found == pytest.approx(2.7938, abs=5e-4)
