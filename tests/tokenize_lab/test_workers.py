"""Ctrl-C held back comes through afterwards, once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from tokenize_lab.workers import interrupt_deferred


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Hear Ctrl-C, also where whoever started the tests had it ignored (a background job)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_comes_after_the_block() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - what it is about is inside
        with interrupt_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            done = True
        pytest.fail("it did not come through")
    assert done


def test_nothing_comes_where_nothing_came() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupt_deferred():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_other_threads_have_nothing_to_hold_back() -> None:
    ran: list[bool] = []

    def work(note: Callable[[bool], None]) -> None:
        with interrupt_deferred():
            note(True)

    thread = threading.Thread(target=work, args=(ran.append,))
    thread.start()
    thread.join()
    assert ran == [True]
