"""`tokenize-lab tokenizers train | show`, as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path

from tests.tokenize_lab.texts import SAMPLES
from tokenize_lab.tokenizer import describe
from tokenize_lab.tokenizer_spec import load_tokenizer


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tokenize_lab", "tokenizers", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_train_then_show(tmp_path: Path) -> None:
    text, out = str(SAMPLES / "eng_Latn.txt"), str(tmp_path / "out")
    done = _run("train", "--kind", "bpe", "--vocab-size", "400", text, "--out", out, "--json")
    assert done.returncode == 0 and done.stderr == ""
    card = json.loads(done.stdout)
    assert card["tokenizer"]["vocabulary_size"] == 400
    assert Path(card["path"]).is_file()
    shown = _run("show", out, "--json")
    assert json.loads(shown.stdout)["sha256"] == card["tokenizer"]["sha256"]
    table = _run("show", out)
    assert table.returncode == 0 and "Longest tokens" in table.stdout


def test_a_warning_goes_to_stderr(tmp_path: Path) -> None:
    text = str(SAMPLES / "eng_Latn.txt")
    arguments = ("--kind", "character", "--vocab-size", "9000", "--out", str(tmp_path))
    done = _run("train", text, *arguments)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: ") and done.stderr.count("\n") == 1
    assert "bytes per token" in done.stdout


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    text, out = str(SAMPLES / "eng_Latn.txt"), str(tmp_path)
    for arguments in (
        ("show", "mistrl:v3"),
        ("show", "x" * 300),
        ("show", "hf:" + "x" * 300),
        ("train", "--kind", "bpe", "--vocab-size", str(10**23), text, "--out", out),
        ("train", "--kind", "bpe", "--vocab-size", "400", text, "--out", "x" * 300),
        ("train", "--kind", "bqe", "--vocab-size", "400", text, "--out", out),
        ("train", "--kind", "bpe", "--vocab-size", "4", text, "--out", out),
        ("train", "--kind", "bpe", "--vocab-size", "400", "no_such.txt", "--out", out),
    ):
        done = _run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
        assert done.stdout == ""


def test_facts_of_a_tokenizer_known_by_hand() -> None:
    facts = describe(load_tokenizer("byte"))
    assert facts["ids_by_kind"] == {"text": 256, "byte_fallback": 0, "unknown": 0, "special": 0}
    assert facts["share_not_whole_characters"] == 0.5  # bytes 80 to FF
    assert facts["mean_bytes_per_id"] == 1.0
    assert facts["longest_tokens"][0] == {"id": 0, "bytes": 1, "text": "\0"}
    characters = describe(load_tokenizer("character"))
    assert characters["share_not_whole_characters"] == 0.0
    assert characters["longest_tokens"][0]["bytes"] == 4
    v3 = describe(load_tokenizer("mistral:v3"))
    assert v3["ids_by_kind"]["byte_fallback"] == 256 and v3["prefix"] == " "
    json.dumps(v3, allow_nan=False)


def test_show_names_the_ids_that_no_text_holds_and_says_what_lossy_means() -> None:
    done = _run("show", "mistral:tekken", "--json")
    decoding = json.loads(done.stdout)["decoding"]
    assert decoding["differing"] == [] and decoding["why"] == ""
    assert {entry["text"] for entry in decoding["open"]} >= {"\\xc0", "\\xff"}
    assert len(decoding["open"]) == 13
    table = " ".join(_run("show", "mistral:tekken").stdout.split())
    assert "as its library decodes them; 13 that no text can show" in table
    assert "comes back whole all the same" not in table
