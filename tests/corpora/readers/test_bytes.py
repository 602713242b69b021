"""Compressed files read as plain ones do, and say when they are torn or damaged."""

import functools
import gzip
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard

from corpora.open import open_corpus
from corpora.readers.decompressed import expected_bytes
from tests.corpora.reading import refusal, texts

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": functools.partial(gzip.compress, compresslevel=1),
    ".xz": functools.partial(lzma.compress, preset=0),
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def lines(count: int) -> list[str]:
    draw = random.Random(0)
    return [f"{n} {draw.getrandbits(400):x} कखग" for n in range(count)]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_text_is_the_same_as_uncompressed(tmp_path: Path, suffix: str) -> None:
    expected = lines(20_000)
    path = tmp_path / f"hin_Deva.txt{suffix}"
    path.write_bytes(COMPRESS[suffix]("\n".join(expected).encode()))
    assert texts(open_corpus(str(path))) == expected


@pytest.mark.parametrize("suffix", COMPRESS)
def test_several_streams_in_one_file_are_read_to_the_end(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    parts = [b'{"text": "one"}\n{"te', b'xt": "two"}\n', b'{"text": "three"}\n']
    path.write_bytes(b"".join(map(COMPRESS[suffix], parts)))
    assert texts(open_corpus(str(path))) == ["one", "two", "three"]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kept", [0.999, 0.5])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    data = COMPRESS[suffix]("\n".join(lines(20_000)).encode())
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(data[: int(len(data) * kept)])
    message = refusal(path)
    assert message.startswith(f"{path}:")
    assert "the compressed data ends early; fetch the file again" in message


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_damaged_file_is_refused(tmp_path: Path, suffix: str) -> None:
    data = bytearray(COMPRESS[suffix]("\n".join(lines(20_000)).encode()))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(data)
    assert "the compressed data is damaged" in refusal(path)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_plain_file_named_as_compressed_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_text("plain\n")
    assert f"{path}:1: the compressed data is damaged" in refusal(path)


def test_whole_files_say_it_too(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"text" * 1000)[:-4])
    assert "the compressed data ends early" in refusal(path, unit="file")


@pytest.mark.parametrize("suffix", COMPRESS)
def test_progress_expects_about_what_the_file_holds(tmp_path: Path, suffix: str) -> None:
    generator = np.random.default_rng(0)
    words = [f"word{i} " for i in range(5000)]
    data = "".join(generator.choice(words, 600_000)).encode()
    path = tmp_path / f"text.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](data))
    expected = expected_bytes(path)
    assert expected is not None
    assert abs(expected / len(data) - 1) < 0.1
    path.write_bytes(path.read_bytes()[:20])
    assert expected_bytes(path) in (None, 0)
