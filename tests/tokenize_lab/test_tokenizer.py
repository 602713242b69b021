"""The table from ids to bytes, against what Python says of the same bytes."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tokenize_lab.backends.simple import code_point_table
from tokenize_lab.tokenizer import TokenBytes, TokenKind


def _split_text(text: str, cuts: list[int]) -> list[bytes]:
    """Cut a text's UTF-8 bytes at the given places: every piece is one that could be a token."""
    raw = text.encode("utf-8")
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    return [raw[a:b] for a, b in pairwise(places)]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.integers(0, 10_000)))
def test_flags_agree_with_cutting_real_text(text: str, cuts: list[int]) -> None:
    pieces = _split_text(text, cuts)
    table = TokenBytes.from_pieces(pieces, [TokenKind.TEXT] * len(pieces))
    assert [table[i] for i in range(len(table))] == pieces
    assert table.lengths.tolist() == [len(piece) for piece in pieces]
    raw, place = text.encode("utf-8"), 0
    boundaries = {0}
    for character in text:
        boundaries.add(max(boundaries) + len(character.encode("utf-8")))
    for i, piece in enumerate(pieces):
        assert table.starts_inside[i] == (place not in boundaries)
        place += len(piece)
        # Continuation bytes alone do not say whether more of them follow.
        tells = any(byte & 0xC0 != 0x80 for byte in piece)
        assert table.ends_inside[i] == (tells and place not in boundaries)
    assert place == len(raw)


def test_ids_without_bytes_are_inside_nothing() -> None:
    table = TokenBytes.from_pieces([b"", b"a", b""], [TokenKind.SPECIAL, 0, TokenKind.UNKNOWN])
    assert not table.splits_character.any()
    assert table[0] == b"" and table[1] == b"a"


def test_a_vocabulary_of_nothing_but_controls() -> None:
    table = TokenBytes.from_pieces([b"", b""], [TokenKind.SPECIAL, TokenKind.SPECIAL])
    assert table.lengths.tolist() == [0, 0]
    assert not table.starts_inside.any() and not table.ends_inside.any()


def test_every_code_point_has_its_utf8_bytes() -> None:
    table = code_point_table()
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    assert table.data == text.encode("utf-8")
    assert len(table) == 0x110000
    assert table.lengths[[0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDFFF, 0xE000]].tolist() == [
        1, 2, 2, 3, 3, 0, 0, 3,
    ]  # fmt: skip
    assert (np.flatnonzero(table.kinds == TokenKind.SPECIAL) == np.arange(0xD800, 0xE000)).all()
    assert not table.splits_character.any()
