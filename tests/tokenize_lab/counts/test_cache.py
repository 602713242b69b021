"""The cache: found again by content, safe to share, never believed when damaged."""

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from corpora.document import Batch
from corpora.errors import InputError
from tokenize_lab.counts.batches import BatchCounter, BatchCounts, CountJob
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.fields import TextSettings, WordSegmenter
from tokenize_lab.tokenizer_spec import load_tokenizer

TEXTS = ["one line of text", "नमस्ते दुनिया", "", "x = 12345;"]


def batch_of(texts: list[str], **other: str) -> Batch:
    place = {"language": "und", "domain": "", "source": "here", **other}
    return Batch(texts, document_ids=[str(i) for i in range(len(texts))], **place)  # type: ignore[arg-type]  # the rest of its fields


def count(cache: CountsCache | None, batch: Batch, **settings: object) -> BatchCounts:
    tokenizers = [load_tokenizer("byte"), load_tokenizer("mistral:v3")]
    return BatchCounter(CountJob(tokenizers, TextSettings(**settings), cache)).count(batch)  # type: ignore[arg-type]  # its fields


def encoded(result: BatchCounts) -> int:
    return sum(not np.isnan(s) for s in result.encode_seconds)


def test_the_second_time_nothing_is_encoded_and_counts_are_equal(tmp_path: Path) -> None:
    cache = CountsCache(tmp_path)
    first = count(cache, batch_of(TEXTS))
    second = count(cache, batch_of(TEXTS, source="elsewhere", language="hin_Deva"))
    assert (encoded(first), encoded(second)) == (2, 0)
    assert np.array_equal(first.text, second.text)
    for a, b in zip(first.tokens, second.tokens, strict=True):
        assert np.array_equal(a.per_text, b.per_text)
        assert np.array_equal(a.ids, b.ids)
        assert np.array_equal(a.occurrences, b.occurrences)


def test_whatever_changes_a_count_changes_the_key(tmp_path: Path) -> None:
    cache = CountsCache(tmp_path)
    count(cache, batch_of(TEXTS))
    assert encoded(count(cache, batch_of([*TEXTS[:-1], "x = 12346;"]))) == 2
    # The same bytes, divided differently.
    assert encoded(count(cache, batch_of(["one line of textन", *TEXTS[1:]]))) == 2
    assert encoded(count(cache, batch_of(TEXTS, domain="code"))) == 2
    assert encoded(count(cache, batch_of(TEXTS), segmenter=WordSegmenter.UAX29)) == 2
    assert encoded(count(cache, batch_of(TEXTS))) == 0


def test_another_version_of_an_engine_is_another_key(tmp_path: Path) -> None:
    cache = CountsCache(tmp_path)
    tokenizer = load_tokenizer("mistral:v3")
    batch = batch_of(TEXTS)
    for engine, expected in (
        ("sentencepiece 1", 1),
        ("sentencepiece 2", 1),
        ("sentencepiece 1", 0),
    ):
        renewed = dataclasses.replace(tokenizer, engine=engine)  # type: ignore[type-var]  # a dataclass behind the protocol
        result = BatchCounter(CountJob([renewed], TextSettings(), cache)).count(batch)
        assert encoded(result) == expected


def test_the_content_hash_is_of_the_content_alone() -> None:
    hashes = {
        count(None, batch_of(TEXTS), **settings).content_sha256
        for settings in ({}, {"graphemes": True}, {"segmenter": WordSegmenter.UAX29})
    }
    assert len(hashes) == 1
    assert count(None, batch_of(TEXTS[:-1])).content_sha256 not in hashes


def test_a_damaged_or_empty_entry_is_counted_afresh(tmp_path: Path) -> None:
    cache = CountsCache(tmp_path)
    good = count(cache, batch_of(TEXTS))
    entries = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(entries) == 3  # the text, and two tokenizers
    for path in entries:
        raw = path.read_bytes()
        for damaged in (b"", raw[:-5], raw[:40] + b"?" + raw[41:]):
            path.write_bytes(damaged)
            again = count(cache, batch_of(TEXTS))
            assert np.array_equal(again.tokens[1].per_text, good.tokens[1].per_text)
            assert path.read_bytes() == raw  # and written whole again


def test_many_writers_leave_one_whole_entry_each(tmp_path: Path) -> None:
    cache = CountsCache(tmp_path)
    threads = [
        threading.Thread(target=lambda: [count(cache, batch_of(TEXTS)) for _ in range(6)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert encoded(count(cache, batch_of(TEXTS))) == 0
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(InputError, match=r"file.*the cache cannot be written.*`no_cache`"):
        count(CountsCache(blocked), batch_of(TEXTS))


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    # A limit on file size stands for the full disk: writing fails in the same place.
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64));"
        "from pathlib import Path; import numpy as np;"
        "from corpora.errors import InputError;"
        "from tokenize_lab.counts.cache import CountsCache\n"
        "try: CountsCache(Path(sys.argv[1])).put([np.arange(1000)], 'key')\n"
        "except InputError as error: sys.exit(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert "the cache cannot be written (File too large)" in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_entry_of_another_key_is_none(tmp_path: Path) -> None:
    cache = CountsCache(tmp_path)
    good = count(cache, batch_of(TEXTS))
    entries = [Path(entry.path) for entry in cache.entries()]
    whole = {path: path.read_bytes() for path in entries}
    for path, other in zip(entries, [*entries[1:], entries[0]], strict=True):
        path.write_bytes(whole[other])
    again = count(cache, batch_of(TEXTS))
    assert np.array_equal(again.tokens[1].per_text, good.tokens[1].per_text)
    assert {path: path.read_bytes() for path in entries} == whole


def test_an_entry_that_is_a_pipe_or_claims_a_terabyte_is_none(tmp_path: Path) -> None:
    cache = CountsCache(tmp_path)
    cache.put([np.arange(3)], "a")
    (entry,) = cache.entries()
    os.truncate(entry.path, 1 << 40)
    assert cache.get(list, "a") is None
    os.remove(entry.path)
    os.mkfifo(entry.path)
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.append(cache.get(list, "a")), daemon=True)
    reader.start()
    reader.join(10)
    assert found == [None]
    cache.put([np.arange(3)], "a")
    assert cache.get(list, "a") is not None
