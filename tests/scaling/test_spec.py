"""A run's specification: what names it, what does not, and that it comes back as it was."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from scaling.flops import BltShape, CostContext, SubwordShape, train_bytes
from scaling.spec import Model, Patching, RunSpec, Training, default_learning_rate, steps_for_budget

BLT = RunSpec(
    model=Model(family="blt", layers=2, dim=32, local_layers=1, local_dim=32, cross_factor=1),
    patching=Patching(kind="static", compression_rate=4.0),
    training=Training(steps=2424, batch_bytes=4096, learning_rate=6e-3),
    shards="0123456789abcdef",
    compression_rate=4.0,
    context_bytes=512,
    window_bytes=64,
    compute_flops=3e12,
    name="first",
)
SUBWORD = RunSpec(
    model=Model(family="subword", layers=3, dim=48, vocabulary_size=4096, tied_head=True),
    patching=None,
    training=Training(steps=300, batch_bytes=8192, learning_rate=4e-3),
    shards="fedcba9876543210",
    compression_rate=3.7,
    context_bytes=512,
    window_bytes=512,
    tokenizer="ab" * 32,
    seed=3,
)
# Written down once: a change of this number would part every run on disk from its name.
GOLDEN_BLT = "71701a97837b0cda"
GOLDEN_SUBWORD = "c0a1f368e39dfc15"


def other(value: Any) -> Any:
    """A value of the same kind that is not the same."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case dict():
            return {"eng": 0.5, "rus": 0.5}
    assert value is None
    return 5


def altered(spec: Any) -> Iterator[tuple[str, Any]]:
    """Copies of a dataclass, each with one field changed, fields of fields included."""
    for field in fields(spec):
        value = getattr(spec, field.name)
        if is_dataclass(value):
            for name, inner in altered(value):
                yield f"{field.name}.{name}", replace(spec, **{field.name: inner})
        else:
            yield field.name, replace(spec, **{field.name: other(value)})


def copy_of(spec: RunSpec) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(json.dumps(spec.to_json(), allow_nan=False))
    return value


@pytest.mark.parametrize("spec", [BLT, SUBWORD])
def test_it_comes_back_from_json_as_it_was(spec: RunSpec) -> None:
    back = RunSpec.from_json(copy_of(spec))
    assert back == spec
    assert back.run_id == spec.run_id


def test_its_id_is_the_one_written_down() -> None:
    assert (BLT.run_id, SUBWORD.run_id) == (GOLDEN_BLT, GOLDEN_SUBWORD)


def test_its_name_is_no_part_of_its_id_and_everything_else_is() -> None:
    for spec in (BLT, SUBWORD):
        ids = {name: changed.run_id for name, changed in altered(spec)}
        assert ids.pop("name") == spec.run_id
        assert spec.run_id not in ids.values()
        assert len(set(ids.values())) == len(ids)
    assert {"model.heads", "patching.threshold", "training.clip", "seed"} <= {
        name for name, _ in altered(BLT)
    }
    assert replace(SUBWORD, patching=BLT.patching).run_id != SUBWORD.run_id


def test_any_altered_value_in_a_file_is_noticed() -> None:
    def places(value: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield from places(inner)
            else:
                yield value, key

    for number in range(len(list(places(copy_of(BLT))))):
        value = copy_of(BLT)
        owner, key = list(places(value))[number]
        owner[key] = other(owner[key])
        if key == "name":
            assert RunSpec.from_json(value).run_id == BLT.run_id
            continue
        with pytest.raises(ValueError, match=r"run_id says|version|is not|is missing"):
            RunSpec.from_json(value)


def test_another_version_is_refused() -> None:
    for version in (0, 2, None, "1"):
        with pytest.raises(ValueError, match=r"version .*, where this program reads 1"):
            RunSpec.from_json({**copy_of(BLT), "version": version})
    with pytest.raises(ValueError, match="version None"):
        RunSpec.from_json({})


@pytest.mark.parametrize("key", ["model", "patching", "training", "shards"])
def test_a_missing_key_is_refused(key: str) -> None:
    value = copy_of(BLT)
    del value[key]
    with pytest.raises(ValueError, match=rf"'{key}' is missing"):
        RunSpec.from_json(value)


@pytest.mark.parametrize("table", ["", "model", "patching", "training"])
def test_an_unknown_key_is_refused(table: str) -> None:
    value = copy_of(BLT)
    (value[table] if table else value)["surprise"] = 1
    with pytest.raises(ValueError, match=r"surprise' is none of its fields"):
        RunSpec.from_json(value)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("model.layers", 0, "layers is 0"),
        ("model.dim", 10**9, "dim is 1000000000"),
        ("model.local_layers", 0, "local_layers is 0"),
        ("model.vocabulary_size", 1 << 40, "vocabulary_size is 1099511627776"),
        ("context_bytes", 0, "context_bytes is 0"),
        ("training.batch_bytes", 0, "rows is 0"),
        ("training.steps", 0, "steps is 0"),
        ("training.learning_rate", 1e308, "learning_rate is 1e"),
        ("compression_rate", 1e-300, "compression_rate is 1e-300"),
        ("patching", None, "family 'blt' without patching is no model of ours"),
        ("model.heads", 3, "3 heads do not split 32 channels evenly"),
    ],
)
def test_numbers_that_no_run_has_are_refused_whoever_named_it(
    place: str, value: Any, says: str
) -> None:
    *outer, name = place.split(".")
    inner = {name: value}
    for part in outer:
        inner = {part: replace(getattr(BLT, part), **inner)}
    with pytest.raises(ValueError, match=f"^{says}"):
        RunSpec.from_json(replace(BLT, **inner).to_json())


def test_reading_leaves_what_was_read_alone() -> None:
    value = copy_of(BLT)
    RunSpec.from_json(value)
    assert value == copy_of(BLT)


def test_what_it_costs_follows_from_it() -> None:
    assert BLT.model.shape == BltShape(2, 32, 1, 32, 1)
    assert SUBWORD.model.shape == SubwordShape(3, 48, 4096)
    assert BLT.cost_context == CostContext(4.0, 512, 64)
    assert (BLT.rows, BLT.window_units) == (8, 512)
    assert (SUBWORD.rows, SUBWORD.window_units) == (16, round(512 / 3.7))


def test_steps_spend_the_budget_to_half_a_step() -> None:
    for compute in (1e10, 3e11, 3e12):
        steps = steps_for_budget(compute, BLT.model, BLT.cost_context, 4096)
        paid = train_bytes(compute, BLT.model.shape, BLT.cost_context)
        assert abs(steps * 4096 - paid) <= 2048
    assert steps_for_budget(1.0, BLT.model, BLT.cost_context, 4096) == 1


def test_adamws_rate_falls_with_the_root_of_the_width_and_muons_is_one() -> None:
    assert default_learning_rate(128, "adamw") == 3e-3
    assert default_learning_rate(32, "adamw") == 6e-3
    assert default_learning_rate(512, "adamw") == 1.5e-3
    assert {default_learning_rate(width, "muon") for width in (16, 32, 512)} == {0.02}
