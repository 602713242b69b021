"""Memory does not grow with what is read."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from corpora.open import open_corpus

READ = """
import sys
from corpora.open import open_corpus
documents = sum(len(batch.texts) for batch in open_corpus(sys.argv[1]).batches())
# Not getrusage: its peak is at least that of the process this one was started from.
status = open("/proc/self/status").read()
print(documents, int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def cost(path: Path) -> tuple[int, int]:
    """Return documents read and peak resident memory in MiB, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    documents, peak = map(int, done.stdout.split())
    return documents, peak


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("suffix", [".jsonl", ".txt", ".parquet"])
def test_ten_times_the_text_takes_no_more_memory(tmp_path: Path, suffix: str) -> None:
    sentences = [text for batch in open_corpus("embedded").batches() for text in batch.texts]
    peaks = []
    for count in (20, 200):
        path = tmp_path / f"{count}{suffix}"
        if suffix == ".parquet":
            pl.DataFrame({"text": sentences * count}).write_parquet(path, row_group_size=50_000)
        else:
            lines = [json.dumps({"text": s}) if suffix == ".jsonl" else s for s in sentences]
            path.write_text("".join(f"{line}\n" for line in lines) * count, encoding="utf-8")
        documents, peak = cost(path)
        assert documents == len(sentences) * count
        peaks.append(peak)
    # The parquet reader's slice of 16 MiB is full only in the larger file.
    assert peaks[1] < peaks[0] + (100 if suffix == ".parquet" else 16)
