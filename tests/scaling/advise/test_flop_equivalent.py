"""The ad hoc rule of FLOP-equivalents: published ladders, planted truth, what it refuses."""

from pathlib import Path

import polars as pl
import pytest

from corpora.errors import InputError
from scaling.advise.flop_equivalent import flop_equivalent
from tests.cli import answer, command, mistake

BUDGETS = (3.9e17, 9.2e17, 2.1e18)
# One arm, r = .816, and the reference (issues 6796 and 6916 of marin-community/marin).
ARM, REFERENCE = (1.336, 1.200, 1.114), (1.378, 1.238, 1.147)


def test_the_published_ladder() -> None:
    arm = flop_equivalent(BUDGETS, ARM, 9.2e17, 1.0, 0.816)
    assert arm == pytest.approx(1.1794, abs=5e-5)
    assert flop_equivalent(BUDGETS, REFERENCE, 9.2e17, 1.0, 1.0) == pytest.approx(1.238, abs=1e-9)


def test_a_planted_ladder_of_five() -> None:
    budgets = [10.0**power for power in (17, 17.5, 18, 18.5, 19)]
    loss = [0.7 + 30 * c**-0.1 for c in budgets]
    told = flop_equivalent(budgets, loss, 1e18, 0.5, 0.6)
    assert told == pytest.approx(0.7 + 30 * (1.2e18) ** -0.1, abs=1e-9)


def test_what_it_refuses() -> None:
    for losses in ((1.2, 1.3, 1.1), (1.3, 1.2)):
        with pytest.raises(InputError, match="rising compute and falling loss"):
            flop_equivalent(BUDGETS[: len(losses)], losses, 9.2e17, 1.0, 0.8)
    with pytest.raises(InputError, match="flatten as a power law does"):
        flop_equivalent((1e17, 1e18, 1e19), (1.3, 1.2, 0.9), 9.2e17, 1.0, 0.8)


def test_by_command(tmp_path: Path) -> None:
    rows = [
        {"tokenization": name, "compute_flops": c, "bits_per_byte": x}
        for name, losses in (("new", ARM), ("base", REFERENCE))
        for c, x in zip(BUDGETS, losses, strict=True)
    ]
    path = tmp_path / "ladders.csv"
    pl.DataFrame(rows).write_csv(path)
    line = f"scaling flop-equivalent {path} --at 9.2e17 --reference base"
    shown = command(f"{line} --relative-cost new=.816").stdout
    assert "1.1794" in shown and "-0.0586" in shown
    new, base = answer(f"{line} --relative-cost new=.816")
    assert new["arm"] == "new" and new["compute_flops"] == pytest.approx(9.2e17 * 1.184)
    assert base["difference"] == 0 and base["bits_per_byte"] == pytest.approx(1.238)
    assert "--relative-cost: none for new" in mistake(line)
    assert "no arm 'mew'; did you mean 'new'? (new, base)" in mistake(
        f"{line} --relative-cost mew=1"
    )
    assert "leaves nothing to train with" in mistake(f"{line} --relative-cost new=2")
    assert "--relative-cost new: give ARM=R" in mistake(f"{line} --relative-cost new")
    assert "--at" in mistake(f"{line} --relative-cost new=1 --at 0")
