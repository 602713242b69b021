"""Training needs Python, NumPy, PyTorch and safetensors, and nothing else."""

import ast
import json
import sys
from pathlib import Path

import pytest

from scaling.record import write_spec
from tests.conftest import ROOT
from tests.scaling.train.runs import blt_spec, ended, python, remains, run, small_shards

ENTRIES = ("train/__main__.py", "sweep/__main__.py", "sweep/worker.py")
OWN = ("corpora", "tokenize_lab", "scaling", "reports")
THERE = {"numpy", "torch", "safetensors", *sys.stdlib_module_names}
# Every other package the project depends on.
ABSENT = (
    *("polars", "pydantic", "pydantic_core", "typer", "click", "rich", "tokenizers", "regex"),
    *("sentencepiece", "tiktoken", "plotly", "jinja2", "scipy", "mistral_common", "zstandard"),
    *("datasets", "ray", "pyarrow", "psutil"),
)
BLOCKER = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r} (this box is bare)", name=name)
        return None
sys.meta_path.insert(0, Absent())
"""


def file_of(module: str) -> Path | None:
    """Return the file of a module of ours; None of a name that is none."""
    path = ROOT.joinpath(*module.split("."))
    if (path / "__init__.py").exists():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None


def named(path: Path) -> set[str]:
    """Return the modules that a file imports, also inside functions; packages on the way, too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None and node.level == 0
            names.add(node.module)
            # `from package import module`
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    parts = [name.split(".") for name in names]
    return {".".join(part[: n + 1]) for part in parts for n in range(len(part))}


def reachable(entry: Path) -> dict[Path, str]:
    """Return every file that training can come to import, with what it was imported by."""
    found, waiting = {entry: "the command"}, [entry]
    while waiting:
        path = waiting.pop()
        for name in named(path):
            file = file_of(name) if name.split(".")[0] in OWN else None
            if file is not None and file not in found:
                found[file] = str(path.relative_to(ROOT))
                waiting.append(file)
    return found


@pytest.mark.parametrize("entry", ENTRIES)
def test_all_that_training_can_import_is_there(entry: str) -> None:
    files = reachable(ROOT / "scaling" / entry)
    # A sweep's workers are processes of their own.
    reached = "sweep/local.py" if entry == "sweep/__main__.py" else "model/blt.py"
    assert ROOT / "scaling" / reached in files and len(files) > 25
    for path, importer in files.items():
        others = {name.split(".")[0] for name in named(path)} - THERE - set(OWN)
        assert not others, f"{path.relative_to(ROOT)} (by {importer}) imports {sorted(others)}"


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


def test_it_trains_where_everything_else_is_missing(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    blocker = BLOCKER.replace("in ABSENT", f"in {ABSENT}")
    (tmp_path / "site" / "sitecustomize.py").write_text(blocker)
    here = {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}
    spec = blt_spec(shards, 4)
    write_spec(tmp_path / "box", spec)
    names = (str(tmp_path / "box" / "spec.json"), str(shards), "--out", str(tmp_path / "box"))
    settings = ("--threads", "1", "--device", "cpu", "--patching-flops", "12.5")
    done = ended(python("-m", "scaling.train", *names, *settings, **here))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    run(spec, shards, tmp_path / "whole")
    weights, lines, record = remains(tmp_path / "box")
    assert record.pop("patching_flops") == 12.5
    own_weights, own_lines, own_record = remains(tmp_path / "whole")
    assert own_record.pop("patching_flops") == 0
    assert (weights, lines, record) == (own_weights, own_lines, own_record)


def test_the_blocker_blocks(tmp_path: Path) -> None:
    blocker = BLOCKER.replace("in ABSENT", f"in {ABSENT}")
    (tmp_path / "sitecustomize.py").write_text(blocker)
    done = ended(python("-c", "import polars", PYTHONPATH=f"{tmp_path}:{ROOT}"))
    assert done.returncode == 1 and "this box is bare" in done.stderr
