"""`scaling advise`: what it measures, prints and warns of."""

import json
from pathlib import Path

import pytest

from corpora.open import open_corpus
from tests.cli import answer, command, mistake
from tokenize_lab.tokenizer_spec import load_tokenizer


def test_command() -> None:
    line = "scaling advise --compute 1e21 --language hin_Deva --bytes-per-token t=4.6"
    found = answer(line)
    assert found["placement"]["basis"] == "measured"
    price = found["tokenizers"][0]["price_bits_per_byte"]
    assert price["low"] < price["value"] < price["high"]
    assert found["training_days"]["value"] == pytest.approx(29.245, abs=1e-3)
    text = command(line).stdout
    for piece in ("compression rate T*", "bought back by", "hin_Deva was trained"):
        assert piece in text
    said = mistake("scaling advise --compute 1e21 --bytes-per-token t")
    assert "give NAME=X or NAME=X/V" in said


@pytest.mark.parametrize(("language", "used"), [("hin_Deva", False), ("tel_Telu", True)])
def test_a_parity_that_is_not_used_is_said_not_to_be(language: str, used: bool) -> None:
    line = f"scaling advise --compute 1e21 --language {language} --parity"
    done, other = command(f"{line} 9"), command(f"{line} 3")
    assert done.exit_code == 0
    assert ("warning: --parity 9 is not used" not in done.stderr) is used
    assert (other.stdout != done.stdout) is used


def test_a_corpus_and_tokenizers_are_measured(tmp_path: Path) -> None:
    text = tmp_path / "hindi.txt"
    corpus = open_corpus("embedded:hin_Deva,eng_Latn")
    lines = next(batch.texts for batch in corpus.batches() if batch.language == "hin_Deva")
    text.write_text("\n".join(lines) + "\n", "utf-8")
    words = "--compute 1e21 --language hin_Deva -t mistral:tekken -t byte"
    tekken, byte = answer(f"scaling advise {words} --corpus", text)["tokenizers"]
    assert byte["bytes_per_token"] == 1
    tokens = int(load_tokenizer("mistral:tekken").encode_batch(lines).lengths.sum())
    assert tekken["bytes_per_token"] == sum(len(line.encode()) for line in lines) / tokens
    assert 0 < tekken["price_bits_per_byte"]["value"] < byte["price_bits_per_byte"]["value"]
    assert tekken["compute_multiplier"]["value"] > 1


def test_text_that_a_tokenizer_loses_is_warned_of(tmp_path: Path) -> None:
    words = {"[UNK]": 0, "the": 1}
    kinds = dict.fromkeys(("normalizer", "post_processor", "truncation", "padding"))
    model = {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}
    decoder = {"type": "Fuse"}
    parts = {"pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": decoder, "added_tokens": []}
    file = tmp_path / "words.json"
    file.write_text(json.dumps({"version": "1.0", **kinds, **parts, "model": model}))
    (tmp_path / "t.txt").write_text("the cat\n" * 40)
    line = f"scaling advise --compute 1e21 --corpus {tmp_path / 't.txt'} -t {file}"
    done = command(line)
    said = "57.1% of this text's bytes are in none of its tokens"
    assert f"warning: words: {said}" in done.stderr and said in done.stdout
    assert answer(line)["tokenizers"][0]["note"].startswith(said)


def test_a_name_that_is_an_escape_code_is_spelt_out() -> None:
    done = command("scaling advise --compute 1e21 --bytes-per-token", "\x1b[31m=4")
    assert done.exit_code == 0 and "\\x1b[31m: 4 bytes per token" in done.stdout


def test_what_serving_costs_has_an_end() -> None:
    """A price of 1e308 took a minute of overflows."""
    said = mistake("scaling advise --compute 1e21 --serve-bytes 1e11 --serve-price 1e308")
    assert said.endswith("--serve-price: 1e+308; must be at most 1,000,000.0")
