"""Generation, greedy and sampled."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from corpora.errors import InputError
from scaling.evaluate.caches import CachedTokens
from scaling.evaluate.generate import generate_bytes, generate_units
from scaling.evaluate.latent_reader import CachedBytes, NextStarts, next_space, next_static
from scaling.evaluate.sampling import Sampling, probabilities
from tests.scaling.evaluate.test_caches import WINDOW, byte_model, latent_model
from tests.scaling.evaluate.whole import Whole


class Fixed:
    """A reader whose logits are always the same."""

    def __init__(self, logits: list[float]) -> None:
        self.all, self.pushed = torch.tensor(logits), list[int]()

    def logits(self) -> Tensor:
        return self.all

    def push(self, unit: int) -> None:
        self.pushed.append(unit)


@pytest.mark.parametrize("rule", [next_static(2.5), next_space(5)])
def test_greedy_bytes_are_the_same_with_and_without_caches(rule: NextStarts) -> None:
    model = latent_model()
    cached = generate_units(CachedBytes(model, b"Once", WINDOW, rule), Sampling())
    whole = generate_units(Whole(model, b"Once", WINDOW, rule), Sampling())
    text = list(itertools.islice(cached, 60))
    assert text == list(itertools.islice(whole, 60))
    assert len(set(text)) > 1


def test_greedy_tokens_are_the_same_with_and_without_caches() -> None:
    model = byte_model()
    cached = generate_units(CachedTokens(model, [1, 2], 9), Sampling())
    whole = generate_units(Whole(model, [1, 2], 9, None), Sampling())
    assert list(itertools.islice(cached, 40)) == list(itertools.islice(whole, 40))


def test_a_seed_gives_one_text() -> None:
    def text(seed: int, temperature: float = 1.0) -> list[int]:
        sampling = Sampling(temperature, 0.9, 50, seed)
        reader = CachedBytes(latent_model(), b"Once", WINDOW, next_static(3))
        return list(itertools.islice(generate_units(reader, sampling), 40))

    assert text(1) == text(1) != text(2)
    assert text(1, temperature=1e-4) == text(2, temperature=1e-4)  # as good as greedy


def test_draws_follow_the_probabilities() -> None:
    logits = [0.0, 1.0, 2.0, -1.0]
    drawn = list(itertools.islice(generate_units(Fixed(logits), Sampling(0.7, seed=3)), 20_000))
    expected = torch.softmax(torch.tensor(logits).double() / 0.7, 0).numpy()
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    # Four standard deviations of a share.
    assert np.all(np.abs(shares - expected) < 4 * np.sqrt(expected * (1 - expected) / len(drawn)))


def test_nuclei_are_the_likeliest_units() -> None:
    logits = np.log(np.array([0.1, 0.4, 0.2, 0.3]))
    all_of_them = Sampling(1.0)
    assert probabilities(logits, all_of_them) == pytest.approx([0.1, 0.4, 0.2, 0.3])
    assert probabilities(logits, Sampling(1.0, 0.65)) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert probabilities(logits, Sampling(1.0, 0.75)) == pytest.approx([0, 4 / 9, 2 / 9, 3 / 9])
    assert probabilities(logits, Sampling(1.0, 1e-9)) == pytest.approx([0, 1, 0, 0])
    assert probabilities(logits, Sampling(1.0, top_k=1)) == pytest.approx([0, 1, 0, 0])
    assert probabilities(logits, Sampling(1.0, 0.5, 3)) == pytest.approx([0, 4 / 7, 0, 3 / 7])


def test_the_lowest_temperature_takes_the_likeliest() -> None:
    logits = np.array([0.0, 1.0, 0.5, -np.inf], np.float32)
    for temperature in (5e-324, 1e-308):
        assert probabilities(logits, Sampling(temperature)).tolist() == [0, 1, 0, 0]


def test_units_without_text_are_never_drawn() -> None:
    forbidden = np.array([False, True, False])
    for sampling in (Sampling(), Sampling(2.0)):
        drawn = itertools.islice(generate_units(Fixed([0.0, 9.0, 1.0]), sampling, forbidden), 200)
        assert 1 not in set(drawn)


def test_so_many_bytes_and_no_more() -> None:
    pieces = [b" the", b" end", b"s"]
    units = generate_units(Fixed([1.0, 0.0, 0.0]), Sampling())
    assert b"".join(generate_bytes(units, pieces, 10)) == b" the the t"
    units = generate_units(Fixed([1.0, 0.0, 0.0]), Sampling())
    assert b"".join(generate_bytes(units, pieces, 10, prefix=b" ")) == b"the the th"
    units = generate_units(Fixed([1.0, 0.0, 0.0]), Sampling())
    assert list(generate_bytes(units, None, 3)) == [b"\0"] * 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"temperature": -1}, "`temperature` -1"),
        ({"temperature": float("nan")}, "`temperature` nan"),
        ({"top_p": 0}, "`top_p` 0"),
        ({"top_p": 1.5}, r"`top_p` 1\.5"),
        ({"top_k": 0}, "`top_k` 0"),
        ({"seed": -3}, "`seed` -3"),
    ],
)
def test_values_out_of_range(keys: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**keys)  # type: ignore[arg-type]


def test_a_diverged_model() -> None:
    with pytest.raises(InputError, match="diverged"):
        next(generate_units(Fixed([0.0, float("nan")]), Sampling()))
