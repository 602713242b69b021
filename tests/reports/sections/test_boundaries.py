"""Tokens are drawn where they end, and nothing that is written is torn."""

import regex
from hypothesis import given
from hypothesis import strategies as st

from reports.html import visible
from reports.sections.boundaries import Piece, pieces
from tokenize_lab.tokenizer_spec import load_tokenizer

CLUSTER = regex.compile(r"\X")


@st.composite
def tokenized(draw: st.DrawFn) -> tuple[str, list[int]]:
    """A text, and sizes of tokens that cover its bytes; some are empty."""
    awkward = st.sampled_from(
        ["👩‍👩‍👧", "कि", "e\u0301", "กำ", "العربية", "\r\n", "\0", "a", " ", "한", "🇫🇷🇩🇪"]
    )
    text = draw(st.lists(awkward | st.characters(codec="utf-8"), max_size=12).map("".join))
    n = len(text.encode())
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=30)))
    ends = [*cuts, n]
    return text, [end - start for start, end in zip([0, *cuts], ends, strict=True)]


@given(tokenized())
def test_every_token_is_drawn_once_and_no_cluster_is_torn(case: tuple[str, list[int]]) -> None:
    text, sizes = case
    drawn = pieces(text.encode(), sizes)
    assert sum(piece.tokens for piece in drawn) == len(sizes)
    clusters = [
        visible(cluster).replace("␊", "␊\n").replace("␉", "␉\t")
        for cluster in CLUSTER.findall(text)
    ]
    # Shown text is the clusters, in order, each in one piece.
    rest = iter(clusters)
    for piece in drawn:
        held = ""
        while held != piece.text:
            held += next(rest)
    assert next(rest, None) is None


@given(tokenized())
def test_hidden_boundaries_are_counted(case: tuple[str, list[int]]) -> None:
    text, sizes = case
    raw = text.encode()
    drawn = pieces(raw, sizes)
    inside = 0
    at = 0
    for size in sizes:
        at += size
        inside += 0 < at < len(raw) and raw[at] & 0xC0 == 0x80
    assert sum(piece.in_character for piece in drawn) == inside
    assert all(piece.tokens > 1 for piece in drawn if piece.in_character or piece.in_cluster)


def test_a_piece_for_every_token_where_all_end_between_clusters() -> None:
    assert pieces(b"the cat", [3, 1, 3]) == [Piece("the", 1), Piece(" ", 1), Piece("cat", 1)]


def test_prefixes_and_half_characters() -> None:
    # An empty token; then half of é; then the other half with a space.
    assert pieces("éa ".encode(), [0, 1, 2, 1]) == [
        Piece("", 1), Piece("éa", 2, in_character=1), Piece(" ", 1),
    ]  # fmt: skip
    # A vowel sign parted from its letter.
    assert pieces("कि".encode(), [3, 3]) == [Piece("कि", 2, in_cluster=1)]


def test_bytes_that_are_no_character_are_shown_as_bytes() -> None:
    assert pieces(b"a\xe2\x82b", [1, 1, 1, 1]) == [
        Piece("a", 1), Piece("‹E2›", 1), Piece("‹82›", 1), Piece("b", 1),
    ]  # fmt: skip


def test_control_characters_are_symbols_that_still_break_lines() -> None:
    assert [piece.text for piece in pieces(b"\0\n\t", [1, 1, 1])] == ["␀", "␊\n", "␉\t"]


def test_a_real_tokenizer_of_thai_and_emoji() -> None:
    text = "สวัสดี 👩‍👩‍👧 नमस्ते"
    tokenizer = load_tokenizer("mistral:v3")
    ids, _ = tokenizer.encode_batch([text])
    raw = [tokenizer.token_bytes[int(i)] for i in ids]
    raw[0] = raw[0].removeprefix(tokenizer.prefix)
    drawn = pieces(b"".join(raw), [len(piece) for piece in raw])
    assert "".join(piece.text for piece in drawn) == text
    assert sum(piece.tokens for piece in drawn) == len(ids)
    assert any(piece.in_character for piece in drawn)  # the family is bytes to this vocabulary
