"""The list of jobs is checked as it is read: every field by its type."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from corpora.errors import InputError
from scaling.sweep.folder import Job, Sweep, SweepFolder, read_sweep, write_sweep
from scaling.sweep.run_folder import ATTEMPTS, Attempts, read_attempts, write_attempts

JOBS = tuple(
    Job(run_id=digit * 16, shards="0" * 16, text="प्र", seconds=3.5, marks=("short",))
    for digit in "ab"
)


def changed(folder: SweepFolder, **changes: Any) -> None:
    """Write a sweep, with other values at its head."""
    write_sweep(folder, Sweep("planted", JOBS, {"byte": "00"}))
    value = json.loads(folder.file.read_text("utf-8"))
    folder.file.write_text(json.dumps({**value, **changes}))


def refusal(folder: SweepFolder) -> str:
    with pytest.raises(InputError) as refused:
        read_sweep(folder)
    assert str(refused.value).startswith(f"{folder.file}: ")
    return str(refused.value)


def test_it_comes_back_and_what_has_a_default_may_be_missing(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    changed(folder)
    assert read_sweep(folder) == Sweep("planted", JOBS, {"byte": "00"})
    changed(folder, jobs=[{"run_id": "a" * 16, "shards": "0" * 16, "text": "t"}])
    assert read_sweep(folder).jobs == (Job(run_id="a" * 16, shards="0" * 16, text="t"),)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("run_id", 3),
        ("shards", None),
        ("text", ["english"]),
        ("text", "\ud800"),
        ("language", 5),
        ("label", None),
        ("seconds", "long"),
        ("seconds", math.nan),
        ("patching_flops", math.inf),
        ("patching_flops", None),
        ("marks", "short"),
        ("marks", [1]),
        ("marks", ["\udfff"]),
    ],
)
def test_wrong_types_in_a_job_are_named(tmp_path: Path, field: str, wrong: Any) -> None:
    folder = SweepFolder(tmp_path)
    changed(folder)
    first, second = json.loads(folder.file.read_text())["jobs"]
    changed(folder, jobs=[first, {**second, field: wrong}])
    assert f"('jobs.2.{field}" in (said := refusal(folder)) and " is not " in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": 3}, "'name' is not text"),
        ({"name": "\ud800"}, "'name' is not text"),
        ({"tokenizers": []}, "'tokenizers' is not"),
        ({"tokenizers": {"byte": 1}}, "'tokenizers.byte' is not text"),
        ({"jobs": {}}, "'jobs' is not a list"),
        ({"jobs": [3]}, "'jobs.1' is not an object"),
        ({"jobs": [{}]}, "'jobs.1.run_id' is missing"),
        ({"jobs": [{"run_id": "../..", "shards": "a", "text": ""}]}, "no names of a run"),
        ({"version": 0}, "version 0, where this program reads 1"),
    ],
)
def test_what_is_no_sweep_of_ours(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    folder = SweepFolder(tmp_path)
    changed(folder, **changes)
    message = refusal(folder)
    assert said in message and message.endswith("plan it again")


def test_what_a_newer_program_planned_is_not_planned_again(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    changed(folder, version=2)
    message = refusal(folder)
    assert "a newer tokenize-lab wrote it; update" in message and "plan it" not in message


@pytest.mark.parametrize("text", ["", "[]", "\0"], ids=range(3))
def test_torn_lists(tmp_path: Path, text: str) -> None:
    folder = SweepFolder(tmp_path)
    folder.file.write_text(text)
    assert refusal(folder).endswith("plan it again")


@pytest.mark.parametrize(
    "text",
    ['{"failures": 1e999, "deaths": 0, "reason": ""}', "[]"],
    ids=["infinite", "list"],
)
def test_attempts_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    write_attempts(tmp_path, Attempts(1, 2, "why"))
    assert read_attempts(tmp_path) == Attempts(1, 2, "why")
    (tmp_path / ATTEMPTS).write_text(text)
    assert read_attempts(tmp_path) == Attempts()
