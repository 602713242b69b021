"""A panic is an error like any other; what else is written meanwhile comes after it."""

import os

import pytest

from corpora.panics import PANIC, panics_as_errors


def test_a_panic_says_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    panic = type(PANIC, (BaseException,), {})

    @panics_as_errors()
    def panicking() -> None:
        os.write(2, b"thread '<unnamed>' panicked at lib.rs:1:2:\nassertion failed: offset\n")
        raise panic("assertion failed:\n  offset")

    with pytest.raises(ValueError, match=r"^assertion failed: offset$"):
        panicking()
    assert capfd.readouterr().err == ""


def test_what_is_no_panic_passes(capfd: pytest.CaptureFixture[str]) -> None:
    @panics_as_errors()
    def interrupted() -> None:
        os.write(2, b"a note\n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with panics_as_errors():
        os.write(2, b"another\n")
    assert capfd.readouterr().err == "a note\nanother\n"
    os.write(2, b"and so on\n")
    assert capfd.readouterr().err == "and so on\n"
