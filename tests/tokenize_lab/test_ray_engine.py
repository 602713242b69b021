"""Measured on a Ray cluster: the rows of one process, whatever becomes of the nodes."""

import importlib
import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.corpus import Corpus
from corpora.document import Document
from corpora.errors import InputError
from tests.tokenize_lab.test_measure import CutCorpus
from tests.tokenize_lab.texts import embedded_lines
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.text import TextSettings
from tokenize_lab.load import load_tokenizer
from tokenize_lab.measure import JobSettings, measure_into, rows_of
from tokenize_lab.ray import counted_on_ray
from tokenize_lab.workers import CountJob

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


def corpus() -> CutCorpus:
    lines = [line for line in embedded_lines() if line]
    documents = [Document(text, f"l{i // 400}") for i, text in enumerate(lines)]
    return CutCorpus(documents, 4000)


def bench(cache: CountsCache | None = None) -> CountJob:
    tokenizers = [load_tokenizer("mistral:tekken"), load_tokenizer("byte")]
    return CountJob(tokenizers, TextSettings(), cache)


def rows(out: Path, counting: CountJob, **how: Any) -> list[dict[str, Any]]:
    settings = JobSettings("byte", "l0", replicates=50)
    return list(rows_of(measure_into(out, [corpus()], counting, settings, [], **how), settings))


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray itself, when a node dies
def test_a_node_dies_and_the_rows_are_those_of_one_process(tmp_path: Path, cluster: Any) -> None:
    batches = len(list(corpus().batches()))
    assert batches > 40
    seen: list[int] = []

    def progress(_: Corpus, size: int) -> None:
        seen.append(size)
        if len(seen) == batches // 3:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    counted = partial(counted_on_ray, address=cluster.address, cpus=None)
    there = rows(tmp_path / "there", bench(), counted=counted, progress=progress)
    assert len(seen) == batches
    assert len(cluster.worker_nodes) == 1
    assert there == rows(tmp_path / "here", bench(), jobs=1)
    for name in ("counts.parquet", "histograms.parquet"):
        one, other = ((tmp_path / where / name).read_bytes() for where in ("here", "there"))
        assert one == other


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_counts_from_a_cluster_go_into_the_cache_here(tmp_path: Path, cluster: Any) -> None:
    kept = bench(CountsCache(tmp_path / "cache"))
    counted = partial(counted_on_ray, address=cluster.address, cpus=None)
    first = rows(tmp_path / "first", kept, counted=counted)
    files = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert first == rows(tmp_path / "second", kept, jobs=1)
    assert files == sorted(p.name for p in (tmp_path / "cache").rglob("*") if p.is_file())
    assert first == rows(tmp_path / "third", kept, counted=counted)


def test_without_ray_one_line_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    work = [(corpus(), batch) for batch in corpus().batches()]
    with pytest.raises(InputError, match=r"pip install '\.\[ray\]'"):
        next(counted_on_ray(work, bench(), address=None, cpus=1))


def test_one_counter_remembers_what_another_counted(tmp_path: Path) -> None:
    from tokenize_lab.workers import BatchCounter

    kept = BatchCounter(bench(CountsCache(tmp_path)))
    batch = next(iter(corpus().batches()))
    assert kept.recalled(batch) is None
    counts = BatchCounter(bench()).count(batch)
    kept.remember(batch, counts)
    again = kept.recalled(batch)
    assert again is not None
    assert again.content_sha256 == counts.content_sha256
    np.testing.assert_array_equal(again.text, counts.text)
    for ours, theirs in zip(again.tokens, counts.tokens, strict=True):
        np.testing.assert_array_equal(ours.per_text, theirs.per_text)
        np.testing.assert_array_equal(ours.occurrences, theirs.occurrences)
