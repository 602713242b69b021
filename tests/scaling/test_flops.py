"""Shapes and costs against every printed figure of the paper."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.flops import (
    CONVENTIONS,
    PAPER_VOCABULARIES,
    CostContext,
    cost,
    forward_flops_per_byte,
    latent_share,
    micro_blt,
    paper_blt,
    paper_subword,
    train_bytes,
    training_flops_per_byte,
)
from scaling.published import tables

UNITS = {"M": 1e6, "B": 1e9}


def printed(text: str) -> tuple[float, float]:
    """Return the value of `1.3B` and the size of its last digit."""
    match = re.fullmatch(r"([\d.]+)([MB])", text)
    assert match
    digits, unit = match.groups()
    decimals = len(digits.split(".")[1]) if "." in digits else 0
    return float(digits) * UNITS[unit], UNITS[unit] / 10**decimals


def rounds_to(value: float, text: str) -> bool:
    shown, digit = printed(text)
    return math.floor(value / digit + 0.5) * digit == pytest.approx(shown, rel=1e-9)


def test_table_4_local_and_total_parameters() -> None:
    rows = list(tables.table(tables.BLT_SHAPES).iter_rows(named=True))
    exact = {"global_params": 0, "local_params": 0, "total_params": 0}
    for row in rows:
        shape = paper_blt(row["global_layers"])
        assert shape.global_dim == row["global_dim"]
        assert shape.local_layers == row["local_layers"]
        assert shape.local_dim == row["local_dim"]
        assert shape.cross_factor == row["cross_k"]
        for name in exact:
            shown, digit = printed(row[name])
            value = getattr(shape, name)
            assert abs(value - shown) <= 0.6 * digit, (row["global_layers"], name)
            exact[name] += rounds_to(value, row[name])
    assert len(rows) == 28
    assert exact["local_params"] == 28
    assert exact["total_params"] == 26


def test_table_5_parameters() -> None:
    exact = total = 0
    for row in tables.table(tables.SUBWORD_SHAPES).iter_rows(named=True):
        for family, vocabulary in PAPER_VOCABULARIES.items():
            shape = paper_subword(row["layers"], vocabulary)
            short = family.replace("character", "char")
            columns = {f"local_{short}": shape.local_params, f"total_{short}": shape.total_params}
            if family == "bpe":
                columns["global_params"] = shape.global_params
            for name, value in columns.items():
                shown, digit = printed(row[name])
                assert abs(value - shown) <= 0.6 * digit, (row["layers"], name)
                exact += rounds_to(value, row[name])
                total += 1
    assert (exact, total) == (191, 196)


def test_table_6_share_of_the_global_module() -> None:
    exact = total = 0
    for row in tables.table(tables.BLT_SHARES).iter_rows(named=True):
        for name, share in row.items():
            if not name.startswith("blt_T"):
                continue
            setting = CostContext(float(name.removeprefix("blt_T")))
            exact += round(100 * latent_share(paper_blt(row["scale"]), setting)) == share
            total += 1
    assert (exact, total) == (168, 168)


def test_train_bytes_of_the_311_models() -> None:
    frame = tables.isoflop_runs(exact_params=True).rows
    shapes = {paper_blt(layers).global_params: paper_blt(layers) for layers in range(1, 41)}
    errors = []
    for row in frame.iter_rows(named=True):
        shape = shapes[int(row["global_params"])]
        ours = train_bytes(row["compute_flops"], shape, CostContext(row["compression_rate"]))
        errors.append(abs(ours / row["train_bytes"] - 1))
    assert len(errors) == 311
    assert max(errors) < 0.01
    assert np.median(errors) < 0.001


def test_conventions_differ_as_they_say() -> None:
    shape, setting = paper_subword(16, 128_000), CostContext(4.0)
    by_name = {name: forward_flops_per_byte(shape, setting, name) for name in CONVENTIONS}
    head = 2 * 128_000 * 2048 / 4
    assert by_name["full"] - by_name["head-excluded"] == pytest.approx(head)
    assert by_name["embedding-counted"] - by_name["full"] == pytest.approx(head)
    assert by_name["6nd-total"] == pytest.approx(2 * shape.total_params / 4)
    assert by_name["6nd-global"] == pytest.approx(2 * shape.global_params / 4)
    assert by_name["full"] - by_name["attention-ignored"] == pytest.approx(
        2 * 16 * 2048 * (8192 / 4 + 1) / 4
    )
    latent = paper_blt(16)
    assert len({forward_flops_per_byte(latent, setting, name) for name in CONVENTIONS}) == 6


@given(st.integers(1, 12), st.integers(1, 8), st.floats(1, 16))
def test_costs_are_parts_of_a_whole(layers: int, width: int, rate: float) -> None:
    shape, setting = micro_blt(layers, 32 * width, 1, 64, 2), CostContext(rate, 512, 64)
    assert all(part > 0 for part in cost(shape, setting))
    assert sum(cost(shape, setting)) == pytest.approx(forward_flops_per_byte(shape, setting))
    assert 0 < latent_share(shape, setting) < 1
    assert training_flops_per_byte(shape, setting) == pytest.approx(
        3 * forward_flops_per_byte(shape, setting)
    )
    # More bytes per patch make the same model cheaper per byte.
    longer = CostContext(rate * 1.1, 512, 64)
    assert forward_flops_per_byte(shape, longer) < forward_flops_per_byte(shape, setting)
