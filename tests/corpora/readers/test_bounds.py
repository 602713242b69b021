"""Memory does not depend on what a file claims: whatever unpacks to gigabytes is read in pieces."""

import contextlib
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.errors import InputError
from corpora.open import open_corpus
from corpora.readers.bytes import LONG_LINE
from corpora.readers.decompressed import WINDOW_BYTES
from corpora.readers.parquet_pages import pages
from corpora.readers.settings import LEAST_DOCUMENT_BYTES
from tests.cli import command, mistake
from tests.conftest import ROOT
from tests.corpora.reading import refusal, texts

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": zstandard.ZstdCompressor().compress,
}
GIGABYTES = 20 << 30
PIECE = 16 << 20

# The memory that a process may have at all, as addresses: libraries and stacks are part of it.
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (400_000_000, 400_000_000))
from corpora.errors import InputError
from corpora.open import open_corpus
for path in sys.argv[2:]:
    documents = 0
    try:
        for batch in open_corpus(path, unit=sys.argv[1]).batches():
            documents += len(batch.texts)
            if documents > 1_000_000:
                break
        print(documents)
    except InputError as error:
        print(error)
"""


def bomb(path: Path, head: bytes, unit: bytes, tail: bytes, size: int) -> str:
    """Write a file of `size` bytes as many equal frames, and return its path."""
    compress = COMPRESS[path.suffix[1:]]
    piece = compress(unit * (PIECE // len(unit)))
    path.write_bytes(compress(head) + piece * (size // PIECE) + compress(tail))
    return str(path)


def read_in_little_memory(*paths: str, unit: str = "line") -> list[str]:
    """Return what comes of reading each, in a process that has no more than 400 MB."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, unit, *paths], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


needs_limit = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps RLIMIT_AS")


@needs_limit
@pytest.mark.parametrize("suffix", COMPRESS)
def test_bombs_are_read_in_little_memory(tmp_path: Path, suffix: str) -> None:
    def packed(name: str, head: bytes, unit: bytes, tail: bytes, size: int = 1 << 30) -> str:
        return bomb(tmp_path / f"{name}.{suffix}", head, unit, tail, size)

    line = packed("line.txt", b"first\n", b"a", b"\n", GIGABYTES)
    record = packed("record.jsonl", b'{"text": "', b"a", b'"}\n', GIGABYTES)
    fields = packed("fields.csv", b"text,id\n", b",", b"\n")
    quote = packed("quote.csv", b'text,id\n"', b"a" * 255 + b"\n", b"\n")
    short = packed("short.txt", b"", b"a" * 7 + b"\n", b"")
    lists = tmp_path / f"lists.jsonl.{suffix}"
    compress = COMPRESS[suffix]
    piece = compress(b"[]," * (PIECE // 3))
    lists.write_bytes(compress(b'{"text": "a", "b": [') + 12 * piece + compress(b"1]}\n"))
    found = read_in_little_memory(line, record, fields, quote, short, str(lists))
    over = "of more than 256,000,000 bytes; if it is one document, raise `max_document_bytes`"
    assert found[0].startswith(f"{line}:2: a line {over}")
    assert found[1].startswith(f"{record}:1: a line {over}")
    assert found[2].startswith(f"{fields}:2: a line of more than 32,000,000 bytes")
    assert found[3].startswith(f"{quote}:2: a row of more than 32,000,000 bytes")
    assert int(found[4]) > 1_000_000
    assert found[5].startswith(f"{lists}:1: a record of more than 2,000,000 values")
    whole = read_in_little_memory(line, unit="file")
    assert whole[0].startswith(f"{line}: a file {over}")


def test_a_thousand_to_one_is_noted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = bomb(tmp_path / "a.txt.zst", b"", b"a" * 1023 + b"\n", b"", 2 * PIECE)
    corpus = open_corpus(path)
    with caplog.at_level("INFO", "corpora"):
        for _ in range(2):
            assert sum(len(batch.texts) for batch in corpus.batches()) == 2 * PIECE // 1024
    (note,) = caplog.messages
    assert note.startswith(f"{path}: unpacks to more than 1,000 times its size")


def test_the_limit_is_exact_and_can_be_raised(tmp_path: Path) -> None:
    path, most = tmp_path / "a.txt", 3_000_000
    path.write_bytes(b"x\n" + b"a" * most + b"\nbb\n")
    assert list(map(len, texts(open_corpus(str(path), max_document_bytes=most)))) == [1, most, 2]
    path.write_bytes(b"x\n" + b"a" * (most + 1) + b"\nbb\n")
    message = refusal(path, max_document_bytes=most)
    assert message == (
        f"{path}:2: a line of more than 3,000,000 bytes; if it is one document, raise"
        " `max_document_bytes` (3,000,000 now), or else leave the file out"
    )
    assert len(texts(open_corpus(str(path), max_document_bytes=most + 1))) == 3
    assert "a file of more than" in refusal(path, max_document_bytes=most, unit="file")
    assert "a row of more than 1,000,000 bytes" in refusal(
        _table(tmp_path, most), max_document_bytes=most
    )
    line = f"measure {path} -t byte --no-cache --out {tmp_path} --max-document-bytes 3000000"
    assert "raise --max-document-bytes (3,000,000 now)" in mistake(line)
    assert command(line.replace("3000000", "3000003")).exit_code == 0


def _table(folder: Path, size: int) -> Path:
    path = folder / "a.csv"
    path.write_bytes(b'text\n"' + b"aa\n" * (size // 3) + b'"\n')
    return path


def test_a_limit_must_be_more_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\n")
    for limit in (LEAST_DOCUMENT_BYTES - 1, 2e6, "many"):
        assert "`max_document_bytes`" in refusal(path, max_document_bytes=limit)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("size", [LONG_LINE - 1, LONG_LINE + (1 << 18), 3 * LONG_LINE])
def test_long_lines_are_what_they_are(tmp_path: Path, size: int, end: bytes) -> None:
    long = ("é" + "a" * size) * 2
    lines = ["short", long, "kurz", long]
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + (end or b"\n").join(x.encode() for x in lines) + end)
    assert texts(open_corpus(str(path))) == lines
    records = tmp_path / "a.jsonl"
    rows = [json.dumps({"text": line, "id": n}) for n, line in enumerate(lines)]
    records.write_bytes((end or b"\n").join(row.encode() for row in rows) + end)
    assert texts(open_corpus(str(records))) == lines
    path.write_bytes(b"x\n" + long.encode() + b"\xff\nlast")
    assert f"{path}:2 (byte {2 + len(long.encode())}): invalid UTF-8" in refusal(path)
    records.write_bytes(b'{"text": "x"}\n{"text": "' + long.encode() + b'"]\n')
    assert f"{records}:2: not JSON" in refusal(records)


def test_windows_beyond_what_packers_take_are_refused(tmp_path: Path) -> None:
    text = b"a line of text\n" * 100_000
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2 * WINDOW_BYTES}]
    wide = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=wide)
    stream = packer.compressobj()
    packed = {
        "xz": lzma.compress(text, filters=filters),
        "zst": stream.compress(text) + stream.flush(),
    }
    for suffix, data in packed.items():
        path = tmp_path / f"a.txt.{suffix}"
        path.write_bytes(data)
        assert "needs a window of more than 128 MiB to unpack" in refusal(path)
    strongest = tmp_path / "strongest.txt.xz"
    strongest.write_bytes(lzma.compress(text, preset=9))
    assert len(texts(open_corpus(str(strongest)))) == 100_000


