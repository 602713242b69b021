"""Hostile files and patterns: a tokenizer that works, or one line; no panic's text, no waiting."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.errors import InputError
from tests.cli import mistake, process
from tests.conftest import ROOT
from tests.tokenize_lab.backends.hostile import (
    BACKTRACKING,
    MILLIONS,
    Hostile,
    a_million,
    byte_level,
    hostile_files,
    split_by,
)
from tests.tokenize_lab.backends.test_forms import _gguf
from tests.tokenize_lab.texts import HARD
from tokenize_lab.backends import apart, first_sight, watched
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.backends.watched import is_strange
from tokenize_lab.packages import kept_folder
from tokenize_lab.patterns import PATTERNS, PUBLISHED
from tokenize_lab.tokenizer_spec import load_tokenizer

EVERY = 11  # of the files, those that are tried when nobody waits for slow tests


def _files(trained: dict[str, Path]) -> list[Hostile]:
    letters = list(byte_to_character().values())
    gguf = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [*letters, "ab", "<s>"],
        "tokenizer.ggml.token_type": [1] * 257 + [3],
        "tokenizer.ggml.merges": ["a b"],
    }
    model = (trained["unigram-sp"] / "tokenizer.model").read_bytes()
    return list(hostile_files(model, _gguf(gguf)))


def _try(hostile: Hostile, folder: Path) -> str:
    """Return the refusal of a file, or nothing where it is opened and encodes."""
    path = folder / hostile.file
    path.write_bytes(hostile.content)
    try:
        tokenizer = load_tokenizer(str(path))
        encoding = tokenizer.encode_batch(["", "a", "x" * 40, *HARD])
    except InputError as error:
        said = str(error)
        if "\n" in said or str(folder) not in said:
            pytest.fail(f"{hostile.name}: {said}")
        return said
    assert int(encoding.ids.max(initial=0)) < tokenizer.vocabulary_size, hostile.name
    return ""


@pytest.mark.parametrize(
    ("first", "every"),
    [(0, EVERY), *(pytest.param(n, EVERY, marks=pytest.mark.slow) for n in range(1, EVERY))],
)
def test_hostile_files_give_a_tokenizer_or_one_line(
    first: int,
    every: int,
    trained: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    refused = 0
    for hostile in _files(trained)[first::every]:
        begin = time.monotonic()
        refused += bool(_try(hostile, tmp_path))
        assert time.monotonic() - begin < 60 * 5, hostile.name  # a busy machine is slower
    assert refused > 20
    assert capfd.readouterr() == ("", "")  # nothing was said past us


def test_a_stranger_that_asks_for_gigabytes_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    grows = [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}] * 12
    content = {**byte_level(), "normalizer": {"type": "Sequence", "normalizers": grows}}
    path.write_text(json.dumps(content))
    line = mistake(f"measure embedded -t {path} --no-cache --out {tmp_path}")
    assert line == (
        f"{path}: opening it took more than 512 MiB; the file is damaged, or made to exhaust a"
        " machine"
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited, and told, on Linux")
@pytest.mark.parametrize("of", MILLIONS)
def test_a_million_of_anything_is_opened_or_one_line(of: str, tmp_path: Path) -> None:
    """Neither process takes more than a gigabyte, or a minute of computing."""
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(a_million(of), separators=(",", ":")))
    script = """
import json, resource, sys
from corpora.errors import InputError
from tokenize_lab.backends import apart
from tokenize_lab.tokenizer_spec import load_tokenizer
try:
    said = int(load_tokenizer(sys.argv[1]).encode_batch(["abc"]).lengths.sum())
except InputError as error:
    said = str(error)
apart.shared().end()
whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
print(json.dumps([said, *map(list, map(resource.getrusage, whose))]))
"""
    # Between them a small process: one's memory counts from that of the process it was forked from.
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", script, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TOKENIZE_LAB_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    said, *taken = json.loads(done.stdout)
    if isinstance(said, str):
        assert said.startswith(f"{path}: opening it took more than ") and "\n" not in said
    else:
        assert 0 < said <= 4  # of Unigram a mark and three letters
    for user, system, kibibytes, *_ in taken:
        assert user + system < 60 and kibibytes < 1 << 20, (of, said)


@pytest.mark.slow
def test_a_file_of_just_the_limit_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    content = json.dumps(byte_level())
    path.write_text(content + " " * (first_sight._MOST_BYTES - len(content)))
    assert load_tokenizer(str(path)).encode_batch(["abc"]).lengths.tolist() == [1]
    with path.open("a") as file:
        file.write(" ")
    line = mistake(f"measure embedded -t {path} --no-cache --out {tmp_path / 'out'}")
    said = "134,217,729 bytes, and no tokenizer's file has over 128 MiB; give another"
    assert line == f"{path}: {said}"


@pytest.fixture
def fresh() -> Iterator[apart.ProcessApart]:
    process = apart.ProcessApart()
    yield process
    process.end()


@pytest.mark.skipif(sys.platform != "linux", reason="how a process ends is told apart on Linux")
def test_how_a_process_ended_is_said(
    fresh: apart.ProcessApart, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = tmp_path / "hostile_child.py"
    code.write_text(
        """
