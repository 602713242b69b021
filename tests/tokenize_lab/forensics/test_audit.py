"""The audit of a vocabulary: planted use, scripts, and the command as a person runs it."""

import json
from pathlib import Path

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from tests.cli import command, mistake
from tests.tokenize_lab.forensics.made import byte_level, id_of
from tests.tokenize_lab.texts import SAMPLES
from tokenize_lab.forensics.audit import audit, script_of, token_script
from tokenize_lab.forensics.finding import load_findings
from tokenize_lab.forensics.shapes import KINDS
from tokenize_lab.forensics.tables import audit_tables
from tokenize_lab.forensics.usage import count_usage, language_rows, sharing
from tokenize_lab.tokenizer_spec import load_tokenizer

ENGLISH = SAMPLES / "eng_Latn.txt"

MERGES = [(b"a", b"b"), (b"c", b"d"), (b"ab", b"cd"), (b"x", b"y")]


def planted() -> DocumentCorpus:
    """`ab` is of both languages, `cd` of the first, `abcd` of the second, `xy` of none."""
    return DocumentCorpus(
        "planted",
        [
            Document("ab cd cd", "aaa"),
            Document("ab cd", "aaa"),
            Document("ab abcd" + "ab" * 30, "bbb"),
        ],
    )


def test_use_by_language_is_what_was_planted() -> None:
    tokenizer = byte_level(MERGES)
    usage = count_usage(tokenizer, [planted()], jobs=1)
    ab, cd, abcd, xy = (id_of(tokenizer, raw) for raw in (b"ab", b"cd", b"abcd", b"xy"))
    assert usage.languages == ["aaa", "bbb"]
    assert usage.bytes.tolist() == [13, 67]
    assert usage.counts[:, [ab, cd, abcd, xy]].tolist() == [[2, 3, 0, 0], [31, 0, 1, 0]]
    first, second = language_rows(usage)
    space = 1  # a space between words, used by both
    assert (first["used_ids"], first["exclusive_ids"], first["shared_by_all_ids"]) == (
        3,
        1,
        1 + space,
    )
    assert (second["used_ids"], second["exclusive_ids"]) == (3, 1)
    assert second["ids_for_90_percent"] == 1 and first["main_ids"] == 2  # `cd`, and most spaces
    assert sharing(usage)[1:] == [2, 2]


def test_an_audit_says_what_was_planted() -> None:
    tokenizer = byte_level(MERGES)
    found = audit(tokenizer, [planted()])
    json.dumps(found, allow_nan=False)
    assert found["characters"] == {
        "whole": 128 + 4, "single_bytes": 128, "begin_inside": 0, "end_inside": 0, "both": 0,
        "invalid": 0,
    }  # fmt: skip
    assert found["merges"]["count"] == 4 and found["merges"]["never_fire"] == 0
    assert found["merges"]["parts_of_others"] == 8  # a b c d x y ab cd
    decoding = found["decoding"]
    assert decoding["shown"] == 260 - 13 and decoding["open_count"] == 13  # bytes of no text
    assert decoding["differing_count"] == 0 and decoding["open"][0]["id"] == 192
    corpus = found["corpus"]
    assert corpus["used"] == 4 and corpus["never_used"] == 256
    assert corpus["never_used_reachable"] == 256 - 13
    assert corpus["never_used_parts_of_others"] == 6  # the letters alone
    assert [row["examples"][0]["text"] for row in corpus["languages"]] == ["cd", "abcd"]


def test_tokens_that_break_characters() -> None:
    tokenizer = byte_level([(b"\xc3", b"a"), (b"a", b"\xc3"), (b"\xa9", b"a"), (b"\xa9", b"\xc3")])
    found = audit(tokenizer)
    assert found["characters"] == {
        "whole": 128, "single_bytes": 128, "begin_inside": 1, "end_inside": 1, "both": 1,
        "invalid": 1,
    }  # fmt: skip
    assert found["reach"]["counts"]["not_utf8"] == 13 + 1  # a lead byte before a letter


def test_scripts_of_tokens() -> None:
    for raw, script in (
        (" the", "Latin"), ("мир", "Cyrillic"), (" नमस्ते", "Devanagari"), ("漢字", "Han"),
        ("かな", "Hiragana"), ("aи", "several scripts"), (" 12!", "no script"), ("é", "Latin"),
        ("e\u0301", "Latin"), ("ꦗ", "Javanese"), ("ꓘ", "another script"),
    ):  # fmt: skip
        assert token_script(raw.encode()) == script, raw
    assert token_script(b" \xd0") == "part of a character"
    assert token_script("п".encode() + b"\xd0") == "Cyrillic"
    assert token_script(b"\xff") == "no UTF-8"
    assert script_of("ᐃ") == "Canadian_Aboriginal"


def test_terminal_tables_show_hostile_tokens_as_text() -> None:
    from rich.console import Console

    hostile = [(b"\x1b", b"["), (b"\x1b[", b"2"), (b"\x1b[2", b"J"), (b"[", b"red]")]
    merges = [*hostile[:3], (b"r", b"e"), (b"re", b"d"), (b"red", b"]"), hostile[3]]
    tokenizer = byte_level(merges)
    corpus = DocumentCorpus("hostile", [Document("\x1b[2J \x1b[2J [red]", "xxx")])
    console = Console(width=200)
    with console.capture() as capture:
        found = audit(tokenizer, [corpus])
        console.print(*audit_tables(found), sep="\n")
    shown = capture.get()
    assert "'\\x1b[2J'" in shown and "\x1b[2J" not in shown and "'[red]'" in shown


def test_findings_are_kept_and_read_again(tmp_path: Path) -> None:
    found = audit(load_tokenizer("byte"))
    path = found.save(tmp_path / "new")
    assert path.name.startswith("audit-byte-")
    assert repr(found) == "<audit of byte>"
    assert found.frame()["why"].to_list() == ["not_utf8"] * len(found["reach"]["unreachable"])
    before = path.read_bytes()
    assert found.save(tmp_path / "new").read_bytes() == before
    assert load_findings(tmp_path / "new") == {kind: [] for kind in KINDS} | {"audit": [found]}
    for damage in (b"{", b"[]", b'{"kind": "diff"}'):
        path.write_bytes(damage)
        with pytest.raises(InputError, match="make it again"):
            load_findings(tmp_path / "new")


def test_the_command(tmp_path: Path) -> None:
    done = command(f"tokenizers audit byte {ENGLISH} --json --out {tmp_path / 'kept'}")
    assert done.exit_code == 0, done.stderr
    found = done.json()
    assert found["corpus"]["languages"][0]["language"] == "eng_Latn"
    (path,) = (tmp_path / "kept").iterdir()
    assert json.loads(path.read_text("utf-8")) == found
    assert done.stderr.count("\n") == 1 and f"tokenize-lab report {path.parent}" in done.stderr
    tables = command("tokenizers audit byte")
    assert tables.exit_code == 0 and "bytes that are in no UTF-8 text" in tables.stdout


@pytest.mark.parametrize("words", ["no_such.json", "byte no_such.txt", "byte embedded embedded"])
def test_bad_input_is_one_line(words: str) -> None:
    mistake(f"tokenizers audit {words}")
