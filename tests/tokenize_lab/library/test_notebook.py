"""The notebook runs from top to bottom, and what is asked for shows itself."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOK = Path(__file__).with_name("first_look.ipynb")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's own libraries
def test_the_notebook_runs_and_shows_tables_and_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env={**os.environ})
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [
        [output["data"]["text/html"] for output in cell.outputs if "data" in output]
        for cell in code
    ]
    table, premiums, sizes, advice = (html for (html,) in shown)
    assert "amh_Ethi" in table and "<table" in table
    assert "<svg" in premiums and "Hindi" in premiums
    assert "<svg" in sizes
    assert "compression_rate_opt" in advice or "T*" in advice
