"""A file of metrics is cut back to the steps that count, whatever else stands in it."""

import errno
import os
from pathlib import Path

import pytest

from corpora.errors import InputError
from reports.sweep.results import read_curve
from scaling.train.metrics import METRICS, MetricsLog, values_of

GOOD = b'{"step": 2, "seconds": 1.5}'
FOREIGN = [
    b"",
    b"[1]",
    b'{"step": "2"}',
    b'{"step": true}',
    b'{"step": -1}',
    b'{"step": 1e999}',
    b'{"step": 9223372036854775808}',
    b'{"step": 1, "bits',
    b'"\xff"',
    b"[" * 100_000,
    GOOD.decode().encode("utf-16"),
]


@pytest.mark.parametrize("line", FOREIGN, ids=range(len(FOREIGN)))
def test_lines_that_are_none_of_ours(line: bytes) -> None:
    assert values_of(line) is None


def test_a_log_keeps_its_own_lines(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    path.write_bytes(b"\n".join([GOOD, *FOREIGN, GOOD.replace(b"2", b"3")]) + b"\n")
    log = MetricsLog(path, 2)
    log.append({"step": 3})
    log.close()
    assert path.read_bytes() == GOOD + b'\n{"step": 3}\n'


def test_a_log_waits_for_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / METRICS)
    with pytest.raises(InputError, match=r"not a regular file but a pipe.*; move it away"):
        MetricsLog(tmp_path / METRICS, 2)


def test_a_log_is_not_begun_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"a link to .*elsewhere, which does not exist"):
        MetricsLog(tmp_path / "metrics.jsonl", 0)
    assert not (tmp_path / "elsewhere").exists()


def test_a_log_that_claims_a_terabyte_is_refused_at_once(tmp_path: Path) -> None:
    with (tmp_path / METRICS).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match=r"more than 1 GiB.*; move it away"):
        MetricsLog(tmp_path / METRICS, 2)
    assert list(read_curve(tmp_path / METRICS)) == []


def test_a_log_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / METRICS).write_bytes(GOOD + b"\n")

    def broken(self: Path, mode: str) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(InputError, match=r"cannot be read.*Input/output error"):
        MetricsLog(tmp_path / METRICS, 2)
