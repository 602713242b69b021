"""What the tests share: where the shared reference data lies, if it is there."""

import gc
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Machines are noisy: how long an example takes says nothing. The same examples come every time;
# `--hypothesis-profile default` draws new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# What a test computes is small, and several processes of tests share the cores: threads that wait
# for one another took most of the time. Commands that are started take over the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The commands that are started keep their compiled modules, even where Python was told to keep
# none: compiling ours anew took more than a second of each command that trains.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too (minutes)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "real" not in config.getoption("markexpr"):
        # Not skipped: there is a line for every skipped test, and these are hundreds.
        kept = [item for item in items if item.get_closest_marker("real") is None]
        left_out = [item for item in items if item.get_closest_marker("real") is not None]
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow; run it with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    # Half a million objects of modules and tests last to the end: looking through them for what
    # is no longer used takes time, again and again.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data and real text beside the project; skips where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the shared reference data is not beside this checkout")
    return folder


@pytest.fixture
def no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported by its name, as libraries of extras are, is not installed."""

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept of packages and vocabularies lies in a folder of the tests' own."""
    before = os.environ.get("TOKENIZE_LAB_CACHE")
    os.environ["TOKENIZE_LAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TOKENIZE_LAB_CACHE"]
    else:
        os.environ["TOKENIZE_LAB_CACHE"] = before
