"""A file is whole or absent, and what went wrong is said in words."""

from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.files import file_sha256, lock, write_text, written_whole


def test_a_library_that_gives_no_number_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    write_text(path, "old")

    def write() -> None:
        with written_whole(path):
            raise OSError("No space left on device (os error 28)")  # as Polars does

    with pytest.raises(InputError, match=r"could not be written \(No space left on device"):
        write()
    assert path.read_text() == "old" and [path] == list(tmp_path.iterdir())


def test_the_argument_that_named_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another `out`"):
        write_text(tmp_path / "file" / "below", "")
    with (
        pytest.raises(InputError, match="name another `tensorboard`"),
        written_whole(tmp_path / "file" / "below", argument="tensorboard"),
    ):
        pass


def test_a_lock_counts_only_while_it_is_the_file_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path) as held, lock(path, give_up=lambda: True) as second:
        assert held and not second
        path.unlink()
        with lock(path, give_up=lambda: True) as third:
            assert third
    with lock(tmp_path / "gone" / "lock") as held:
        assert not held


def test_a_hash_of_nothing_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "abc")
    assert file_sha256(tmp_path / "a").startswith("ba7816bf")
    with pytest.raises(InputError, match="cannot be read"):
        file_sha256(tmp_path / "b")
