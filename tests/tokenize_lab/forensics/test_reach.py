"""Which tokens can come out, and which merges can fire, against trying every text there is."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenize_lab.forensics.made import Pair, byte_level, id_of
from tokenize_lab.forensics.merges import dead_merges, merge_rules
from tokenize_lab.forensics.reach import PROVEN, Reach, find_reach
from tokenize_lab.patterns import GPT4
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer

EVERY_TEXT = ["".join(letters) for size in range(1, 8) for letters in product("abc", repeat=size)]


@st.composite
def merge_lists(draw: st.DrawFn) -> list[Pair]:
    """Merges over three letters, each of parts that exist by then, results of up to 6 letters."""
    tokens = [b"a", b"b", b"c"]
    merges: list[Pair] = []
    for _ in range(draw(st.integers(3, 14))):
        pair = (draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens)))
        if len(pair[0] + pair[1]) <= 6 and pair not in merges:
            merges.append(pair)
            if pair[0] + pair[1] not in tokens:
                tokens.append(pair[0] + pair[1])
    return merges


def encodings(tokenizer: Tokenizer) -> list[int]:
    ids: list[int] = tokenizer.encode_batch(EVERY_TEXT).ids.tolist()
    return ids


def pieces(tokenizer: Tokenizer) -> list[bytes]:
    return [tokenizer.token_bytes[i] for i in encodings(tokenizer)]


@settings(max_examples=20)
@given(merge_lists())
def test_reach_is_what_trying_every_text_finds(merges: list[Pair]) -> None:
    tokenizer = byte_level(merges)
    met = set(encodings(tokenizer))
    found = find_reach(tokenizer)
    made = range(256, len(tokenizer.token_bytes))
    assert {i for i in made if found.status[i] == Reach.REACHED} == {i for i in made if i in met}
    # All others are proven: nothing splits the text, and all are whole characters.
    assert {i for i in made if found.status[i] in PROVEN} == {i for i in made if i not in met}


@settings(max_examples=8)
@given(merge_lists())
def test_a_merge_is_dead_exactly_if_no_text_misses_it(merges: list[Pair]) -> None:
    tokenizer = byte_level(merges)
    rules = merge_rules(tokenizer)
    assert rules is not None
    dead = set(dead_merges(rules))
    whole = pieces(tokenizer)
    results = [left + right for left, right in merges]
    for place, merge in enumerate(rules.listed):
        rest = [*merges[:place], *merges[place + 1 :]]
        # A token that lost its only merge is still in the vocabulary.
        without = byte_level(rest, extra=results)
        assert (pieces(without) == whole) == (merge in dead), (merges, place)


def test_a_merge_that_comes_too_late_is_known_by_hand() -> None:
    tokenizer = byte_level([(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")])
    rules = merge_rules(tokenizer)
    assert rules is not None
    (dead,) = dead_merges(rules)
    assert (dead.left, dead.right) == (id_of(tokenizer, b"a"), id_of(tokenizer, b"bc"))
    found = find_reach(tokenizer)
    abc = id_of(tokenizer, b"abc")
    assert found.status[abc] == Reach.MERGED_OTHERWISE
    assert found.instead[abc] == [id_of(tokenizer, b"ab"), id_of(tokenizer, b"c")]
    # Taken whole before merging, the same token does come out.
    whole = byte_level([(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")], whole=True)
    assert find_reach(whole).status[abc] == Reach.REACHED


def test_a_token_across_pieces_was_only_not_found() -> None:
    tokenizer = byte_level([(b"a", b" "), (b"a ", b"b")], pattern=GPT4)
    found = find_reach(tokenizer)
    assert found.status[id_of(tokenizer, b"a b")] == Reach.ALWAYS_CUT
    assert find_reach(byte_level([(b"a", b" "), (b"a ", b"b")])).ids(Reach.ALWAYS_CUT) == []


def test_half_a_character_that_every_neighbour_takes() -> None:
    """Every character that begins with D0 merges before its lead byte can join the letter."""
    first: Sequence[Pair] = [(b"\xd0", bytes([byte])) for byte in range(0x80, 0xC0)]
    tokenizer = byte_level([*first, (b"a", b"\xd0")])
    assert find_reach(tokenizer).status[id_of(tokenizer, b"a\xd0")] == Reach.NO_NEIGHBOUR
    # One character left out is enough, here the last that a search would try.
    tokenizer = byte_level([*first[:-1], (b"a", b"\xd0")])
    assert find_reach(tokenizer).status[id_of(tokenizer, b"a\xd0")] == Reach.REACHED


def test_bytes_that_no_text_holds() -> None:
    found = find_reach(load_tokenizer("byte"))
    never = [0xC0, 0xC1, *range(0xF5, 0x100)]
    assert found.ids(Reach.NOT_UTF8) == never
    assert found.ids(Reach.REACHED) == [i for i in range(256) if i not in never]


@pytest.mark.parametrize(
    ("spec", "proven", "open_ids"), [("mistral:v1", 13 + 127, []), ("mistral:tekken", 13, [1396])]
)
def test_production_vocabularies(spec: str, proven: int, open_ids: list[int]) -> None:
    """Mistral v1 has a piece for each character from 00 to FF but NUL, so the fallback bytes of
    these, C2 and C3 among them, never come out. Tekken's 1396 is `o` and the first byte of a
    Cyrillic capital, which its pattern always parts."""
    tokenizer = load_tokenizer(spec)
    found = find_reach(tokenizer)
    assert len(found.ids(*PROVEN)) == proven
    assert found.ids(Reach.ALWAYS_CUT, Reach.NOT_FOUND) == open_ids


@pytest.mark.parametrize("recipe", ["bpe", "bpe-unsplit", "unigram-sp", "unigram-hf", "character"])
def test_trained_tokenizers_reach_what_they_learned(
    trained: dict[str, "object"], recipe: str
) -> None:
    tokenizer = load_tokenizer(str(trained[recipe]))
    found = find_reach(tokenizer)
    lost = [tokenizer.token_bytes[i] for i in found.ids(*Reach) if found.status[i] > Reach.REACHED]
    if recipe.startswith("bpe"):
        # Every merge fired in training; the 13 bytes of no text were put in beforehand.
        assert found.ids(Reach.MERGED_OTHERWISE, Reach.NO_NEIGHBOUR) == []
        # As tekken's, its pattern parts `o` from the first byte of a Cyrillic capital.
        cut = [tokenizer.token_bytes[i] for i in found.ids(Reach.ALWAYS_CUT)]
        assert cut == (["о".encode() + b"\xd0"] if recipe == "bpe" else [])
        assert len(lost) == 13 + len(cut)
    met = set(
        tokenizer.encode_batch([text.decode() for text in lost if _is_text(text)]).ids.tolist()
    )
    assert not met & set(found.ids(*PROVEN))


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
