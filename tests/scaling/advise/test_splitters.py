"""Advice on tokenizers whose splitter keeps the best rate out of reach."""

from pathlib import Path

import pytest

import tokenize_lab as tl
from tests.cli import answer, command
from tokenize_lab.ceilings import pieces_of
from tokenize_lab.tokenizer_spec import load_tokenizers


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BPE behind GPT-4's splitter."""
    folder = tmp_path_factory.mktemp("splitters") / "old"
    tl.train("bpe", "embedded:hin_Deva", vocab_size=700, pattern="gpt4", out=folder)
    return folder


def test_a_splitter_below_the_best_rate_is_said_first(old: Path) -> None:
    advice = tl.advise(1e21, "hin_Deva", tokenizers=[str(old), "mistral:tekken"])
    (caution,) = [line for line in advice.cautions if "splitter" in line]
    assert caution.startswith("old: its splitter caps") and "below the 7.54 wanted" in caution
    assert "in hin_Deva (gpt4o: " in caution and caution in advice.summary()
    english = tl.advise(1e21, "eng_Latn", tokenizers=[str(old)])
    assert not [line for line in english.cautions if "splitter" in line]


def test_the_command_says_it_and_its_json_has_the_numbers(old: Path) -> None:
    line = f"scaling advise --compute 1e21 --language hin_Deva -t {old} -t mistral:v1"
    assert "caution: old: its splitter caps" in command(line).stdout
    found = answer(f"{line} --json")
    ((name, pieces),) = found["question"]["pieces"]
    assert name == "old" and pieces["own"] == pytest.approx(5.1, abs=0.05)
    assert dict(pieces["others"])["gpt4o"] > 10


def test_what_has_no_pieces_is_left_out(old: Path) -> None:
    tokenizers = load_tokenizers([str(old), "byte", "mistral:v1"])
    assert [name for name, _ in pieces_of("hin", ["किताब", "एक"], tokenizers)] == ["old"]
    assert pieces_of("hin", [], tokenizers) == ()
