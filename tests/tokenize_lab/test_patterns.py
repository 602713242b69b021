"""The named patterns: what their owners' patterns do, in every engine that reads them."""

from importlib import import_module
from pathlib import Path

import pytest
import regex
from tokenizers import Regex, pre_tokenizers

from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, embedded_lines, parallel_lines
from tokenize_lab.patterns import PATTERNS, pattern_named
from tokenize_lab.tokenizer_spec import load_tokenizer

CODE = (
    "for (int i=0;i<10;++i) {\r\n\t\tx[i] = 'don''t';  \n\n   }  // I'LL we'Ve 12345½ ٣٤٥٦ aB ABc"
)
TEXTS = [f"{CODE}\n  ", f"{CODE} \r\n", *HARD, *SPECIAL_LOOKING, CODE, *embedded_lines()]
OWNERS = {"gpt2": "r50k_base", "gpt4": "cl100k_base", "gpt4o": "o200k_base"}


@pytest.mark.parametrize("name", OWNERS)
def test_pieces_are_those_of_the_owners_pattern(
    name: str, monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    public = import_module("tiktoken_ext.openai_public")
    # The owner states the pattern beside the ranks it would fetch; only the pattern is wanted.
    monkeypatch.setattr(public, "load_tiktoken_bpe", lambda *_, **__: {})
    owners = regex.compile(getattr(public, OWNERS[name])()["pat_str"])
    ours = regex.compile(PATTERNS[name])
    lines = [x for _, some in parallel_lines(shared / "data" / "parallel", 100) for x in some]
    for text in [*TEXTS, *lines]:
        assert [m[0] for m in ours.finditer(text)] == [m[0] for m in owners.finditer(text)]


def test_llama3s_pieces_are_gpt4s_but_for_the_end_of_a_text() -> None:
    gpt4, llama3 = regex.compile(PATTERNS["gpt4"]), regex.compile(PATTERNS["llama3"])
    for text in TEXTS:
        within = f"{text}."
        assert [m[0] for m in gpt4.finditer(within)] == [m[0] for m in llama3.finditer(within)]
    assert len(gpt4.findall("a\n  ")) == 2 and len(llama3.findall("a\n  ")) == 3


def test_tekkens_is_the_one_in_its_file() -> None:
    assert getattr(load_tokenizer("mistral:tekken"), "pattern") == PATTERNS["tekken"]  # noqa: B009 - not in the protocol


@pytest.mark.parametrize("name", [name for name in PATTERNS if name != "none"])
def test_engines_agree_and_nothing_is_lost(name: str) -> None:
    splitter = regex.compile(PATTERNS[name])
    own = pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated")
    for text in TEXTS:
        pieces = [match[0] for match in splitter.finditer(text)]
        assert "".join(pieces) == text
        assert [piece for piece, _ in own.pre_tokenize_str(text)] == pieces


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'gpt4'"):
        pattern_named("gpt-4")
