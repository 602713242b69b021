"""Ctrl-C held back comes through afterwards, once; how work is dealt to processes."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from random import Random

import pytest

from corpora.document import Batch
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.workers import _Costs, _Dealing, interrupt_deferred


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


def test_what_is_of_one_kind_stays_in_one_process_as_far_as_it_is_even() -> None:
    dealing = _Dealing(2)
    kinds = ["hindi", "thai", "hindi", "thai", "czech"]
    assert [dealing.place(kind, 5) for kind in kinds] == [0, 1, 0, 1, 0]
    assert [dealing.place("hindi", 5) for _ in range(9)].count(1) == 3
    assert _Dealing(3).place("hindi", 5) == 0


def test_work_that_cannot_be_shared_is_more() -> None:
    random = Random(0)
    letters = "абвгдежзиклмнопрстуфхцчшщыьэюя"
    new = " ".join("".join(random.choices(letters, k=8)) for _ in range(30_000))
    known = " ".join(random.choices(new.split()[:300], k=30_000))
    count = CountJob(load_tokenizers(["mistral:tekken", "byte"]), TextSettings(), None)
    costs = [
        _Costs(count).of(Batch([text], "rus_Cyrl", "", "here", ["1"])) / len(text.encode())
        for text in (new, known)
    ]
    assert costs[0] > 1.5 * costs[1] > 1.5
    assert costs[0] > 2  # bytes of either, and the cutting
