"""What moves when the counting does."""

from typing import NamedTuple

import pytest

from corpora.errors import InputError
from scaling.conventions import by_conventions
from scaling.flops import CONVENTIONS
from scaling.published import tables
from scaling.published.conventions import counted_runs, with_counts

COUNTS = ("global_params", "total_params", "params")


class Exponents(NamedTuple):
    """Of compute in N* and B*."""

    params: float
    bytes: float


@pytest.fixture(scope="module")
def exponents() -> dict[tuple[str, str], Exponents]:
    rows = by_conventions(with_counts(tables.isoflop_runs()), "law1", draws=0)
    return {
        (row.params, row.flops): Exponents(
            row.estimates["params_exponent"], row.estimates["bytes_exponent"]
        )
        for row in rows
        if "params_exponent" in row.estimates
    }


def test_every_pair_of_conventions_has_a_row(
    exponents: dict[tuple[str, str], Exponents],
) -> None:
    flops = ("compute_flops", *(f"compute_flops_{name}" for name in CONVENTIONS))
    assert set(exponents) == {(params, name) for params in COUNTS for name in flops}


def test_the_latent_convention_is_law_1(exponents: dict[tuple[str, str], Exponents]) -> None:
    """Counting 6 N D of the latent module gives Law I's golden exponents, which sum to one."""
    latent = exponents["global_params", "compute_flops_6nd-global"]
    assert f"{latent.bytes:.3f}" == "0.484"
    assert latent.params + latent.bytes == pytest.approx(1, abs=0.002)


def test_conventions_move_the_answer(exponents: dict[tuple[str, str], Exponents]) -> None:
    rows = by_conventions(counted_runs(), "isoflop-surface", budget=[1e20], draws=0)
    ratios = {row.params: row.estimates["bytes_per_param_opt"] for row in rows}
    assert set(ratios) == set(COUNTS) and len(set(ratios.values())) == 3
    assert f"{ratios['params']:.1f}" == "62.1"
    # Counting local modules makes the best model look smaller per byte, and grow more slowly.
    assert ratios["total_params"] < ratios["global_params"]
    total, latent = (exponents[name, "compute_flops_full"] for name in COUNTS[1::-1])
    assert total.params < latent.params
    by_flops = {
        round(exponents["global_params", f"compute_flops_{n}"].bytes, 3) for n in CONVENTIONS
    }
    assert len(by_flops) >= 4


def test_each_run_has_a_budget_of_its_own_where_flops_are_counted_anew() -> None:
    rows = by_conventions(counted_runs(), "joint", draws=0)
    assert [row.flops for row in rows] == [
        "compute_flops",
        *(f"compute_flops_{name}" for name in CONVENTIONS),
    ]
    assert len({round(row.estimates["T0"], 3) for row in rows}) > 4


def test_a_table_that_counts_in_one_way_is_fitted_in_that_one() -> None:
    (row,) = by_conventions(tables.optima(), "law2", draws=0)
    assert row.params == "none" and row.estimates["gamma"] == pytest.approx(-0.196, abs=1e-3)
    with pytest.raises(InputError, match="needs train_bytes"):
        by_conventions(tables.optima(), "joint")
