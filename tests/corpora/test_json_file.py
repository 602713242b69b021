"""What a JSON file may hold follows from the annotations of a dataclass."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from corpora.errors import InputError
from corpora.json_file import Amount, from_json, read_file


@dataclass(frozen=True)
class Inner:
    count: int
    share: Amount = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"]
    pair: tuple[float, float] | None
    inner: Inner
    many: tuple[Inner, ...] = ()
    by_kind: dict[Literal["a", "b"], int] = field(default_factory=lambda: {"a": 0, "b": 0})
    notes: Mapping[str, Any] = field(default_factory=dict)
    flag: bool = False


WHOLE = Outer(
    name="प्र",
    kind="b",
    pair=(-1.5, 2),
    inner=Inner(3),
    many=(Inner(1, 0), Inner(2, 1e99)),
    by_kind={"a": 1, "b": 2},
    notes={"x": [1, {"y": None}]},
    flag=True,
)


def test_it_comes_back_with_the_types_it_declares() -> None:
    assert from_json(Outer, json.loads(json.dumps(asdict(WHOLE)))) == WHOLE
    short = {"name": "", "kind": "a", "pair": None, "inner": {"count": 0}}
    assert from_json(Outer, short) == Outer("", "a", None, Inner(0))
    # Whole numbers stay whole: a specification's hash tells 4 from 4.0.
    assert type(from_json(Inner, {"count": 1, "share": 4}).share) is int


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": 3}, "'name' is not text"),
        ({"name": "\ud800"}, "'name' is not text"),
        ({"kind": "c"}, "'kind' is not one of a, b"),
        ({"kind": []}, "'kind' is not one of a, b"),
        ({"pair": [1.0]}, "'pair' is not a list of 2"),
        ({"pair": [1.0, "x"]}, "'pair.2' is not a finite number"),
        ({"inner": None}, "'inner' is not an object"),
        ({"inner": {}}, "'inner.count' is missing"),
        ({"inner": {"count": True}}, "'inner.count' is not a whole number from 0"),
        ({"inner": {"count": 2**63}}, "'inner.count' is not a whole number from 0"),
        ({"inner": {"count": 1, "share": -1}}, "'inner.share' is not a number from 0 to 1e99"),
        ({"inner": {"count": 1, "share": 2e99}}, "'inner.share' is not a number from 0 to 1e99"),
        ({"inner": {"count": 1, "more": 1}}, "'inner.more' is none of its fields"),
        ({"many": {}}, "'many' is not a list"),
        ({"many": [{"count": 1}, 3]}, "'many.2' is not an object"),
        ({"by_kind": {"a": 1}}, "'by_kind.b' is missing"),
        ({"by_kind": {"a": 1, "b": 1, "c": 1}}, "'by_kind.c' is none of its fields"),
        ({"notes": {"\udfff": 1}}, "'notes' is not an object"),
        ({"flag": 0}, "'flag' is not true or false"),
        ({"x" * 99: 0}, f"'{'x' * 60}' is none of its fields"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_json(Outer, {**json.loads(json.dumps(asdict(WHOLE))), **change})


def test_a_file_says_its_version(tmp_path: Path) -> None:
    path = tmp_path / "inner.json"

    def read() -> Inner | None:
        return read_file(path, Inner, version=2, what="an inner", remedy="write it again")

    assert read() is None
    path.write_text('{"version": 2, "count": 1}')
    assert read() == Inner(1)
    path.write_text('{"version": 1, "count": 1}')
    with pytest.raises(InputError, match=r"inner.json: not an inner .*version 1.*; write it again"):
        read()
    path.write_text('{"version": 3}')
    with pytest.raises(InputError, match="a newer tokenize-lab wrote it; update") as refused:
        read()
    assert "write it again" not in str(refused.value)
