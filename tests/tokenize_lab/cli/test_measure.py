"""`tokenize-lab measure` as a person meets it: results on stdout, one clear line for a mistake."""

import csv
import io
import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli import Done, answer, command, mistake, process
from tests.conftest import ROOT

TEXT = "A line of text.\nAnother line, with 12345 in it.\nUn été à Paris.\n"
PYTHON = f"{sys.executable} -m tokenize_lab"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, "utf-8")
    return path


def started(line: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        f"{PYTHON} {line}".split(), cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True
    )


def in_shell(line: str) -> Done:
    done = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def test_json_is_all_there_is_on_stdout(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = process(
        f"measure {corpus} -t byte -t mistral:v3 --json --out {out} --cache {tmp_path / 'cache'}"
    )
    assert done.exit_code == 0, done.stderr
    rows = done.json()
    assert [row["tokenizer"] for row in rows] == ["byte", "mistral:v3"]
    assert rows[0]["bytes"] == len(TEXT.encode()) - 3  # three line ends
    assert str(out) in done.stderr


def test_csv_has_a_column_for_each_end_of_an_interval(corpus: Path, tmp_path: Path) -> None:
    done = command(
        f"measure {corpus} -t byte -t mistral:v3 --csv --no-cache --out {tmp_path / 'out'}"
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 2
    value, low, high = (float(rows[1][f"bytes_per_token{end}"]) for end in ("", "_low", "_high"))
    assert low <= value <= high
    assert float(rows[1]["bytes_per_token_difference"]) == value - 1
    assert rows[1]["premium"] == ""


def test_chosen_columns_are_the_same_in_a_table_csv_and_json(corpus: Path, tmp_path: Path) -> None:
    line = f"measure {corpus} -t byte -t mistral:v3 --no-cache --out {tmp_path / 'out'}"
    names = "tokenizer,tokens,bytes_per_token_low,bytes_per_token_difference"
    rows = answer(f"{line} --columns {names}")
    assert [list(row) for row in rows] == [names.split(",")] * 2
    assert rows[0]["bytes_per_token_difference"] is None
    found = list(csv.reader(io.StringIO(command(f"{line} --csv --columns {names}").stdout)))
    assert found[0] == names.split(",")
    assert found[2] == [str(value) for value in rows[1].values()]
    table = command(f"{line} --columns {names}").stdout
    assert all(name in table for name in names.split(",")) and f"{rows[1]['tokens']:,}" in table
    assert "--columns: no column 'token'; did you mean 'tokens'?" in mistake(
        f"{line} --columns token"
    )
    missing = f"measure {corpus} -t byte --no-cache --out {tmp_path / 'none'} --columns token"
    mistake(missing)
    assert not (tmp_path / "none").exists()  # refused before anything is counted
    done = command(f"{line} --explain --columns tokenizer,cut_rule --csv")
    assert done.stdout == "tokenizer,cut_rule\nbyte,\nmistral:v3,\n"


def test_a_second_measurement_into_a_folder_says_that_it_replaces(
    corpus: Path, tmp_path: Path
) -> None:
    line = f"measure {corpus} --no-cache --out {tmp_path / 'out'}"
    assert "replaced" not in command(f"{line} -t byte -t character").stderr
    said = (
        f"{tmp_path / 'out'}: replaced the measurement there, of {corpus.name} with byte, character"
    )
    assert said in command(f"{line} -t byte").stderr
    (tmp_path / "out" / "provenance.json").write_text("{")
    assert "of something that can no longer be read" in command(f"{line} -t byte").stderr


def test_a_table_for_people(corpus: Path, tmp_path: Path) -> None:
    done = command(f"measure {corpus} -t byte -t mistral:v3 --no-cache --out {tmp_path / 'out'}")
    assert "Bytes per token" in done.stdout and "mistral:v3" in done.stdout


def test_lost_text_stands_beside_the_numbers_it_makes_cheap(tmp_path: Path) -> None:
    """One unknown token a line would be the best compression there is."""
    (tmp_path / "text").mkdir()
    (tmp_path / "text/eng_Latn.txt").write_text("the house is old\n" * 3)
    (tmp_path / "text/tha_Thai.txt").write_text("บ้านหลังนี้เก่าแล้ว\n" * 3)
    vocab = {"[UNK]": 0, "the": 1, "house": 2, "is": 3, "old": 4}
    kind: dict[str, object] = {"type": "WordPiece", "unk_token": "[UNK]", "vocab": vocab}
    model = kind | {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    parts = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor"))
    words = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    content: dict[str, object] = {
        **parts,
        "version": "1.0",
        "added_tokens": [],
        "decoder": words,
        "model": model,
    }
    (tmp_path / "wp.json").write_text(
        json.dumps({**content, "pre_tokenizer": {"type": "BertPreTokenizer"}})
    )
    line = f"measure {tmp_path / 'text'} -t {tmp_path / 'wp.json'} -t byte --no-cache"
    shown = command(f"{line} --out {tmp_path / 'out'}").stdout
    assert "57.00 (100% lost)" in shown and "0.25 (100% lost)" in shown
    assert shown.index("│ byte") < shown.index("│ wp")  # ranked apart, below
    rows = answer(f"{line} --out {tmp_path / 'out'}")
    assert [row["lost_share"] for row in rows] == [0, 0, 1, 0]
    assert [row["rank"] for row in rows] == [1, 2, None, 1]


def test_groups_by_document_and_domain(corpus: Path, tmp_path: Path) -> None:
    rows = answer(
        f"measure {corpus} -t byte --no-cache --domain news --group-by document --group-by domain"
        f" --out {tmp_path / 'out'}"
    )
    assert [row["bytes"] for row in rows] == [len(x.encode()) for x in TEXT.splitlines()]
    assert {row["domain"] for row in rows} == {"news"}
    assert len({row["document"] for row in rows}) == 3
    assert {row["language"] for row in rows} == {None}


def test_nothing_is_written_but_out_and_cache(corpus: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    process(f"measure {corpus} -t byte --json --out out --cache cache", cwd=tmp_path)
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out", tmp_path / "cache"}


def test_mistakes_are_one_line_with_a_remedy(corpus: Path, tmp_path: Path) -> None:
    out = f"--out {tmp_path / 'out'}"
    for line, said in (
        (f"{corpus} -t bite", "did you mean 'byte'"),
        (f"{tmp_path / 'tezt.txt'} -t byte", "text.txt"),
        (f"{corpus} -t byte -t byte", "given twice"),
        (f"{corpus} -t byte --json --csv", "give one of them"),
        (f"{corpus} -t byte --baseline bite", "--baseline bite: not one of the tokenizers"),
        (f"{corpus} -t byte --baseline bite", "did you mean 'byte'"),
        (f"{corpus} -t byte --address auto", "--address: is for --engine ray"),
    ):
        assert said in mistake(f"measure {line} {out}")
    assert not (tmp_path / "out").exists()


def test_invalid_text_is_refused_with_its_place_or_counted(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"fine\nnot \xff fine\nfine again\n")
    line = f"measure {bad} -t byte --no-cache --out {tmp_path / 'out'}"
    assert f"{bad}:2" in mistake(line)
    for how, documents in (("replace", 3), ("skip", 2)):
        done = command(f"{line} --json --on-invalid {how}")
        assert done.json()[0]["documents"] == documents
        assert "1 documents are not valid UTF-8" in done.stderr
        assert f"{bad}:2" in done.stderr


def test_a_folder_that_cannot_be_written(corpus: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    line = mistake(f"measure {corpus} -t byte --no-cache --out {in_the_way / 'x'}")
    assert str(in_the_way) in line and "--out" in line


def test_a_full_disk_leaves_nothing_half_written(corpus: Path, tmp_path: Path) -> None:
    def little_room() -> None:
        # A limit on the size of files stands for the full disk.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    done = subprocess.run(
        f"{PYTHON} measure {corpus} -t byte --no-cache --out {tmp_path / 'out'}".split(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=little_room,
    )
    assert "could not be written" in mistake(Done(done.returncode, done.stdout, done.stderr))
    assert not (tmp_path / "out").exists()


def test_ctrl_c_keeps_what_was_counted_and_the_same_command_goes_on(tmp_path: Path) -> None:
    corpus = tmp_path / "text.jsonl"
    words = TEXT.split()
    with corpus.open("w") as out:
        for i in range(60_000):
            text = " ".join(words[(i * k) % len(words)] for k in range(1, 40)) + f" {i}"
            out.write(json.dumps({"text": text}) + "\n")
    line = f"measure {corpus} -t mistral:v3 --json --replicates 0 --out {tmp_path / 'out'}"
    cache, fresh_cache = (f"--cache {tmp_path / name}" for name in ("cache", "fresh"))
    running = started(f"{line} {cache}")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(tmp_path.glob("cache/*/*"))) < 4:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert "interrupted" in stderr
    assert not (tmp_path / "out" / "provenance.json").exists()
    again = process(f"{line} {cache}")
    assert "batches came from the cache" in again.stderr
    fresh = process(f"{line} {fresh_cache}")
    assert (again.exit_code, again.stdout) == (0, fresh.stdout)


def test_two_processes_share_one_cache(corpus: Path, tmp_path: Path) -> None:
    line = f"measure {corpus} -t mistral:v3 --json --cache {tmp_path / 'cache'}"
    both = [started(f"{line} --out {tmp_path / name}") for name in ("one", "two")]
    outputs = [running.communicate(timeout=60)[0] for running in both]
    assert [running.returncode for running in both] == [0, 0]
    assert outputs[0] == outputs[1]


def test_corpora_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "text.txt" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f"{path.parent.name}\n")
    rows = answer("measure", *paths, "-t", "byte", "--no-cache", "--out", tmp_path / "out")
    assert [row["corpus"] for row in rows] == [str(path) for path in paths]


def test_a_reference_that_no_language_answers_to_is_said(tmp_path: Path) -> None:
    for code in ("eng_Latn", "fra_Latn"):
        (tmp_path / f"{code}.txt").write_text("a line\nanother\n")
    done = command(
        f"measure {tmp_path} -t byte --json --no-cache --reference egn --out {tmp_path / 'out'}"
    )
    assert {row["parity"] for row in done.json()} == {None}
    assert "no language begins with the reference egn" in done.stderr
    assert "eng_Latn" in done.stderr


def test_names_that_look_like_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    corpus = tmp_path / "text.jsonl"
    corpus.write_text('{"text": "hello", "language": "[/red]"}\n')
    done = command(f"measure {corpus} -t byte --no-cache --out {tmp_path / 'out'}")
    assert done.exit_code == 0, done.stderr
    assert "[/red]" in done.stdout


@pytest.mark.parametrize(
    ("redirect", "message"),
    [("> /dev/full", "No space left"), (">&-", "standard output is closed")],
)
def test_an_output_that_cannot_be_written_is_one_line(
    corpus: Path, tmp_path: Path, redirect: str, message: str
) -> None:
    line = f"measure {corpus} -t byte --json --no-cache --out {tmp_path / 'out'}"
    done = in_shell(f"{PYTHON} {line} {redirect}")
    assert done.exit_code == 2 and message in done.stderr


def test_a_reader_that_leaves_is_no_mistake(corpus: Path, tmp_path: Path) -> None:
    line = f"measure {corpus} -t byte --json --group-by document --no-cache"
    done = in_shell(f"set -o pipefail; {PYTHON} {line} --out {tmp_path / 'out'} | head -c 1")
    assert (done.exit_code, done.stdout) == (0, "[")


def counting_at_length(tmp_path: Path) -> "subprocess.Popen[str]":
    """Start a measurement with two workers; return it once its first counts are kept."""
    corpus = tmp_path / "text.jsonl"
    with corpus.open("w") as out:
        for i in range(180_000):
            out.write(json.dumps({"text": f"{i} " + "some words to count " * 20}) + "\n")
    running = started(
        f"measure {corpus} -t mistral:v3 --jobs 3 --cache {tmp_path / 'cache'}"
        f" --out {tmp_path / 'out'}",
        subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("cache/*/*")):
        time.sleep(0.02)
    return running


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_do_not_outlive_a_killed_command(tmp_path: Path, kill: signal.Signals) -> None:
    running = counting_at_length(tmp_path)
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) >= 2
    running.send_signal(kill)
    gone, alive = psutil.wait_procs(children, timeout=60)
    running.communicate(timeout=30)
    assert not alive
    assert len(gone) == len(children)


def test_a_second_ctrl_c_does_not_break_off_the_clearing_up(tmp_path: Path) -> None:
    running = counting_at_length(tmp_path)
    for _ in range(4):
        running.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in stderr


def test_explain_says_which_engine_serves_and_measures_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = f"measure embedded -t mistral:tekken -t mistral:tekken-240718 -t mistral:v3 --out {out}"
    tekken, _, v3 = answer(f"{line} --explain")
    assert tekken["shared"] and tekken["shared_with"] == ["mistral:tekken-240718"]
    assert tekken["splits_by"] == ["tekken"] and tekken["encoder"].startswith("tiktoken ")
    assert not v3["shared"] and v3["shared_with"] == [] and v3["cut_rule"] is None
    assert "does not split" in v3["reason"]
    table = command(f"{line} --explain").stdout
    assert "whole texts" in table and "chunks (gpt-runs)" in table
    assert not out.exists()


def test_languages_of_peoples_own_files(tmp_path: Path) -> None:
    rest = f"-t byte --no-cache --replicates 0 --out {tmp_path / 'out'}"
    und = "no file or record says its language"
    records = tmp_path / "t.jsonl"
    records.write_text('{"text": "Guten Tag", "lang": "de"}\n{"text": "Hi", "lang": "xx"}\n')
    done = command(f"measure {records} {rest} --columns language,bytes --csv")
    assert done.stdout == "language,bytes\nde,9\nxx,2\n"
    assert "t.jsonl: the field 'lang' is taken for the language (--language-field" in done.stderr
    assert "languages that no standard knows are kept as they are: xx" in done.stderr
    named = command(f"measure {records} {rest} --language-field lang --columns language --csv")
    assert "is taken for the language" not in named.stderr and und not in named.stderr
    plain = tmp_path / "novel.txt"
    plain.write_text("Guten Tag\n")
    assert command(f"measure {plain} {rest}").stderr.count(und) == 1
    assert und not in command(f"measure {plain} {rest} --language de").stderr
    assert und not in command(f"measure {plain} {rest} --domain code").stderr
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "de.md").write_text("Hallo\n")
    rows = answer(f"measure {notes} {rest} --glob *.md")
    assert [(row["language"], row["bytes"]) for row in rows] == [("de", 5)]
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("de.txt", "deutsch.txt"):
        (mixed / name).write_text("Guten Tag\n", "utf-8")
    done = command(f"measure {mixed} {rest} --columns language --csv")
    assert "no name or field says the language is counted as und" in done.stderr


def test_a_table_needs_its_text_column_named(tmp_path: Path) -> None:
    rest = f"-t byte --no-cache --replicates 0 --out {tmp_path / 'out'}"
    table = tmp_path / "text.csv"
    table.write_text("id,lang,content\n1,de,Guten Tag\n2,de,Auf Wiedersehen\n")
    said = mistake(f"measure {table} {rest}")
    assert "no column 'text'; the table has 'id', 'lang', 'content'" in said
    (row,) = answer(f"measure {table} {rest} --text-field content")
    assert (row["language"], row["bytes"], row["documents"]) == ("de", 24, 2)


@pytest.mark.parametrize(
    ("piped", "language", "size"),
    [("Guten Tag\nHallo\n", "und", 14), ('{"text": "Guten Tag", "language": "de"}\n', "de", 9)],
)
def test_standard_input_is_text_or_records(
    piped: str, language: str, size: int, tmp_path: Path
) -> None:
    done = process(f"measure - -t byte --no-cache --json --out {tmp_path / 'out'}", stdin=piped)
    (row,) = done.json()
    assert (row["language"], row["bytes"], row["corpus"]) == (language, size, "stdin")
    assert ("each line is taken for a JSON record" in done.stderr) == (language == "de")


def test_what_is_piped_in_is_called_stdin(tmp_path: Path) -> None:
    line = f"measure - -t byte --no-cache --out {tmp_path / 'out'}"
    assert "stdin:1 (byte 2): invalid UTF-8" in mistake(command(line, stdin=b"ab\xff\n"))
    assert "stdin:2: not JSON" in mistake(command(line, stdin=b'{"text": "a"}\nb\n'))
