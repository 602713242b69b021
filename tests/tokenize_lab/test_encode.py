"""Tokens of one text, laid over its bytes."""

from pathlib import Path

import pytest

from tests.cli import answer, command, mistake
from tests.tokenize_lab.texts import HARD
from tokenize_lab.encode import encoded_tokens
from tokenize_lab.tokenizer_spec import load_tokenizer


@pytest.mark.parametrize("spec", ["byte", "mistral:v3", "mistral:tekken", "character"])
def test_tokens_lie_end_to_end_over_any_text(spec: str) -> None:
    tokenizer = load_tokenizer(spec)
    for text in HARD:
        rows = encoded_tokens(tokenizer, text)
        assert [row["id"] for row in rows] == tokenizer.encode_batch([text]).ids.tolist()
        data = bytes.fromhex("".join(row["hex"] for row in rows))
        assert [row["start"] for row in rows] == [
            sum(row["size"] for row in rows[:n]) for n in range(len(rows))
        ]
        if tokenizer.lossless:
            assert data == text.encode()


def test_pieces_are_those_of_the_pattern(trained: dict[str, Path]) -> None:
    text = "Two words, 안녕  twice"
    for spec in ("mistral:tekken", str(trained["bpe"])):
        tokenizer = load_tokenizer(spec)
        rows = encoded_tokens(tokenizer, text)
        pieces: dict[int, bytes] = {}
        for row in rows:
            pieces[row["piece"]] = pieces.get(row["piece"], b"") + bytes.fromhex(row["hex"])
        assert list(pieces) == [*range(1, len(pieces) + 1)]
        assert b"".join(pieces.values()).decode() == text
        # Each piece is encoded by itself, so it comes to the same ids alone.
        alone = [tokenizer.encode_batch([piece.decode()]).ids.tolist() for piece in pieces.values()]
        assert [row["id"] for row in rows] == [token for ids in alone for token in ids]


def test_the_command() -> None:
    rows = answer("tokenizers encode mistral:tekken", "How many?")
    assert [row["text"] for row in rows] == ["'How'", "' many'", "'?'"]
    shown = command("tokenizers encode mistral:tekken", "How many?").stdout
    assert "48 6f 77" in shown and "3 tokens, 9 bytes, 3.000 a token" in shown
    lossy = command("tokenizers encode character", "a\u0378").stdout
    assert "part of a character" not in lossy
    piped = command("tokenizers encode byte - --columns id --csv", stdin="é")
    assert piped.stdout == "id\n195\n169\n"
    assert "--columns: no column 'ids'; did you mean 'id'?" in mistake(
        "tokenizers encode byte x --columns ids"
    )
    assert "is empty" in mistake("tokenizers encode byte", "")
    assert "stdin, byte 1: invalid UTF-8" in mistake(
        command("tokenizers encode byte -", stdin=b"a\xff")
    )
    assert "\x1b" not in command("tokenizers encode byte", "a\x1b[2J").stdout


def test_a_table_for_people_has_the_first_tokens_of_a_long_text() -> None:
    rows = encoded_tokens(load_tokenizer("mistral:tekken"), text := "Two words, " * 1_000)
    assert [row["piece"] for row in rows] == [*range(1, 3_002)]  # the last is a blank
    shown = command("tokenizers encode byte -", stdin=text).stdout
    assert "the first 2,000 are shown" in shown and "11000 tokens, 11000 bytes" in shown


def test_chosen_columns_of_two_tokenizers() -> None:
    line = (
        "tokenizers diff byte mistral:tekken embedded:eng_Latn --no-cache"
        " --columns language,tokens_b_over_a"
    )
    (row,) = answer(line)
    assert row["language"] == "eng_Latn" and 0 < row["tokens_b_over_a"] < 1
    assert command(f"{line} --csv").stdout.startswith("language,tokens_b_over_a\neng_Latn,0.")
    assert "of a CORPUS" in mistake("tokenizers diff byte mistral:v3 --columns language")


def test_the_example_of_a_sweep_is_shown_by_both_of_its_commands() -> None:
    shown = command("scaling sweep micro --show").stdout
    assert shown == command("scaling plan micro --show").stdout and "[[arms]]" in shown
