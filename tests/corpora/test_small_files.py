"""Files that should be small, and claim to be large, deep or without end: one line, in no time."""

import os
from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.files import read_bounded
from corpora.json_file import MOST_BYTES, parsed, read_object
from corpora.toml_file import parsed as parsed_toml
from corpora.toml_file import read_text


def test_a_file_of_just_as_much_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(1 << 20))
    assert len(read_bounded(file, 1 << 20)) == 1 << 20
    with file.open("ab") as more:
        more.write(b"\0")
    with pytest.raises(
        InputError, match="more than 1 MiB, and no such file has that; give another"
    ):
        read_bounded(file, 1 << 20, "give another")
    with pytest.raises(InputError, match="not a regular file but a folder"):
        read_bounded(tmp_path, 1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a pipe or a device"):
        read_bounded(tmp_path / "pipe", 1)


def test_json_that_takes_more_than_it_says(tmp_path: Path) -> None:
    for content, said in (
        (b"[" + b"[]," * 1_000_000 + b"1]", "more than 1,000,000 objects and lists"),
        (b"[" + b"1," * 8_000_001 + b"1]", "more than 8,000,000 values"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"9" * 5000, "4300"),
        (b'"\xff"', "utf-8"),
    ):
        with pytest.raises(ValueError, match=said):
            parsed(content)
    assert parsed(b'{"a": [1, 2.5, null, "\xc3\xa9"]}') == {"a": [1, 2.5, None, "é"]}
    file = tmp_path / "large.json"
    with file.open("wb") as sparse:
        sparse.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match="more than 128 MiB"):
        read_object(file, "make it again")


@pytest.mark.parametrize(
    "line",
    [
        ".".join(["a"] * 30_000) + " = 1",
        "[" + " . ".join(["a-b"] * 65) + "]",
        "x = {" + ".".join(['"a.b"', "'c'"] * 40) + " = 1}",
    ],
    ids=lambda line: line[:12],
)
def test_a_key_of_many_parts_is_refused(tmp_path: Path, line: str) -> None:
    """Each beginning of it would be kept: gigabytes for the first."""
    with pytest.raises(InputError, match=r"x.toml:3: a key of more than 64 parts"):
        parsed_toml(tmp_path / "x.toml", f"a = 1\nb = 2\n{line}\n")


def test_dots_that_are_no_key() -> None:
    text = ".".join(["a"] * 64)
    found = parsed_toml(
        Path("x.toml"), f'{text} = "{"9.5 " * 99}"\ny = "{"." * 99}" # {"- " * 99}\n'
    )
    assert set(found) == {"a", "y"}
    parsed_toml(Path("x.toml"), f'x = "{"a" * 1_000_000}"\n')


def test_a_long_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    with file.open("wb") as sparse:
        sparse.truncate((4 << 20) + 1)
    with pytest.raises(InputError, match="more than 4 MiB"):
        read_text(file)
