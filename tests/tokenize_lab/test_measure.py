"""Corpora through tokenizers: the same counts however the work is cut up."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Batch, Document, batched
from tokenize_lab import workers as local_engine
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.fields import FIELD_INDEX, FIELDS, TextSettings
from tokenize_lab.counts.schema import MOST_UNITS, Group, GroupCounts, merged, units_of
from tokenize_lab.measurement import CorpusCounts, count_corpora
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.workers import cpu_count

SPECS = ("byte", "character", "mistral:v3")


@dataclass
class CutCorpus:
    """Documents in batches of a chosen size."""

    documents: list[Document]
    batch_bytes: int
    name: str = "cut"
    size_bytes: int | None = None
    parallel: bool = False

    def batches(self) -> Iterator[Batch]:
        return batched(self.documents, self.batch_bytes)


def documents() -> list[Document]:
    random = np.random.default_rng(0)
    words = ["the", "river", "12345", "नदी", "川", "and", "\u200d", "Übermut", "  ", "x==y"]
    return [
        Document(" ".join(random.choice(words, 12)), language, domain, "here", str(i))
        for language in ("eng_Latn", "hin_Deva")
        for domain in ("news", "code")
        for i in range(150)
    ]


def counting(cache: CountsCache | None = None) -> CountJob:
    return CountJob([load_tokenizer(spec) for spec in SPECS], TextSettings(), cache)


def totals(measurement: CorpusCounts) -> dict[Group, list[int]]:
    return {group: part.total.tolist() for group, part in measurement.counts.items()}


def test_counts_do_not_depend_on_how_the_text_is_cut() -> None:
    whole = count_corpora([CutCorpus(documents(), 1 << 20)], counting())
    pieces = count_corpora([CutCorpus(documents(), 500)], counting())
    # Pre-tokens are sampled from the head of every batch, so they alone may differ.
    sampled = [FIELD_INDEX["pretokens"], FIELD_INDEX["pretoken_bytes"]]
    for group, part in whole.counts.items():
        other = pieces.counts[group]
        assert np.array_equal(
            np.delete(part.units, sampled, axis=1), np.delete(other.units, sampled, axis=1)
        )
        a, b = part.histogram.settle(), other.histogram.settle()
        assert np.array_equal(a.ids, b.ids)
        assert np.array_equal(a.occurrences, b.occurrences)
        assert a.occurrences.sum() == part.total[FIELD_INDEX["tokens"]]


def test_processes_count_as_one_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = count_corpora([CutCorpus(documents(), 2000)], counting(), jobs=1)
    monkeypatch.setattr(local_engine, "_WORTH_PROCESSES", 0)
    together = count_corpora([CutCorpus(documents(), 2000)], counting(), jobs=2)
    assert totals(alone) == totals(together)
    assert alone.corpora_sha256 == together.corpora_sha256


def test_documents_apart_add_up_to_the_groups() -> None:
    whole = count_corpora([CutCorpus(documents(), 3000)], counting())
    apart = count_corpora([CutCorpus(documents(), 3000)], counting(), by_document=True)
    assert len(apart.counts) == len(SPECS) * len(documents())
    summed = merged(apart.counts, {"language", "domain"})
    assert {g: p.total.tolist() for g, p in summed.items()} == totals(whole)


def test_an_interrupted_run_goes_on_from_the_cache(tmp_path: Path) -> None:
    corpus = CutCorpus(documents(), 3000)
    seen = 0

    def stop(_corpus: object, _size: int) -> None:
        nonlocal seen
        seen += 1
        if seen == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_corpora([corpus], counting(CountsCache(tmp_path)), progress=stop)
    resumed = count_corpora([corpus], counting(CountsCache(tmp_path)))
    assert resumed.from_cache == 5 * len(SPECS)
    assert resumed.encoded > 0
    assert totals(resumed) == totals(count_corpora([corpus], counting()))


def test_the_content_hash_knows_text_order_and_language() -> None:
    docs = documents()
    base = count_corpora([DocumentCorpus("c", docs)], counting()).corpora_sha256["c"]
    again = count_corpora([DocumentCorpus("c", docs)], counting()).corpora_sha256["c"]
    swapped = count_corpora([DocumentCorpus("c", docs[::-1])], counting()).corpora_sha256["c"]
    renamed = [d._replace(language="fra_Latn") for d in docs]
    other = count_corpora([DocumentCorpus("c", renamed)], counting()).corpora_sha256["c"]
    assert base == again
    assert len({base, swapped, other}) == 3


def test_units_are_bounded_and_lose_nothing() -> None:
    random = np.random.default_rng(1)
    table = random.integers(0, 9, (3 * MOST_UNITS + 17, len(FIELDS)))
    group = GroupCounts()
    for first in range(0, len(table), 1000):
        group.add(first, table[first : first + 1000])
    assert len(group.units) == MOST_UNITS
    assert group.total.tolist() == table.sum(0).tolist()
    # Every run of MOST_UNITS documents fills every unit once, the first in order.
    assert units_of(0, MOST_UNITS).tolist() == list(range(MOST_UNITS))
    assert sorted(units_of(7 * MOST_UNITS, MOST_UNITS)) == list(range(MOST_UNITS))
    # Text that repeats with that very period is spread all the same.
    assert len({int(units_of(turn * MOST_UNITS, 1)[0]) for turn in range(500)}) > 300


def test_labels_do_not_change_the_interval_of_the_whole() -> None:
    plain = [d._replace(language="und", domain="") for d in documents()]
    labelled = [d._replace(domain=str(i % 50)) for i, d in enumerate(plain)]
    each = [d._replace(domain=str(i)) for i, d in enumerate(plain)]
    sums = []
    for docs in (plain, labelled, each):
        counts = merged(count_corpora([DocumentCorpus("c", docs)], counting()).counts, ["language"])
        (group,) = [g for g in counts if g.tokenizer == "mistral:v3"]
        sampled = [FIELD_INDEX["pretokens"], FIELD_INDEX["pretoken_bytes"]]
        sums.append(np.delete(counts[group].units, sampled, axis=1))
    assert len(sums[0]) == len(plain)
    assert np.array_equal(sums[0], sums[1])
    assert np.array_equal(sums[0], sums[2])


def test_a_corpus_of_many_places_keeps_few_samples() -> None:
    docs = [Document("a line", "und", str(i)) for i in range(300)]
    measurement = count_corpora([DocumentCorpus("c", docs)], counting())
    assert len(measurement.samples) == 200


@pytest.mark.parametrize(("quota", "most"), [("150000 100000", 2), ("5000 100000", 1)])
def test_no_more_cores_are_counted_than_a_container_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, most: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    file = tmp_path / "cpu.max"
    assert cpu_count(file) == 8
    file.write_text("max 100000\n")
    assert cpu_count(file) == 8
    file.write_text(f"{quota}\n")
    assert cpu_count(file) == most
