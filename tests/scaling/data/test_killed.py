"""A build that is killed at any moment leaves no wrong shards, and the next one finishes it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scaling.data.build_text import build_text
from scaling.data.build_units import build_tokens
from scaling.data.folders import publish, working_folder
from scaling.data.shards import open_shards
from tests.conftest import ROOT
from tests.scaling.data.texts import corpus_of, sentences
from tokenize_lab.backends.simple import ByteTokenizer

PART_BYTES = 4000
# Builds in sys.argv[1] and kills itself at the sys.argv[2]-th thing it does to a file in there, of
# those that Python announces: opening, making, linking, renaming, removing. Prints how many it did.
BUILD = """
import os, signal, sys
from pathlib import Path
from scaling.data.build_text import build_text
from scaling.data.build_units import build_tokens
from tests.scaling.data.texts import corpus_of, sentences
from tokenize_lab.backends.simple import ByteTokenizer

folder, last = Path(sys.argv[1]), int(sys.argv[2])
done = 0

def watch(event, arguments):
    global done
    names = ("open", "os.mkdir", "os.link", "os.rename", "os.remove", "os.rmdir", "os.chmod")
    if event in names and str(folder) in str(arguments[:2]):
        done += 1
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
text = build_text([corpus_of(sentences(150))], folder, held_out_bytes=3000)
build_tokens(text, ByteTokenizer(), folder, part_bytes=4000)
print(done)
"""


class Counting(ByteTokenizer):
    """A byte tokenizer that says when it is asked."""

    calls = 0

    def encode_batch(self, texts):  # type: ignore[no-untyped-def]
        Counting.calls += 1
        return super().encode_batch(texts)


def build(folder: Path) -> Path:
    Counting.calls = 0
    text = build_text([corpus_of(sentences(150))], folder, held_out_bytes=3000)
    return build_tokens(text, Counting(), folder, part_bytes=PART_BYTES)


def run(folder: Path, last: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", BUILD, str(folder), str(last)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_build_killed_at_any_moment_is_finished_by_the_next(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 0)
    assert whole.returncode == 0, whole.stderr
    expected, steps = content(tmp_path / "whole"), int(whole.stdout)
    assert steps > 60 and len(expected) == 17
    build(tmp_path / "mine")
    parts = Counting.calls
    assert parts == 7 and content(tmp_path / "mine") == expected
    resumed = 0
    for last in range(3, steps, steps // 8):
        folder = tmp_path / str(last)
        assert run(folder, last).returncode == -signal.SIGKILL
        # Whatever has a shard's name is whole.
        for made in folder.glob("[0-9a-f]*"):
            open_shards(made, verify=True)
        build(folder)
        assert content(folder) == expected
        assert not list(folder.glob(".*"))
        resumed += 0 < Counting.calls < parts
    assert resumed >= 2  # some were killed between parts, and those parts were not made again


def test_a_build_killed_again_and_again_ends(tmp_path: Path) -> None:
    for last in (12, 40, 45, 50, 60):
        assert run(tmp_path / "killed", last).returncode == -signal.SIGKILL
    build(tmp_path / "killed")
    build(tmp_path / "whole")
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_a_torn_part_is_named(tmp_path: Path) -> None:
    class Stops(ByteTokenizer):
        def encode_batch(self, texts):  # type: ignore[no-untyped-def]
            if list(tmp_path.glob(".*.parts/*.npz")):
                raise KeyboardInterrupt
            return super().encode_batch(texts)

    text = build_text([corpus_of(sentences(150))], tmp_path, held_out_bytes=3000)
    with pytest.raises(KeyboardInterrupt):
        build_tokens(text, Stops(), tmp_path, part_bytes=PART_BYTES)
    (part,) = tmp_path.glob(".*.parts/*.npz")
    part.write_bytes(part.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"npz: not the part that was written .*; delete it"):
        build_tokens(text, ByteTokenizer(), tmp_path, part_bytes=PART_BYTES)
    part.unlink()
    build(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_whoever_comes_second_takes_the_shards_of_the_first(tmp_path: Path) -> None:
    first = build_text([corpus_of(sentences(9))], tmp_path, held_out_bytes=50)
    before = content(first)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "shards.json").write_text("the same, from another process")
    assert publish(tmp_path / "made", first) == first
    assert content(first) == before
    # But a folder in the way that holds no shards is an error, not taken for them.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(OSError, match="not empty"):
        publish(tmp_path / "made", tmp_path / "other")


def hold(folder: Path, seconds: float) -> None:
    with working_folder(folder) as mine:
        (mine / "held").touch()
        time.sleep(seconds)
        (mine / "held").unlink()


def test_two_processes_take_turns(tmp_path: Path) -> None:
    # "spawn": a fork would inherit whatever threads the tests started.
    other = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path / "w", 0.5))
    other.start()
    while not (tmp_path / "w" / "held").exists():
        time.sleep(0.01)
    with working_folder(tmp_path / "w") as mine:
        assert not (mine / "held").exists()
    other.join()
    assert other.exitcode == 0
