"""The table of conventions: what moves when the counting does."""

from itertools import pairwise

import pytest

from scaling.flops import CONVENTIONS
from scaling.published.conventions import PARAMS, Sensitivity, convention_sensitivity


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], Sensitivity]:
    return {(one.params, one.flops): one for one in convention_sensitivity()}


def test_every_pair_of_conventions_has_a_row(rows: dict[tuple[str, str], Sensitivity]) -> None:
    assert set(rows) == {(params, flops) for params in PARAMS for flops in CONVENTIONS}


def test_the_latent_convention_is_law_1(rows: dict[tuple[str, str], Sensitivity]) -> None:
    """Counting 6 N D of the latent module gives Law I's golden exponents, which sum to one."""
    latent = rows["global", "6nd-global"]
    assert f"{latent.bytes_exponent:.3f}" == "0.484"
    assert latent.params_exponent + latent.bytes_exponent == pytest.approx(1, abs=0.002)
    assert f"{rows['global, as printed', 'full'].bytes_per_param_opt:.1f}" == "62.1"


def test_conventions_move_the_answer(rows: dict[tuple[str, str], Sensitivity]) -> None:
    full = [rows[params, "full"] for params in PARAMS]
    for one, other in pairwise(full):
        assert one.bytes_per_param_opt != other.bytes_per_param_opt
    # Counting local modules makes the best model look smaller per byte, and T* a little higher.
    total, latent = rows["total", "full"], rows["global", "full"]
    assert total.bytes_per_param_opt < latent.bytes_per_param_opt
    assert total.params_exponent < latent.params_exponent
    exponents = {round(rows["global", flops].bytes_exponent, 3) for flops in CONVENTIONS}
    assert len(exponents) >= 4
