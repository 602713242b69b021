"""The house: imports go left only and never in a circle, one type has one name, rooms have a size,
torch stays on the training side, and neither the command nor the library loads what it need not."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.conftest import ROOT

ORDER = ["corpora", "tokenize_lab", "scaling", "reports"]
# What joins the four packages: the command and the library, both of which import lazily.
ROOFS = ("tokenize_lab/__main__.py", "tokenize_lab/__init__.py", "tokenize_lab/library/")
# The training side: what runs on a bare GPU box, and the only code that knows torch.
TRAINING = ("scaling/model/", "scaling/data/", "scaling/train/", "scaling/evaluate/")
FEWEST_LINES, MOST_LINES = 60, 400
# Named exceptions to the fewest lines: each is one whole thing that has no neighbour.
SMALL: set[str] = set()
MOST_SOURCES = 400
MOST_IN_A_FOLDER = {"scaling": 14, "scaling/sweep": 14}
HEAVY = ("torch", "scipy", "numpy", "polars", "plotly", "tokenizers", "sentencepiece", "tiktoken")


@cache
def sources() -> dict[str, ast.Module]:
    """Every source file of the four packages: path from the root -> its syntax tree."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(text)
        for package in ORDER
        for path in sorted((ROOT / package).rglob("*.py"))
        if "samples" not in path.relative_to(ROOT).parts and (text := path.read_text("utf-8"))
    }


def imported(path: str) -> Iterator[str]:
    """Yield the dotted names that a file imports, lazily or not."""
    for node in ast.walk(sources()[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def below_the_roof() -> Iterator[str]:
    return (path for path in sources() if not path.startswith(ROOFS))


def test_imports_go_left_only() -> None:
    for path in below_the_roof():
        right = {*ORDER[ORDER.index(path.split("/")[0]) + 1 :], "tests", "bench"}
        wrong = sorted(name for name in imported(path) if name.split(".")[0] in right)
        assert not wrong, f"{path} imports {', '.join(wrong)}, which lie to its right"


def test_imports_make_no_circle() -> None:
    modules = {path[:-3].replace("/", ".").removesuffix(".__init__"): path for path in sources()}
    graph = {
        name: {other for other in imported(path) if other in modules and other != name}
        for name, path in modules.items()
        if not path.startswith(ROOFS)
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_no_type_name_stands_twice() -> None:
    homes = defaultdict(set)
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].add(path)
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            for name in (target.id for target in targets if isinstance(target, ast.Name)):
                if name.lstrip("_")[:1].isupper() and not name.isupper() and len(name) > 1:
                    homes[name].add(path)
    twice = {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1}
    assert not twice


def test_rooms_have_a_size() -> None:
    lines = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in sources()}
    assert not {path: n for path, n in lines.items() if n > MOST_LINES}
    small = {path for path, n in lines.items() if n < FEWEST_LINES}
    assert small == SMALL
    assert len(lines) <= MOST_SOURCES
    for folder, most in MOST_IN_A_FOLDER.items():
        assert len([path for path in lines if path.rpartition("/")[0] == folder]) <= most


def test_only_the_training_side_imports_torch() -> None:
    for path in sources():
        if not path.startswith(TRAINING):
            assert "torch" not in {name.split(".")[0] for name in imported(path)}, path


@pytest.mark.parametrize(
    "statement",
    ["from tokenize_lab.__main__ import build_app; build_app()", "import tokenize_lab"],
)
def test_neither_help_nor_the_library_loads_anything_heavy(statement: str) -> None:
    script = f"import sys; {statement}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
