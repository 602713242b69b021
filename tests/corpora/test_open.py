"""Paths that are not what was hoped for: one clear line each, and nothing left out unsaid."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from corpora.errors import InputError
from corpora.manifest import Manifest, manifest_of, to_toml, verify
from corpora.open import open_corpus
from corpora.toml_file import read_toml
from tests.corpora.reading import documents, refusal, texts

RAW = os.fsdecode(b"bad\xff")  # a name that is not UTF-8, as Python holds it
NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any user may enter, unlike `tmp_path`; what is taken of it is given back."""
    if os.name != "posix":
        pytest.skip("file modes are POSIX's")
    folder = Path(tempfile.mkdtemp(prefix="corpora-paths-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Be a user to whom modes apply, as they do not to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def manifest_in(folder: Path, *names: str) -> Path:
    """Write a manifest of the files, English each."""
    files = {folder / name: "eng_Latn" for name in names}
    about = manifest_of(folder, files, name="m", title="t", source="s", licence="l")
    path = folder / "m.toml"
    path.write_text(to_toml(about))
    return path


def test_a_folder_that_cannot_be_listed_is_not_left_out(place: Path) -> None:
    (place / "a.txt").write_text("a\n")
    closed = place / "closed"
    closed.mkdir()
    (closed / "b.txt").write_text("b\n")
    closed.chmod(0)
    with without_rights():
        message = refusal(place)
    assert message.startswith(f"{closed}: cannot be read (Permission denied); make it")
    hidden = closed.rename(place / ".closed")
    with without_rights():
        assert texts(open_corpus(str(place))) == ["a"]  # hidden ones do not count
    assert hidden.is_dir()


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.txt.gz", "a.parquet", "m.toml", "none"])
def test_what_lies_in_a_closed_folder_is_refused(place: Path, name: str) -> None:
    closed = place / "closed"
    closed.mkdir()
    (closed / name).write_text("x\n")
    closed.chmod(0)
    with without_rights():
        assert "cannot be read (Permission denied)" in refusal(closed / name)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.txt.gz", "a.parquet"])
def test_a_file_that_may_not_be_read_is_refused(place: Path, name: str) -> None:
    path = place / name
    path.write_text("x\n")
    declared = manifest_in(place, name)
    path.chmod(0)
    with without_rights():
        assert f"{path}: cannot be read (Permission denied); make it" in refusal(path)
        assert f"{path}: cannot be read (Permission denied); make it" in refusal(declared)
        with pytest.raises(InputError, match="Permission denied"):
            verify(read_toml(declared, Manifest), place)
        if name == "a.txt.gz":  # of which the head must be read
            with pytest.raises(InputError, match="Permission denied"):
                open_corpus(str(path)).size_bytes  # noqa: B018 - a property that reads


def test_names_too_long_for_a_file_are_refused_in_a_short_line(tmp_path: Path) -> None:
    deep = f"{tmp_path}/{'y' * 300}.jsonl"
    for name in ("x" * 300, "x" * 300 + ".toml", "some/text " * 500, deep):
        message = refusal(name)
        assert f"{name[:60]}...: too long for a file's name ({len(name)} characters)" in message
    assert "can be no file's name" in refusal("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_pipes_devices_and_folders_are_no_files(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    said = "not a regular file but a pipe or a device; pass a file"
    assert refusal(pipe) == f"{pipe}: {said}"
    assert refusal(tmp_path) == f"{pipe}: {said}"
    assert refusal("/dev/null") == f"/dev/null: {said}"


def test_a_broken_link_is_called_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("gone.txt").symlink_to("nowhere.txt")
    assert refusal("loop").startswith("loop: a link to loop, which does not exist or leads back")
    assert refusal("gone.txt").startswith("gone.txt: a link to nowhere.txt, which does not exist")
    assert "gone.txt: a link to nowhere.txt" in refusal(tmp_path)  # and not left out


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    assert f"{tmp_path / 'a.txt'} is no folder" in refusal(tmp_path / "a.txt" / "b.txt")


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_names_that_are_not_utf8_are_shown_escaped(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / RAW
    folder.mkdir()
    path = folder / (RAW + suffix)
    path.write_text(json.dumps({"text": "x"}) + "\n")
    assert open_corpus(str(folder)).name == r"bad\xff"
    for corpus in (open_corpus(str(path)), open_corpus(str(folder))):
        (found,) = documents(corpus)
        assert found.source == rf"bad\xff{suffix}"
    path.write_bytes(b"\xfe\n")
    message = refusal(path)
    assert rf"{tmp_path}/bad\xff/bad\xff{suffix}:1 (byte 0): invalid UTF-8" in message
    assert rf"{tmp_path}/bad\xff/none: no such file" in refusal(folder / "none")


def test_a_table_needs_a_name_in_utf8(tmp_path: Path) -> None:
    plain = tmp_path / "plain.parquet"
    pl.DataFrame({"text": ["x"]}).write_parquet(plain)
    assert r"bad\xff.parquet: the name is not UTF-8" in refusal(
        plain.rename(tmp_path / f"{RAW}.parquet")
    )


def test_line_breaks_in_names_stay_in_the_line(tmp_path: Path) -> None:
    folder = tmp_path / "a\nb"
    folder.mkdir()
    path = folder / "c\n\x1b[31md.txt"
    path.write_text("x\n")
    corpus = open_corpus(str(folder))
    assert corpus.name == r"a\nb"
    assert documents(corpus)[0].source == r"c\n\x1b[31md.txt"
    path.write_text("")
    assert r"a\nb/c\n\x1b[31md.txt: is empty" in refusal(folder)


def test_labels_given_must_stand_in_a_line(tmp_path: Path) -> None:
    assert r"domain is 'a\nb'; it must be text" in refusal("embedded", domain="a\nb")
    assert r"language is 'bad\xff'; it must be text" in refusal("embedded", language=RAW)
