"""Where splitters cap languages: found where vowel signs are cut off, and only there."""

from pathlib import Path

import pytest

from corpora.corpus import corpus_of
from corpora.errors import InputError
from corpora.open import open_corpus
from tests.cli import command
from tokenize_lab.ceilings import MUCH, LanguageHeads, bytes_per_piece, ceiling_lines, ceilings
from tokenize_lab.patterns import PATTERNS
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

CUT = {
    "ben_Beng",
    "hin_Deva",
    "tam_Taml",
    "tha_Thai",
}  # of the embedded languages, those written with vowel signs


def _trained(pattern: str, out: Path, languages: str = "embedded") -> Tokenizer:
    settings = TrainSettings("bpe", 600, pattern=pattern)
    return load_tokenizer(str(train_tokenizer(open_corpus(languages), settings, out).path))


def _heads(**texts: list[str]) -> LanguageHeads:
    heads = LanguageHeads()
    for language, some in texts.items():
        heads.note(language, some)
    return heads


def _embedded() -> LanguageHeads:
    heads = LanguageHeads()
    for batch in open_corpus("embedded").batches():
        heads.note(batch.language, batch.texts)
    return heads


def test_a_word_of_vowel_signs_is_cut_at_each(tmp_path: Path) -> None:
    # किताब: three letters with a sign after two of them, so k-i-t | a-b under `\p{L}+`.
    assert bytes_per_piece(["किताब"], "gpt4o") == 15
    assert bytes_per_piece(["किताब"], "gpt4") == 15 / 3
    assert bytes_per_piece(["book"], "none") == float("inf")
    (found,) = ceilings(_trained("gpt4", tmp_path), _heads(hin=["किताब"], eng=["book"]))
    assert found == ("hin", 5.0, "gpt4o", 15.0)


def test_only_languages_with_vowel_signs_are_named(tmp_path: Path) -> None:
    heads = _embedded()
    old, new = (_trained(pattern, tmp_path / pattern) for pattern in ("gpt4", "gpt4o"))
    found = ceilings(old, heads)
    assert {c.language for c in found} == CUT
    assert all(c.bytes_per_pretoken_with_it > MUCH * c.bytes_per_pretoken for c in found)
    assert not ceilings(new, heads) and not ceilings(load_tokenizer("mistral:tekken"), heads)
    assert not ceilings(load_tokenizer("mistral:v1"), heads)  # nothing is split before it merges


def test_a_rate_that_is_wanted_decides(tmp_path: Path) -> None:
    tokenizer, heads = _trained("gpt4", tmp_path), _heads(eng=["all the people of the town"])
    assert not ceilings(tokenizer, heads, wanted=4)
    (found,) = ceilings(tokenizer, heads, wanted=6)
    assert found.language == "eng" and found.pattern == "superwords"
    (line,) = ceiling_lines([tokenizer], heads, wanted=6)
    assert "below the 6 wanted" in line and "in eng (superwords: 26)" in line


def test_heads_are_bounded() -> None:
    heads = LanguageHeads()
    for _ in range(100):
        heads.note("eng", ["a" * 1000] * 3)
    assert sum(map(len, heads.texts["eng"])) == 1 << 14


@pytest.mark.parametrize("name", ["measure", "vocab-curve"])
def test_commands_say_where(name: str, tmp_path: Path) -> None:
    _trained("gpt4", tmp_path / "old")
    told = command(
        f"{name} embedded:eng_Latn,hin_Deva -t {tmp_path / 'old'} --no-cache --replicates 0"
        f" --json --out {tmp_path / 'out'}"
    ).stderr
    assert "old: its splitter caps bytes per token, whatever the vocabulary, at" in told
    assert "in hin_Deva (gpt4o: " in told and "eng_Latn" not in told.split("caps")[1]
    if name == "measure":
        command(f"report {tmp_path / 'out'}")
        page = (tmp_path / "out" / "report.html").read_text("utf-8")
        assert "<li>old: its splitter caps bytes per token" in page
    audited = command(f"tokenizers audit {tmp_path / 'old'} embedded:hin_Deva --no-cache --json")
    assert "in hin_Deva (gpt4o: " in audited.stderr and '"notices": [' in audited.stdout


def test_a_target_behind_the_splitter_names_another(tmp_path: Path) -> None:
    hindi = [text for b in open_corpus("embedded:hin_Deva").batches() for text in b.texts]
    corpus = corpus_of(hindi, language="hin_Deva")
    settings = TrainSettings("bpe", 20_000, pattern="gpt4", target_compression=6)
    with pytest.raises(InputError, match=r"`pattern` gpt4: its splitter caps .*\(gpt4o: "):
        train_tokenizer(corpus, settings, tmp_path)
    reached = TrainSettings("bpe", 20_000, target_compression=6)
    assert train_tokenizer(corpus, reached, tmp_path).card.settings.pattern == "gpt4o"


def test_the_default_is_spelt_as_its_owner_spells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import import_module

    public = import_module("tiktoken_ext.openai_public")
    monkeypatch.setattr(public, "load_tiktoken_bpe", lambda *_, **__: {})
    assert PATTERNS[TrainSettings("bpe", 300).pattern] == public.o200k_base()["pat_str"]
