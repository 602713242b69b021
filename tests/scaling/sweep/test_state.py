"""How long a sweep will take, from what was expected and what was seen."""

import pytest

from scaling.sweep import state
from scaling.sweep.state import Board, expected_work


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(state, "time", clock)
    return clock


def test_work_that_was_not_timed_is_reckoned_from_its_bytes() -> None:
    sizes = {"a": 10.0, "b": 20.0}
    assert expected_work({"a": 5.0, "b": None}, sizes) == ({"a": 5.0, "b": 10.0}, True)
    assert expected_work({"a": None, "b": None}, sizes) == (sizes, False)


def test_the_pace_seen_corrects_what_was_expected(clock: Clock) -> None:
    board = Board({"a": 10.0, "b": 10.0, "c": 20.0}, in_seconds=True)
    assert board.state(2).seconds_left == 20.0  # two workers, and one run of 20
    assert board.state(1).seconds_left == 40.0
    board.started("a", "cpu")
    board.progressed("a", 1, 10)
    clock.now = 30.0
    board.ended("a", "finished", "", 30.0)
    assert board.state(1).seconds_left == pytest.approx(90.0)  # three times slower
    board.started("b", "cpu")
    clock.now = 40.0
    board.progressed("b", 6, 10)  # it went on from step 5
    clock.now = 46.0
    board.progressed("b", 8, 10)
    found = board.state(1)
    assert found.seconds_left == pytest.approx(22 * 36 / 12)
    assert found.seconds == 46.0 and found.runs["b"].seconds == 16.0
    board.ended("b", "finished", "", 20.0)
    board.ended("c", "failed", "planted")
    assert board.state(0).seconds_left == 0.0 and board.state(0).ended


def test_nothing_is_promised_before_anything_is_known(clock: Clock) -> None:
    board = Board({"a": 1e6, "b": 1e6}, in_seconds=False)
    assert board.state(1).seconds_left is None
    board.started("a", "cpu")
    board.progressed("a", 1, 11)
    assert board.state(1).seconds_left is None
    clock.now = 3.0
    board.progressed("a", 2, 11)
    assert board.state(1).seconds_left == pytest.approx(3.0 * (9 + 11))


def test_the_cost_so_far_is_of_lost_workers_too(clock: Clock) -> None:
    board = Board({"a": 1.0, "b": 1.0}, in_seconds=True)
    assert board.state(0).worker_seconds == 0
    board.started("a", "cpu")
    board.started("b", "cpu")
    clock.now = 10.0
    assert board.state(2).worker_seconds == 20
    board.waits("a", "its worker was killed")
    clock.now = 15.0
    board.ended("b", "finished", "", 15.0)
    board.started("a", "cpu")
    clock.now = 16.0
    board.started("a", "cpu")  # on another node, the first being lost
    clock.now = 18.0
    board.ended("a", "failed", "planted")
    clock.now = 30.0
    assert board.state(0).worker_seconds == 10 + 15 + 3
