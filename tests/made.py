"""What takes long to make and no test changes: made by one process of the tests for all of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.locks import lock


def made_once(name: str, make: Callable[[Path], object], made: pytest.TempPathFactory) -> Path:
    """Return the folder of that name; whoever asks first has it filled by `make`."""
    place = made.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    with lock(place / f"{name}.lock"):
        if not (place / name).exists():
            begun = made.mktemp(name)
            make(begun)
            begun.rename(place / name)
    return place / name
