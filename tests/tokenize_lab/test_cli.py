"""`tokenize-lab measure` as a person meets it: results on stdout, one clear line for a mistake."""

import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

TEXT = "A line of text.\nAnother line, with 12345 in it.\nUn été à Paris.\n"


def lab(*arguments: str | Path, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tokenize_lab", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, "utf-8")
    return path


def mistake(done: "subprocess.CompletedProcess[str]") -> str:
    """Check that a mistake was met with one line and exit code 2, and return the line."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_json_is_all_there_is_on_stdout(corpus: Path, tmp_path: Path) -> None:
    done = lab(
        "measure",
        corpus,
        "-t",
        "byte",
        "-t",
        "mistral:v3",
        "--json",
        "--out",
        tmp_path / "out",
        "--cache",
        tmp_path / "cache",
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(name))
    assert [row["tokenizer"] for row in rows] == ["byte", "mistral:v3"]
    assert rows[0]["bytes"] == len(TEXT.encode()) - 3  # three line ends
    assert str(tmp_path / "out") in done.stderr


def test_csv_has_a_column_for_each_end_of_an_interval(corpus: Path, tmp_path: Path) -> None:
    done = lab(
        "measure",
        corpus,
        "-t",
        "byte",
        "-t",
        "mistral:v3",
        "--csv",
        "--no-cache",
        "--out",
        tmp_path / "out",
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 2
    value, low, high = (float(rows[1][f"bytes_per_token{end}"]) for end in ("", "_low", "_high"))
    assert low <= value <= high
    assert float(rows[1]["bytes_per_token_difference"]) == value - 1
    assert rows[1]["premium"] == ""


def test_a_table_for_people(corpus: Path, tmp_path: Path) -> None:
    done = lab(
        "measure", corpus, "-t", "byte", "-t", "mistral:v3", "--out", tmp_path / "out", "--no-cache"
    )
    assert "Bytes per token" in done.stdout
    assert "mistral:v3" in done.stdout


def test_groups_by_document_and_domain(corpus: Path, tmp_path: Path) -> None:
    done = lab(
        "measure",
        corpus,
        "-t",
        "byte",
        "--json",
        "--no-cache",
        "--domain",
        "news",
        "--group-by",
        "document",
        "--group-by",
        "domain",
        "--out",
        tmp_path / "out",
    )
    rows = json.loads(done.stdout)
    assert [row["bytes"] for row in rows] == [len(x.encode()) for x in TEXT.splitlines()]
    assert {row["domain"] for row in rows} == {"news"}
    assert len({row["document"] for row in rows}) == 3
    assert {row["language"] for row in rows} == {None}


def test_nothing_is_written_but_out_and_cache(corpus: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    lab(
        "measure",
        corpus,
        "-t",
        "byte",
        "--json",
        "--out",
        tmp_path / "out",
        "--cache",
        tmp_path / "cache",
        cwd=tmp_path,
    )
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out", tmp_path / "cache"}


def test_mistakes_are_one_line_with_a_remedy(corpus: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert "did you mean 'byte'" in mistake(lab("measure", corpus, "-t", "bite", *out))
    assert "text.txt" in mistake(lab("measure", tmp_path / "tezt.txt", "-t", "byte", *out))
    assert "given twice" in mistake(lab("measure", corpus, "-t", "byte", "-t", "byte", *out))
    assert "give one of them" in mistake(
        lab("measure", corpus, "-t", "byte", "--json", "--csv", *out)
    )
    line = mistake(lab("measure", corpus, "-t", "byte", "--baseline", "bite", *out))
    assert "did you mean 'byte'" in line
    assert not (tmp_path / "out").exists()


def test_invalid_text_is_refused_with_its_place_or_counted(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"fine\nnot \xff fine\nfine again\n")
    out = ("--out", tmp_path / "out", "--no-cache", "--json")
    line = mistake(lab("measure", bad, "-t", "byte", *out))
    assert f"{bad}:2" in line
    for how, documents in (("replace", 3), ("skip", 2)):
        done = lab("measure", bad, "-t", "byte", "--on-invalid", how, *out)
        assert json.loads(done.stdout)[0]["documents"] == documents
        assert "1 documents are not valid UTF-8" in done.stderr
        assert f"{bad}:2" in done.stderr


def test_a_folder_that_cannot_be_written(corpus: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    line = mistake(lab("measure", corpus, "-t", "byte", "--out", in_the_way / "x", "--no-cache"))
    assert str(in_the_way) in line
    assert "--out" in line


def test_a_full_disk_leaves_nothing_half_written(corpus: Path, tmp_path: Path) -> None:
    def little_room() -> None:
        # A limit on the size of files stands for the full disk.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tokenize_lab",
            "measure",
            corpus,
            "-t",
            "byte",
            "--no-cache",
            "--out",
            tmp_path / "out",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=little_room,
    )
    line = mistake(done)
    assert "could not be written" in line
    assert not list((tmp_path / "out").iterdir())


def test_ctrl_c_keeps_what_was_counted_and_the_same_command_goes_on(tmp_path: Path) -> None:
    corpus = tmp_path / "text.jsonl"
    words = TEXT.split()
    with corpus.open("w") as out:
        for i in range(60_000):
            text = " ".join(words[(i * k) % len(words)] for k in range(1, 40)) + f" {i}"
            out.write(json.dumps({"text": text}) + "\n")
    command = [
        sys.executable,
        "-m",
        "tokenize_lab",
        "measure",
        str(corpus),
        "-t",
        "mistral:v3",
        "--json",
        "--out",
        str(tmp_path / "out"),
        "--cache",
        str(tmp_path / "cache"),
        "--replicates",
        "0",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(list(tmp_path.glob("cache/*/*"))) >= 4:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert "interrupted" in stderr
    assert not (tmp_path / "out" / "provenance.json").exists()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "batches came from the cache" in again.stderr
    command[command.index("--cache") + 1] = str(tmp_path / "fresh")
    fresh = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert again.stdout == fresh.stdout


def test_two_processes_share_one_cache(corpus: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tokenize_lab",
        "measure",
        str(corpus),
        "-t",
        "mistral:v3",
        "--json",
        "--cache",
        str(tmp_path / "cache"),
        "--out",
    ]
    processes = [
        subprocess.Popen(
            [*command, str(tmp_path / name)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for name in ("one", "two")
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1]


def test_corpora_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "text.txt").write_text(f"{folder}\n")
    paths = [tmp_path / folder / "text.txt" for folder in ("one", "two")]
    done = lab("measure", *paths, "-t", "byte", "--json", "--no-cache", "--out", tmp_path / "out")
    assert [row["corpus"] for row in json.loads(done.stdout)] == [str(path) for path in paths]


def test_a_reference_that_no_language_answers_to_is_said(tmp_path: Path) -> None:
    for code in ("eng_Latn", "fra_Latn"):
        (tmp_path / f"{code}.txt").write_text("a line\nanother\n")
    done = lab(
        "measure",
        tmp_path,
        "-t",
        "byte",
        "--json",
        "--no-cache",
        "--reference",
        "egn",
        "--out",
        tmp_path / "out",
    )
    assert {row["parity"] for row in json.loads(done.stdout)} == {None}
    assert "no language begins with the reference egn" in done.stderr
    assert "eng_Latn" in done.stderr


def test_names_that_look_like_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    corpus = tmp_path / "text.jsonl"
    corpus.write_text('{"text": "hello", "language": "[/red]"}\n')
    done = lab("measure", corpus, "-t", "byte", "--no-cache", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "[/red]" in done.stdout


@pytest.mark.parametrize(
    ("redirect", "message"),
    [("> /dev/full", "No space left"), (">&-", "standard output is closed")],
)
def test_an_output_that_cannot_be_written_is_one_line(
    corpus: Path, tmp_path: Path, redirect: str, message: str
) -> None:
    command = f"{sys.executable} -m tokenize_lab measure {corpus} -t byte --json --no-cache " + (
        f"--out {tmp_path / 'out'} {redirect}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert message in done.stderr


def test_a_reader_that_leaves_is_no_mistake(corpus: Path, tmp_path: Path) -> None:
    command = (
        f"set -o pipefail; {sys.executable} -m tokenize_lab measure {corpus} -t byte --json "
        f"--group-by document --no-cache --out {tmp_path / 'out'} | head -c 1"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "["
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def counting_at_length(tmp_path: Path) -> "subprocess.Popen[str]":
    """Start a measurement with two workers; return it once its first counts are kept."""
    corpus = tmp_path / "text.jsonl"
    with corpus.open("w") as out:
        for i in range(120_000):
            out.write(json.dumps({"text": f"{i} " + "some words to count " * 20}) + "\n")
    command = [sys.executable, "-m", "tokenize_lab", "measure", str(corpus), "-t", "mistral:v3"]
    command += ["--jobs", "2", "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("cache/*/*")):
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_do_not_outlive_a_killed_command(tmp_path: Path, kill: signal.Signals) -> None:
    process = counting_at_length(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.send_signal(kill)
    gone, alive = psutil.wait_procs(children, timeout=15)
    process.communicate(timeout=30)
    assert not alive
    assert len(gone) == len(children)


def test_a_second_ctrl_c_does_not_break_off_the_clearing_up(tmp_path: Path) -> None:
    process = counting_at_length(tmp_path)
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr


def test_explain_says_which_engine_serves_and_measures_nothing(tmp_path: Path) -> None:
    specs = ["-t", "mistral:tekken", "-t", "mistral:tekken-240718", "-t", "mistral:v3"]
    out = tmp_path / "out"
    done = lab("measure", "embedded", *specs, "--explain", "--json", "--out", out)
    assert done.returncode == 0, done.stderr
    tekken, _, v3 = json.loads(done.stdout)
    assert tekken["shared"] and tekken["shared_with"] == ["mistral:tekken-240718"]
    assert tekken["splits_by"] == ["tekken"] and tekken["encoder"].startswith("tiktoken ")
    assert not v3["shared"] and v3["shared_with"] == [] and v3["cut_rule"] is None
    assert "does not split" in v3["reason"]
    table = lab("measure", "embedded", *specs, "--explain", "--out", out)
    assert "whole texts" in table.stdout and "chunks (gpt)" in table.stdout
    assert not out.exists()


def test_an_address_is_for_a_cluster(corpus: Path, tmp_path: Path) -> None:
    arguments = ("measure", corpus, "-t", "byte", "--out", tmp_path / "out", "--address", "auto")
    assert mistake(lab(*arguments)).startswith("error: --address: is for --engine ray")
