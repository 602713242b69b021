"""How far work has come, where there is no terminal: lines, rarely, and none for what is short."""

import pytest

from tokenize_lab.progress import LogLines, ProgressBars, progress


def test_a_log_is_told_the_share_that_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    bars = ProgressBars(LogLines(bytes=True, seconds=0), "", None)
    advance = bars.stage("reading\x1b[31m", 4_000_000)
    advance(1_000_000)
    advance(2_000_000)
    bars.report("counting", 2_500_000)
    bars.report("waiting", 0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["reading\\x1b[31m: 25%", "reading\\x1b[31m: 75%"]
    assert lines[2:] == ["counting: 2.5 MB", "waiting"]


def test_numbers_that_are_no_bytes_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    bars = ProgressBars(LogLines(bytes=False, seconds=0), "", None)
    bars.report("fits", 1_200)
    bars.report("fits", 34)
    assert capsys.readouterr().err.splitlines() == ["fits: 1,200", "fits: 1,234"]


def test_short_work_says_nothing_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", 100) as bars:
        for _ in range(100):
            bars.advance(1)
    assert capsys.readouterr().err == ""