def test_what_follows_an_xz_stream_is_no_part_of_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.xz"
    one, two = lzma.compress(b"one\n"), lzma.compress(b"two\n")
    path.write_bytes(one + bytes(12) + two + bytes(4))
    assert texts(open_corpus(str(path))) == ["one", "two"]
    path.write_bytes(one + b"more")
    assert "the compressed data" in refusal(path)


PEAK = """
import sys
from corpora.errors import InputError
from corpora.open import open_corpus
for path in sys.argv[1:]:
    documents = 0
    try:
        for batch in open_corpus(path).batches():
            documents += len(batch.texts)
            assert sum(map(len, batch.texts)) < 4 << 20
        print(documents)
    except InputError as error:
        print(error)
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_parquet_file_repeats_and_claims_in_vain(tmp_path: Path) -> None:
    megabyte = "a" * 1_000_000
    same = pl.DataFrame({"text": ["x"] * 100_000 + [megabyte] * 900, "id": [[None] * 99] * 100_900})
    same.write_parquet(tmp_path / "same.parquet")
    pl.DataFrame({"text": ["x", "b" * 100_000_000]}).write_parquet(tmp_path / "huge.parquet")
    paths = [str(tmp_path / name) for name in ("same.parquet", "huge.parquet")]
    assert sum(Path(path).stat().st_size for path in paths) < 1 << 20
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *paths], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    documents, refused, peak = done.stdout.splitlines()
    assert int(documents) == 100_900 and int(peak) < 400_000
    assert refused.startswith(
        f"{paths[1]}: row group 1, 'text': a page of more than 64,000,000 bytes; if it is one"
    )


def test_pages_are_what_is_claimed(tmp_path: Path) -> None:
    values = [f"{n} is a number" for n in range(50_000)]
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"text": values, "id": range(50_000), "other": values})
    frame.write_parquet(path, row_group_size=20_000)
    with path.open("rb") as file:
        found = list(pages(file, {"text", "id"}))
    assert {page.row_group for page in found} == {0, 1, 2}
    assert {page.column for page in found} == {"text", "id"}
    of_text = sum(page.unpacked for page in found if page.column == "text")
    assert of_text >= sum(map(len, values))


@given(data=st.data())
@settings(max_examples=25)
def test_damaged_parquet_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.parquet"
    pl.DataFrame({"text": ["a", "b"], "id": ["x", "y"]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 9))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 9]))])
    with contextlib.suppress(InputError):
        texts(open_corpus(str(path)))
