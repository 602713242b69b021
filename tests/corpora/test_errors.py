"""Messages: one line, whatever they quote."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.errors import InputError, as_options, sanitize


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[2J\x7f\x85", r"\x1b[2J\x7f\x85"),
        ("\u2028\u202etxt.exe", r"\u2028\u202etxt.exe"),
        (b"bad\xff\xc3.txt".decode("utf-8", "surrogateescape"), r"bad\xff\xc3.txt"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_breaks_a_line_is_escaped(text: str, line: str) -> None:
    assert sanitize(text) == line
    assert str(InputError(text)) == line


@pytest.mark.parametrize(
    "text", ["", "a b", "می\u200cخواهم", "日本\u3000語", "👩‍🚀", "क्\u200dष", r"a\b"]
)
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert sanitize(text) == text
    assert sanitize(Path(text)) == str(Path(text))


@given(st.text(st.characters()))
def test_every_message_is_one_line_of_utf8(text: str) -> None:
    message = str(InputError(text))
    assert len(message.splitlines()) <= 1
    assert message.encode().decode() == message == sanitize(message)


def test_the_error_passes_between_processes() -> None:
    error = pickle.loads(pickle.dumps(InputError("a\nb")))
    assert isinstance(error, InputError)
    assert str(error) == r"a\nb"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`vocab_size` 4: must be over 256", "--vocab-size 4: must be over 256"),
        ('say `on_invalid="skip"` or `parallel=False`', "say --on-invalid skip or --no-parallel"),
        ("say `graphemes=True`", "say --graphemes"),
        ("name another `out`", "name another -o"),
        ("run `ray start --head`, or see `no_such`", "run `ray start --head`, or see `no_such`"),
        ("[training] vocab_size: unknown key; out", "[training] vocab_size: unknown key; out"),
    ],
)
def test_arguments_are_named_as_options(text: str, shown: str) -> None:
    options = {
        "vocab_size": "--vocab-size",
        "on_invalid": "--on-invalid",
        "parallel": "--parallel",
        "parallel=False": "--no-parallel",
        "graphemes": "--graphemes",
        "out": "-o",
    }
    assert as_options(text, options) == shown


def test_a_message_of_any_length_is_a_line_with_its_place_and_its_remedy() -> None:
    line = str(InputError(f"a.csv: no column 'text'; it has {'x' * 1_000_000}; name the right one"))
    assert line.startswith("a.csv: no column") and line.endswith("name the right one")
    assert len(line) < 10_000
    assert str(InputError("y" * 8_000)) == "y" * 8_000
