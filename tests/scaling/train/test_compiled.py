"""Compiled runs: each cell of a grid has its graphs, and none goes uncompiled without a word."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention.flex_attention import BlockMask

from corpora.errors import InputError
from scaling.data.order import Windows
from scaling.data.shards import open_shards
from scaling.data.windows import StaticPatches
from scaling.model.cross_attention import PatchedBytes
from scaling.model.flex import is_there
from scaling.model.weights import build_model
from scaling.spec import RunSpec
from scaling.train.compiled import compiled, compiling
from scaling.train.timing import seconds_per_byte
from tests.scaling.train.runs import (
    CPU,
    blt_spec,
    byte_tokens,
    metrics,
    run,
    small_shards,
    subword_spec,
    text_shards,
)

COMPILED = replace(CPU, compile=True)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return a list that gets the operations of every graph; they are run as they are."""
    found: list[list[str]] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Any:
        found.append([str(node.target) for node in graph.graph.nodes])
        return graph.forward

    monkeypatch.setattr("scaling.train.compiled.BACKEND", backend)
    return found


def losses(folder: Path) -> list[float]:
    return [line["nats_per_target"] for line in metrics(folder)]


def test_every_cell_of_a_grid_that_one_process_trains_is_compiled(
    tmp_path: Path, graphs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling.train.compiled.MOST_GRAPHS", 1)  # of a cell, not of them all
    texts = ["the cat sat on a mat, " * 900, "on a mat the cat sat, " * 60]
    shards = text_shards(tmp_path / "shards", texts, 1000)
    tokens = byte_tokens(shards, tmp_path)
    cells: list[tuple[RunSpec, Path]] = [(blt_spec(shards, 2, rate), shards) for rate in (2, 4)]
    cells.append((subword_spec(tokens, 2), tokens))
    for number, (spec, text) in enumerate(cells):
        run(spec, text, tmp_path / f"{number}")
        run(spec, text, tmp_path / f"{number}c", COMPILED)
        assert len(graphs) == number + 1
        single, other = losses(tmp_path / f"{number}"), losses(tmp_path / f"{number}c")
        np.testing.assert_allclose(single, other, rtol=1e-5)
    for operations in graphs:
        assert not [name for name in operations if "cos" in name and not name.startswith("L_self")]


def test_ends_of_documents_and_uneven_patches_come_in_few_shapes(
    tmp_path: Path, graphs: list[list[str]]
) -> None:
    shards = small_shards(tmp_path / "shards")
    patching = replace(blt_spec(shards).patching, kind="space", compression_rate=None)  # type: ignore[type-var]
    for name, spec in (
        ("static", blt_spec(shards, 20)),
        ("space", replace(blt_spec(shards, 20), patching=patching)),
    ):
        before = len(graphs)
        run(spec, shards, tmp_path / name)
        run(spec, shards, tmp_path / f"{name}c", COMPILED)
        assert 1 <= len(graphs) - before <= 4
        np.testing.assert_allclose(
            losses(tmp_path / name), losses(tmp_path / f"{name}c"), rtol=1e-4
        )


def test_more_shapes_than_are_compiled_end_the_run_with_a_line(
    tmp_path: Path, graphs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling.train.compiled.MOST_GRAPHS", 1)
    shards = small_shards(tmp_path / "shards")
    with pytest.raises(InputError, match=r"more than 1 shapes.*`compile=False`"):
        run(blt_spec(shards, 30), shards, tmp_path / "run", COMPILED)


def test_what_cannot_be_compiled_ends_the_run_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backend(graph: torch.fx.GraphModule, inputs: object) -> Any:
        raise ValueError("no compiler here")

    monkeypatch.setattr("scaling.train.compiled.BACKEND", backend)
    shards = small_shards(tmp_path / "shards")
    with pytest.raises(InputError, match=r"could not be compiled.*no compiler here"):
        run(blt_spec(shards, 2), shards, tmp_path / "run", COMPILED)


def test_blocks_of_other_lengths_compile_nothing_anew(
    tmp_path: Path, graphs: list[list[str]]
) -> None:
    shards = small_shards(tmp_path / "shards")
    spec = replace(blt_spec(shards), window_bytes=8)
    model = build_model(
        replace(spec, model=replace(spec.model, dim=32, local_dim=32, cross_factor=2))
    )
    called = compiled(model, flex=True)
    shapes = set()
    for rate in (2, 8, 5, 2, 8, 5):
        windows = Windows(open_shards(shards).train, 64, 0, StaticPatches(rate))
        batch = windows.batch(0, 2)
        inputs = model.inputs(batch, torch.device("cpu"))
        assert isinstance(inputs, PatchedBytes)
        shapes.add((inputs.members_shape, inputs.is_member is None))
        with compiling(), torch.no_grad():  # on a CPU it has no gradient
            nats = called(inputs, torch.from_numpy(batch.targets))
            plain = model(inputs, torch.from_numpy(batch.targets))
        torch.testing.assert_close(nats, plain, rtol=1e-5, atol=0)
    assert len(graphs) == len(shapes) == 3
    assert all(any("flex_attention" in name for name in graph) for graph in graphs)


def test_a_torch_without_flexattention_keeps_to_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_model(blt_spec(Path("0" * 16)))
    assert is_there()
    monkeypatch.setattr(BlockMask, "from_kv_blocks", lambda counts, indices: None)
    compiled(model, flex=True)
    assert model.flex is None


def test_a_plan_times_what_a_run_does(tmp_path: Path, graphs: list[list[str]]) -> None:
    shards = small_shards(tmp_path / "shards")
    seconds_per_byte(blt_spec(shards), open_shards(shards), CPU, 0)
    assert not graphs
    seconds_per_byte(blt_spec(shards), open_shards(shards), COMPILED, 0)
    assert graphs
