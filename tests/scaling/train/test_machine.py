"""What a record says of the machine is no reason to lose a run."""

from pathlib import Path

import pytest

from scaling.train.machine import commit
from tests.scaling.train.runs import blt_spec, run, small_shards


def test_a_source_tree_where_there_is_no_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    monkeypatch.setattr("scaling.train.machine.__file__", str(tmp_path / "tree" / "a" / "b" / "c"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == ""
    shards = small_shards(tmp_path / "shards")
    record = run(blt_spec(shards, 2), shards, tmp_path / "run")
    assert (record.status, record.commit) == ("finished", "")
