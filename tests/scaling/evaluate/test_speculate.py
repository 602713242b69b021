"""Guessing ahead: the same text as plain decoding, or the same distribution, in fewer passes."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from corpora.errors import InputError
from scaling.evaluate.decoding import DecodingMethod, Passes, decodings
from scaling.evaluate.generate import continue_text, cut, cut_after, generate_units
from scaling.evaluate.latent_reader import CachedBytes, NextStarts, next_space, next_static
from scaling.evaluate.sampling import Sampling, judged, probabilities
from scaling.evaluate.trained_run import TrainedRun
from scaling.evaluate.write_ahead import speculate
from scaling.model.blt import ByteLatentTransformer
from tests.scaling.evaluate.test_caches import TEXT, WINDOW, _entropy, latent_model

GREEDY = Sampling()
PROMPTS = ("", "\u0926\u0940 \u00fc\x00 never seen")


def rules() -> dict[str, NextStarts]:
    """Return rules of patches by name, none of which has read anything."""
    return {
        "static 1": next_static(1),
        "static 4": next_static(4),
        "static 8": next_static(8),
        "space": next_space(12),
        "entropy": _entropy("entropy"),
        "monotonic": _entropy("entropy-monotonic"),
    }


def plain(
    model: ByteLatentTransformer,
    prompt: bytes,
    rule: NextStarts,
    size: int,
    window: int = WINDOW * 4,
) -> bytes:
    units = generate_units(CachedBytes(model, prompt, window, rule), GREEDY)
    return bytes(itertools.islice(units, size))


def near_ties(model: ByteLatentTransformer, prompt: bytes, rule: NextStarts, text: bytes) -> str:
    """Say at which bytes of a greedy text rounding could have chosen another."""
    reader, ties = CachedBytes(model, prompt, WINDOW * 4, rule), []
    for place, byte in enumerate(text):
        first, second = reader.logits().topk(2).values.tolist()
        if first - second < 1e-4:
            ties.append(f"byte {place}: {first - second:.1e}")
        reader.push(byte)
    return f"near ties: {', '.join(ties) or 'none'}"


def same_as_plain(
    run: TrainedRun,
    name: str,
    decodings: list[DecodingMethod],
    prompts: tuple[bytes, ...],
    size: int,
) -> None:
    model = run.model
    assert isinstance(model, ByteLatentTransformer)
    for prompt in prompts:
        expected = plain(model, prompt, rules()[name], size)
        assert len(set(expected)) > 8
        for decoding in decodings:
            reader = CachedBytes(model, prompt, WINDOW * 4, rules()[name])
            found = b"".join(cut(speculate(reader, decoding, GREEDY), size))
            if found != expected:
                pytest.fail(f"{decoding}: {near_ties(model, prompt, rules()[name], expected)}")


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("name", ["static 4", "space", "entropy"])
def test_greedy_text_is_that_of_plain_decoding(
    plain_run: TrainedRun, name: str, reuse: bool
) -> None:
    """Over the end of a segment; in float32, as trained."""
    decodings = [DecodingMethod("speculate", size, reuse) for size in (3, 8)]
    same_as_plain(plain_run, name, decodings, (b"The water",), 110)


@pytest.mark.slow
@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("name", rules())
def test_greedy_text_is_that_of_plain_decoding_whatever_is_asked(
    plain_run: TrainedRun, name: str, reuse: bool
) -> None:
    decodings = [DecodingMethod("speculate", size, reuse) for size in (1, 4, 8, 16)]
    same_as_plain(plain_run, name, decodings, (b"", b"T", b"The water of the"), 300)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_any_prompt_and_any_byte_survive(plain_run: TrainedRun, prompt: str) -> None:
    """A model at random writes bytes that are no UTF-8; drafts reach beyond the size asked for."""
    for size in (1, 40):
        texts = [
            b"".join(continue_text(plain_run, prompt, size, GREEDY, DecodingMethod.parse(how)))
            for how in ("ar", "speculate:0", "speculate:5", "speculate:126")
        ]
        assert len(set(texts)) == 1 and len(texts[0]) == size
    model = latent_model()
    expected = plain(model, prompt.encode(), next_static(3), 120)
    rounds = speculate(
        CachedBytes(model, prompt.encode(), WINDOW * 4, next_static(3)),
        DecodingMethod("speculate", 6),
        GREEDY,
    )
    assert b"".join(cut(rounds, 120)) == expected
    assert max(expected) > 0x7F


def test_what_is_read_and_taken_back_leaves_no_trace() -> None:
    """Logits after guesses and rewinding are those of a reader that never did."""
    model = latent_model()
    for name, rule in rules().items():
        reader = CachedBytes(model, TEXT[:20], 64, rule)
        for byte in b"guesses":
            reader.guess(byte)
        reader.rewind(20)
        reader.read(b" wrong turns ")
        reader.rewind(11)
        found = reader.read(TEXT[11:40])
        honest = CachedBytes(model, TEXT[:11], 64, rules()[name])
        for place, byte in enumerate(TEXT[11:40]):
            honest.push(byte)
            torch.testing.assert_close(found[place], honest.logits(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("reuse", [True, False])
def test_passes_follow_the_formulas_of_the_paper(plain_run: TrainedRun, reuse: bool) -> None:
    """R rounds of k guesses: N_dec = R (k + 1), N_glob = 2 R, or R with reuse, and one prompt."""
    passes = Passes()
    decoding = DecodingMethod("speculate", 8, reuse)
    text = b"".join(continue_text(plain_run, "The", 90, GREEDY, decoding, passes))
    rounds, rest = divmod(passes.drafted, 8)
    assert rest == 0 and len(text) == 90
    assert passes.decoder == rounds * 9
    assert passes.global_module <= (1 + rounds if reuse else 2 * rounds)
    assert passes.global_module >= rounds
    assert rounds - 1 < 90 / (1 + 8 * passes.accepted / passes.drafted) <= rounds + 1
    written = passes.accepted + rounds
    assert 90 <= written < 99
    assert sum(passes.kept.values()) == passes.accepted <= sum(passes.judged.values())


def test_plain_decoding_makes_a_pass_for_each_byte_and_each_patch(plain_run: TrainedRun) -> None:
    passes = Passes()
    b"".join(continue_text(plain_run, "The", 80, GREEDY, passes=passes))
    assert (passes.decoder, passes.encoder, passes.drafted) == (80, 80, 0)
    assert passes.global_module == 1 + 20


def test_guesses_keep_the_distribution() -> None:
    """What is kept or drawn instead has the right probabilities, whatever was guessed with."""
    random = np.random.default_rng(7)
    right = np.array([[0.5, 0.3, 0.2, 0.0], [0.1, 0.1, 0.1, 0.7], [0.25] * 4])
    for guessed in ([0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0], [0.5, 0.3, 0.2, 0.0]):
        counts: Counter[tuple[int, ...]] = Counter()
        for _ in range(6_000):
            guesses = random.choice(4, 2, p=guessed).tolist()
            kept, unit = judged(guesses, np.array([guessed] * 2), right, random)
            counts[tuple([*guesses[:kept], unit][:2])] += 1
        first = np.bincount([key[0] for key in counts.elements()], minlength=4) / 6_000
        assert np.abs(first - right[0]).max() < 4 * 0.5 / np.sqrt(6_000)
        pairs = {key: n for key, n in counts.items() if len(key) == 2}
        second = np.zeros(4)
        for key, n in pairs.items():
            second[key[1]] += n / sum(pairs.values())
        assert np.abs(second - right[1]).max() < 4 * 0.5 / np.sqrt(sum(pairs.values()))


def test_sampled_text_has_the_distribution_of_plain_sampling(plain_run: TrainedRun) -> None:
    """Three bytes, each drawn from the two likeliest: eight texts, as often as they should be."""
    model, draws = plain_run.model, 100
    assert isinstance(model, ByteLatentTransformer)
    sampling = Sampling(temperature=1.5, top_k=2)
    expected: dict[bytes, float] = {b"": 1.0}
    for _ in range(3):
        longer = {}
        for text, probability in expected.items():
            logits = CachedBytes(model, b"The " + text, 128, next_static(4)).logits().numpy()
            weights = probabilities(logits, sampling)
            for byte in np.flatnonzero(weights).tolist():
                longer[text + bytes([byte])] = probability * weights[byte]
        expected = longer
    counts: Counter[bytes] = Counter()
    for seed in range(draws):
        reader = CachedBytes(model, b"The ", 128, next_static(4))
        drawing = Sampling(temperature=1.5, top_k=2, seed=seed)
        counts[b"".join(cut(speculate(reader, DecodingMethod("speculate", 3), drawing), 3))] += 1
    assert set(counts) <= set(expected)
    for text, probability in expected.items():
        noise = 4 * np.sqrt(probability * (1 - probability) / draws)
        assert abs(counts[text] / draws - probability) < noise + 1e-9


def test_writing_stops_where_it_is_told_to() -> None:
    def pieces() -> itertools.chain[bytes]:
        return itertools.chain([b"ab", b"", b"c\n", b"\nd", b"e"])

    assert b"".join(cut_after(pieces(), b"b")) == b"ab"
    assert b"".join(cut_after(pieces(), b"bc")) == b"abc"
    assert b"".join(cut_after(pieces(), b"\n\n")) == b"abc\n\n"
    assert b"".join(cut_after(pieces(), b"none")) == b"abc\n\nde"


@pytest.mark.parametrize("how", ["speculate", "speculate:", "speculate:x", "spec:4", "ar:1", "-3"])
def test_ways_that_there_are_not(how: str) -> None:
    with pytest.raises(InputError, match="`decode`"):
        DecodingMethod.parse(how)


def test_several_ways_may_be_of_several_kinds() -> None:
    found = decodings(["speculate:4, 8,verify:8", "ar,diffuse:4"], unmask="entropy:1")
    assert list(map(str, found)) == ["speculate:4", "speculate:8", "verify:8", "ar", "diffuse:4"]
    assert {str(way.unmasking) for way in found if way.fills_blocks} == {"entropy:1"}
    for texts in (["speculate:4,"], ["speculate:4,x"], ["ar,8"], [""]):
        with pytest.raises(InputError, match="`decode`"):
            decodings(texts)
    with pytest.raises(InputError, match="`unmask`"):
        decodings(["ar", "speculate:4"], unmask="once")


def test_guesses_beyond_the_context(plain_run: TrainedRun) -> None:
    with pytest.raises(InputError, match="sees 128 bytes at once"):
        next(continue_text(plain_run, "a", 9, GREEDY, DecodingMethod.parse("speculate:128")))
