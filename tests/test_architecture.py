"""The house: imports go left only, torch stays on the training side, the command starts quickly."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

ORDER = ["corpora", "tokenize_lab", "scaling", "reports"]
ROOF = ROOT / "tokenize_lab" / "__main__.py"
# The training side: what runs on a bare GPU box, and the only code that knows torch.
TRAINING = ("scaling/model/", "scaling/data", "scaling/train", "scaling/evaluate")
MOST_LINES = 410


def sources() -> list[Path]:
    return [
        path
        for package in ORDER
        for path in sorted((ROOT / package).rglob("*.py"))
        if "samples" not in path.relative_to(ROOT).parts
    ]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield node.module


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_left_only(path: Path) -> None:
    if path == ROOF:
        return
    own = ORDER.index(path.relative_to(ROOT).parts[0])
    for name in imported(path):
        package = name.split(".")[0]
        assert package not in ORDER[own + 1 :], f"{path} imports {name}, which lies to its right"
        assert package not in {"tests", "bench"}, f"{path} imports {name}"


def test_only_the_training_side_imports_torch() -> None:
    for path in sources():
        if not str(path.relative_to(ROOT)).startswith(TRAINING):
            assert "torch" not in {name.split(".")[0] for name in imported(path)}, path


def test_files_stay_small() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_the_command_loads_nothing_heavy_to_show_its_help() -> None:
    heavy = (
        "torch",
        "scipy",
        "numpy",
        "polars",
        "plotly",
        "tokenizers",
        "sentencepiece",
        "tiktoken",
    )
    script = (
        "import sys; from tokenize_lab.__main__ import build_app; build_app(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
