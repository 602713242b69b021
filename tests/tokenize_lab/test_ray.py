"""Measured on a Ray cluster: the rows of one process, whatever becomes of the nodes."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from corpora.document import Document
from corpora.errors import InputError
from corpora.locks import SCRATCH
from tests.tokenize_lab.test_measure import CutCorpus
from tests.tokenize_lab.texts import embedded_lines
from tokenize_lab.counts.batches import BatchCounter, CountJob
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.measurement import measure
from tokenize_lab.ray import cluster as started
from tokenize_lab.ray import count_on_ray
from tokenize_lab.tokenizer_spec import load_tokenizer

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install ray"
)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of Ray on this machine: a head that counts nothing, and two nodes."""
    utils = importlib.import_module("ray.cluster_utils")
    found = utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        found.add_node(num_cpus=1)
    found.wait_for_nodes()
    yield found
    found.shutdown()


def test_what_a_killed_cluster_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself stands aside: where it would put its files is ours to say."""
    told: list[str] = []
    library = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda *_, _temp_dir, **__: told.append(_temp_dir),
        shutdown=lambda: told.append("shut down"),
    )
    monkeypatch.setitem(sys.modules, "ray", library)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    left, other = tmp_path / f"{SCRATCH}left", tmp_path / "lab-of-another"
    for folder in (left, other):
        (folder / "session").mkdir(parents=True)
    with started(None):
        (used,) = told
        assert Path(used).parent == tmp_path and Path(used).is_dir()
        assert not left.exists()
    assert [*tmp_path.iterdir()] == [other]
    assert told == [used, "shut down"]


def corpus() -> CutCorpus:
    lines = [line for line in embedded_lines() if line]
    documents = [Document(text, f"l{i // 400}") for i, text in enumerate(lines)]
    return CutCorpus(documents, 4000)


SPECS = ["mistral:tekken", "byte"]


def job(cache: CountsCache | None = None) -> CountJob:
    return CountJob([load_tokenizer(spec) for spec in SPECS], TextSettings(), cache)


def rows(out: Path, **how: Any) -> list[dict[str, Any]]:
    found = measure([corpus()], SPECS, baseline="byte", reference="l0", replicates=50, **how)
    found.save(out)
    return list(found.rows())


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray itself, when a node dies
def test_a_node_dies_and_the_rows_are_those_of_one_process(tmp_path: Path, cluster: Any) -> None:
    batches = len(list(corpus().batches()))
    assert batches > 40
    seen: list[int] = []

    def progress(_: str, size: int) -> None:
        seen.append(size)
        if len(seen) == batches // 3:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    counted = partial(count_on_ray, address=cluster.address, cpus=None)
    there = rows(tmp_path / "there", count_batches=counted, progress=progress)
    assert len(seen) == batches
    assert len(cluster.worker_nodes) == 1
    assert there == rows(tmp_path / "here")
    for name in ("counts.parquet", "histograms.parquet"):
        one, other = ((tmp_path / where / name).read_bytes() for where in ("here", "there"))
        assert one == other


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_counts_from_a_cluster_go_into_the_cache_here(tmp_path: Path, cluster: Any) -> None:
    cache = tmp_path / "cache"
    counted = partial(count_on_ray, address=cluster.address, cpus=None)
    first = rows(tmp_path / "first", cache=cache, count_batches=counted)
    files = sorted(path.name for path in cache.rglob("*") if path.is_file())
    assert first == rows(tmp_path / "second", cache=cache)
    assert files == sorted(p.name for p in cache.rglob("*") if p.is_file())
    assert first == rows(tmp_path / "third", cache=cache, count_batches=counted)


@pytest.mark.usefixtures("no_extras")
def test_without_ray_one_line_says_how_to_have_it() -> None:
    work = [(corpus(), batch) for batch in corpus().batches()]
    with pytest.raises(InputError, match=r"pip install '\.\[ray\]'"):
        next(count_on_ray(work, job(), address=None, cpus=1))


def test_one_counter_remembers_what_another_counted(tmp_path: Path) -> None:
    kept = BatchCounter(job(CountsCache(tmp_path)))
    batch = next(iter(corpus().batches()))
    assert kept.cached(batch) is None
    counts = BatchCounter(job()).count(batch)
    kept.put_into_cache(batch, counts)
    again = kept.cached(batch)
    assert again is not None
    assert again.content_sha256 == counts.content_sha256
    np.testing.assert_array_equal(again.text, counts.text)
    for ours, theirs in zip(again.tokens, counts.tokens, strict=True):
        np.testing.assert_array_equal(ours.per_text, theirs.per_text)
        np.testing.assert_array_equal(ours.occurrences, theirs.occurrences)