import json, os, resource, signal, sys
for line in sys.stdin.buffer:
    do = json.loads(line)["do"]
    if do == "spin":
        resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
        while True:
            pass
    if do == "sleep":
        signal.pause()
    if do == "leave":
        sys.exit(3)
    if do == "abort":
        sys.stderr.write("memory allocation of 99 bytes failed")
    os.kill(os.getpid(), signal.SIGABRT if do == "abort" else signal.SIGSEGV)
"""
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(apart, "_MODULE", "hostile_child")
    monkeypatch.setattr(apart, "_WAITED", 0.3)
    for do, said in (
        ("abort", "took more than 7 MiB"),
        ("crash", "ended the library by SIGSEGV"),
        ("leave", "ended the process with exit code 3"),
        ("sleep", "took more than 4 seconds"),
    ):
        with pytest.raises(apart.EndedError, match=said):
            fresh.ask({"do": do}, seconds=4, memory=7 << 20)
    monkeypatch.setattr(apart, "_WAITED", 60)
    with pytest.raises(apart.EndedError, match="took more than 4 seconds"):
        fresh.ask({"do": "spin"}, seconds=4, memory=7 << 20)


def test_a_known_file_is_not_opened_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: dict[str, Path]
) -> None:
    monkeypatch.setenv("TOKENIZE_LAB_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_level()))
    asked = []
    ask = apart.ProcessApart.ask

    def watched_ask(self: apart.ProcessApart, facts: dict[str, str], *rest: object, **more: int):  # type: ignore[no-untyped-def]
        asked.append(facts["do"])
        return ask(self, facts, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(apart.ProcessApart, "ask", watched_ask)
    for spec in (path, path, f"hf:{path}", f"mine={path}", "mistral:v1", "byte"):
        load_tokenizer(str(spec))
    assert asked == ["open"]
    path.write_text(json.dumps(byte_level()) + " ")
    load_tokenizer(f"truncated:257:{path}")
    assert asked == ["open"] * 2
    assert len(list(kept_folder("opened").iterdir())) == 2
    first_sight.trust(trained["bpe"] / "tokenizer.json")
    load_tokenizer(str(trained["bpe"]))
    assert asked == ["open"] * 2
    monkeypatch.setattr(first_sight, "_MOST_REMEMBERED", 2)
    path.write_text(json.dumps(byte_level()) + "  ")
    load_tokenizer(str(path))
    assert len(list(kept_folder("opened").iterdir())) == 2


def denied_below(folder: Path, stat: Callable[..., os.stat_result]) -> Any:
    """Return `Path.stat` as it is for who may not search a folder; root may."""

    def asked(path: Path, **options: bool) -> os.stat_result:
        if path.parent == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    return asked


def test_a_file_is_remembered_in_the_cache_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENIZE_LAB_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_level()))
    load_tokenizer(str(path))
    (mark,) = kept_folder("opened").iterdir()
    mark.unlink()
    mark.symlink_to(tmp_path / "elsewhere")
    load_tokenizer(str(path))
    assert not (tmp_path / "elsewhere").exists()
    monkeypatch.setattr(Path, "stat", denied_below(kept_folder("opened"), Path.stat))
    load_tokenizer(str(path))


def test_a_file_larger_than_any_vocabulary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as file:
        file.write(b"{")
        file.truncate(129 << 20)
    with pytest.raises(
        InputError, match="135,266,304 bytes, and no tokenizer's file has over 128 MiB"
    ):
        load_tokenizer(str(path))


def test_text_under_a_strangers_pattern_is_encoded_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(split_by(r"\p{L}+|[^\p{L}]")))
    tokenizer = load_tokenizer(str(path))
    monkeypatch.setattr(watched, "BYTES", 50)
    texts = ["", *HARD, "abc " * 99, "ab"]
    found = tokenizer.encode_batch(texts), [tokenizer.pretoken_count(text) for text in texts]
    again = pickle.loads(pickle.dumps(tokenizer))
    monkeypatch.setattr(apart, "inside", True)
    here = again.encode_batch(texts)
    assert np.array_equal(found[0].ids, here.ids) and found[0].ids.dtype == here.ids.dtype
    assert np.array_equal(found[0].lengths, here.lengths)
    assert found[1] == [again.pretoken_count(text) for text in texts]
    assert len(tokenizer.encode_batch([]).lengths) == 0


def test_what_differs_in_the_pattern_alone_is_told_apart(tiktoken_file: Path) -> None:
    tokenizer = load_tokenizer(f"tiktoken:{tiktoken_file}")
    assert isinstance(tokenizer, TiktokenTokenizer)
    one, other = (replace(tokenizer, pattern=pattern) for pattern in ("(?s:.)", "(?s:..?)"))
    assert one.pretoken_count("abcd") == 4 and other.pretoken_count("abcd") == 2
    for each in (one, other):
        with pytest.MonkeyPatch.context() as patch:
            found = each.encode_batch(HARD)
            patch.setattr(apart, "inside", True)
            assert np.array_equal(found.ids, each.encode_batch(HARD).ids)


def test_a_document_that_takes_for_ever_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(split_by(r"a*b|[\s\S]")))  # to the end of the text from each letter
    monkeypatch.setattr(watched, "_SECONDS", 1)
    monkeypatch.setattr(watched, "_BYTES_FOR_SECOND", 1 << 30)
    text = tmp_path / "some.txt"
    text.write_text("one\ntwo\n" + "a" * 300_000 + "\nfour\n")
    line = mistake(f"measure {text} -t {path} --no-cache --jobs 1 --out {tmp_path / 'out'}")
    assert line.startswith(f"some.txt: document 3: hf:{path}: encoding the text that begins 'aaa")
    assert "aaa' took more than 1 seconds; its pattern is no published one" in line
    assert load_tokenizer(str(path)).encode_batch(["two"]).lengths.tolist() == [3]


@pytest.mark.parametrize(
    "line",
    [
        "vocab-curve {text} -t {path} --no-cache --out {out} --jobs 1",
        "tokenizers check {path} {text} --jobs 1",
        "tokenizers mixture {path} {text} --jobs 1 --out {out}",
    ],
)
def test_no_command_takes_for_ever_over_a_document(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, text = tmp_path / "tokenizer.json", tmp_path / "some.txt"
    path.write_text(json.dumps(split_by(r"a*b|[\s\S]")))
    monkeypatch.setattr(watched, "_SECONDS", 1)
    monkeypatch.setattr(watched, "_BYTES_FOR_SECOND", 1 << 30)
    text.write_text("one\ntwo\n" + "a" * 300_000 + "\nfour\n")
    said = mistake(line.format(path=path, text=text, out=tmp_path / "out"))
    assert f"hf:{path}: " in said
    assert "the text that begins 'aaa" in said and "took more than 1 seconds" in said


def test_matches_are_limited_and_errors_travel() -> None:
    assert watched.matcher("(a)|(b)", "x")("abc") == ["a", "b"]
    assert watched.matcher("[ab]", "x")("abc") == ["a", "b"]
    error = pickle.loads(pickle.dumps(watched.TextError("x: too long", 3)))
    assert (str(error), error.index) == ("x: too long", 3)


def test_a_decoder_of_a_pattern_of_its_own_is_refused(tmp_path: Path) -> None:
    back = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}
    both = {"type": "Sequence", "decoders": [byte_level()["decoder"], back]}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**byte_level(), "decoder": both}))
    with pytest.raises(InputError, match="its decoder could take for ever over a text"):
        load_tokenizer(str(path))


def test_which_patterns_are_strange() -> None:
    def split(pattern: str) -> dict[str, object]:
        return split_by(pattern)["pre_tokenizer"]  # type: ignore[no-any-return]

    assert not any(is_strange(None, split(pattern)) for pattern in PATTERNS.values())
    assert {*PATTERNS.values()} <= PUBLISHED
    assert all(is_strange(None, split(pattern)) for pattern in BACKTRACKING)
    marks = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    grows = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    several = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, marks]}
    assert not is_strange(several, None) and not is_strange(None, None)
    assert not is_strange({"type": "Sequence", "normalizers": [grows] * 2}, None)
    assert is_strange({"type": "Sequence", "normalizers": [grows] * 3}, None)
    assert is_strange({**grows, "content": "a" * 9}, None)


@pytest.mark.slow
def test_the_process_apart_ends_with_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_level()))
    script = (
        "import sys, os; from tokenize_lab.tokenizer_spec import load_tokenizer as load;"
        "from tokenize_lab.backends import apart; load(sys.argv[1]);"
        "print(apart.shared()._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    for _ in range(100):
        try:
            os.kill(int(done.stdout), 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("it is still there")


@pytest.mark.slow
def test_standard_input_is_left_to_the_command(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_level()))
    cache = {"TOKENIZE_LAB_CACHE": str(tmp_path / "cache")}
    line = f"measure - -t {path} --no-cache --json --out {tmp_path / 'out'}"
    done = process(line, stdin="abc\nabc\n", env=cache)
    assert done.exit_code == 0 and done.json()[0]["tokens"] == 2, done.stderr
