"""What holds of every command that reads text: one process and two give the same, to the byte;
several corpora are their union; and help says what can be asked for."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from corpora.corpus import Corpus, DocumentCorpus, JoinedCorpus, joined
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpora
from tests.cli import answer, command, mistake
from tests.tokenize_lab.texts import HARD, SAMPLES
from tokenize_lab import workers
from tokenize_lab.backends.objects import tokenizer_of
from tokenize_lab.forensics import cuts
from tokenize_lab.forensics.check import check
from tokenize_lab.forensics.diff import diff
from tokenize_lab.forensics.mixture import mixture
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.vocabulary_curves import parts
from tokenize_lab.vocabulary_curves.job import vocab_curve
from tokenize_lab.workers import map_here

LANGUAGES = ("eng_Latn", "hin_Deva", "tha_Thai")


def texts() -> list[Document]:
    """Return documents of three languages in turns, hard ones among them."""
    found = []
    for language in LANGUAGES:
        lines = (SAMPLES / f"{language}.txt").read_text("utf-8").split("\n")
        documents = [*lines[:60], *HARD, *lines[60:90]]
        found += [Document(text, language, document_id=str(i)) for i, text in enumerate(documents)]
    return found


def two_corpora() -> list[Corpus]:
    documents = texts()
    middle = len(documents) // 2
    return [DocumentCorpus("one", documents[:middle]), DocumentCorpus("two", documents[middle:])]


Found = Callable[[Sequence[Corpus], dict[str, Path], int], Any]


def _curves(corpora: Sequence[Corpus], trained: dict[str, Path], jobs: int) -> Any:
    specs = [str(trained["bpe"]), str(trained["bpe-unsplit"])]
    rows = vocab_curve(joined(corpora), specs, replicates=50, jobs=jobs).rows(every=True)
    return [{**row, "corpus": ""} for row in rows]


def _diff(corpora: Sequence[Corpus], trained: dict[str, Path], jobs: int) -> Any:
    return diff(str(trained["bpe"]), str(trained["wordpiece"]), corpora, jobs=jobs)


def _check(corpora: Sequence[Corpus], trained: dict[str, Path], jobs: int) -> Any:
    found = check(str(trained["wordpiece"]), corpora, most=7, jobs=jobs)
    listed = [{**entry, "corpus": ""} for entry in found["changed"]]
    assert len(listed) == 7
    return {**found, "changed": listed}


def _mixture(corpora: Sequence[Corpus], trained: dict[str, Path], jobs: int) -> Any:
    return mixture(
        str(trained["bpe"]), corpora, merges=60, most_bytes=9000, replicates=3, jobs=jobs
    )


COMMANDS: dict[str, Found] = {
    "vocab-curve": _curves,
    "diff": _diff,
    "check": _check,
    "mixture": _mixture,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_two_processes_find_what_one_finds(
    name: str, trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpora = two_corpora()
    monkeypatch.setattr(parts, "PART_BYTES", 3000)
    alone = json.dumps(COMMANDS[name](corpora, trained, 1))
    monkeypatch.setattr(workers, "_WORTH_PROCESSES", 0)
    assert json.dumps(COMMANDS[name](corpora, trained, 2)) == alone


@pytest.mark.parametrize("name", COMMANDS)
def test_several_corpora_are_their_union(name: str, trained: dict[str, Path]) -> None:
    whole = [DocumentCorpus("all", texts())]
    assert COMMANDS[name](two_corpora(), trained, 1) == COMMANDS[name](whole, trained, 1)


@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=40),
    part=st.integers(1, 5000),
)
@limits(max_examples=15)
def test_curves_are_the_same_however_text_is_parted_and_whatever_is_kept(
    sizes: list[int], part: int, trained: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    line = (SAMPLES / "hin_Deva.txt").read_text("utf-8")
    documents = [Document(line[n : 2 * n], LANGUAGES[n % 3]) for n in sizes]
    corpus, spec = DocumentCorpus("c", documents), [str(trained["bpe"])]
    cache = tmp_path_factory.mktemp("cache")
    plain = list(vocab_curve(corpus, spec, replicates=20).rows(every=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_BYTES", part)
        first = list(vocab_curve(corpus, spec, replicates=20, cache=cache).rows(every=True))
        patch.setattr(parts, "followed_on", None)  # whatever is not in the cache fails
        again = list(vocab_curve(corpus, spec, replicates=20, cache=cache).rows(every=True))
    assert plain == first == again


def test_what_is_kept_is_of_these_sizes_and_texts_alone(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    corpus, spec = DocumentCorpus("c", texts()[:9]), [str(trained["bpe"])]
    for at, replicates in (((), 20), ((300,), 20), ((), 0)):
        kept = vocab_curve(corpus, spec, at=at, replicates=replicates, cache=tmp_path)
        fresh = vocab_curve(corpus, spec, at=at, replicates=replicates)
        assert list(kept.rows()) == list(fresh.rows())
    before = len(list(tmp_path.rglob("*")))
    turned = DocumentCorpus("c", texts()[8::-1])
    vocab_curve(turned, spec, cache=tmp_path)
    assert len(list(tmp_path.rglob("*"))) > before


def test_a_comparison_kept_is_the_one_made(
    trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs, corpora = (str(trained["bpe"]), str(trained["wordpiece"])), two_corpora()
    fresh = json.dumps(diff(*specs, corpora))
    assert json.dumps(diff(*specs, corpora, cache=tmp_path)) == fresh
    assert diff(*specs[::-1], corpora, cache=tmp_path)["text"] != json.loads(fresh)["text"]
    monkeypatch.setattr(cuts, "compare_batch", None)  # whatever is not in the cache fails
    assert json.dumps(diff(*specs, corpora, cache=tmp_path)) == fresh


def test_aligned_lines_of_joined_corpora_are_numbered_on() -> None:
    def aligned(name: str, first: int) -> DocumentCorpus:
        lines = [Document("x", code, "", name, "", first + i) for code in "ab" for i in range(3)]
        return DocumentCorpus(name, lines, parallel=True)

    both = JoinedCorpus([aligned("one", 1), aligned("two", 1), aligned("three", 0)])
    assert both.parallel and both.name == "one + two + three"
    numbers = [(batch.language, batch.first_alignment) for batch in both.batches()]
    assert numbers == [("a", 1), ("b", 1), ("a", 4), ("b", 4), ("a", 7), ("b", 7)]
    loose = JoinedCorpus([aligned("one", 1), DocumentCorpus("two", [Document("y")])])
    assert not loose.parallel
    assert {batch.first_alignment for batch in loose.batches()} == {None}
    assert JoinedCorpus([aligned(name, 1) for name in "abcdefg"]).name == "a + b + c + d + 3 more"


def test_lines_of_an_aligned_folder_go_on_where_the_first_ended(tmp_path: Path) -> None:
    names = ("one", "two", "whole")
    for language in LANGUAGES[:2]:
        lines = (SAMPLES / f"{language}.txt").read_text("utf-8").split("\n")[:40]
        for name, part in zip(names, (lines[:15], lines[15:], lines), strict=True):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{language}.txt").write_text("\n".join(part) + "\n", "utf-8")
    one, two, whole = open_corpora([str(tmp_path / name) for name in names])
    spec = ["mistral:tekken"]
    rows = [
        [{**row, "corpus": ""} for row in vocab_curve(text, spec, replicates=30).rows()]
        for text in (joined([one, two]), whole)
    ]
    assert joined([one, two]).parallel and rows[0] == rows[1]


def test_the_map_keeps_order_and_says_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = [(str(n), n) for n in range(20)]
    monkeypatch.setattr(workers, "_WORTH_PROCESSES", 0)
    for jobs in (1, 2):
        done = list(map_here(stream, _squarer, jobs=jobs, cost=float))
        assert done == [(str(n), n, n * n) for n in range(20)]
        with pytest.raises(InputError, match="20 is too many"):
            list(map_here([("", 19), ("", 20)], _squarer, jobs=jobs, cost=float))
    monkeypatch.setattr(workers, "_UNEVEN", 0)
    done = list(map_here(stream, _squarer, jobs=2, cost=float, kind=lambda n: n % 3))
    assert done == [(str(n), n, n * n) for n in range(20)]
    with pytest.raises(InputError, match="`jobs"):
        list(map_here(stream, _squarer, jobs=-1, cost=float))


def _squarer() -> Callable[[int], int]:
    return _square


def _square(number: int) -> int:
    if number == 20:
        raise InputError("20 is too many")
    return number * number


def test_a_programs_own_object_stays_in_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local:  # of a class that no other process could find
        token_bytes = tuple(bytes([i]) for i in range(256))

        def encode_batch(self, lines: list[str]) -> list[list[int]]:
            return [list(line.encode()) for line in lines]

    monkeypatch.setattr(workers, "_WORTH_PROCESSES", 0)
    local = tokenizer_of(Local(), "local")
    found = diff(local, load_tokenizer("byte"), two_corpora(), jobs=2)
    assert found["text"]["all"]["same_byte_share"] == 1


EVERY = {"--max-document-bytes"}
SHARED = {"--jobs", "--cache", "--no-cache", *EVERY}
READING = {
    "measure": SHARED,
    "vocab-curve": SHARED,
    "tokenizers audit": SHARED,
    "tokenizers diff": SHARED,
    "tokenizers check": {"--jobs", *EVERY},
    "tokenizers mixture": {"--jobs", *EVERY},
    "tokenizers train": EVERY,
}


@pytest.mark.parametrize("line", READING)
def test_help_lists_what_a_command_takes(line: str) -> None:
    text = command(f"{line} --help").stdout
    assert re.search(r"CORPUS[\]}]\.\.\.", text)
    listed = {option for option in SHARED if re.search(rf"^ +{option} ", text, re.MULTILINE)}
    assert listed == READING[line]


@pytest.mark.parametrize(
    "line",
    [
        "vocab-curve {files} -t {bpe} --no-cache --jobs 2 --at 1000",
        "tokenizers audit {bpe} {files} --no-cache --jobs 2",
        "tokenizers diff {bpe} byte {files} --no-cache --jobs 2",
        "tokenizers check {bpe} {files} --jobs 2",
        "tokenizers mixture {bpe} {files} --jobs 2 --merges 50",
        "tokenizers train {files} --kind bpe --vocab-size 300",
    ],
)
def test_commands_take_several_corpora(line: str, trained: dict[str, Path], tmp_path: Path) -> None:
    files = " ".join(str(SAMPLES / f"{language}.txt") for language in LANGUAGES[:2])
    trains, checks = "train " in line, "check " in line
    line = line.format(files=files, bpe=trained["bpe"])
    out = "" if checks else f" --out {tmp_path}"
    found = json.dumps(answer(line + out))
    assert trains or checks or all(language in found for language in LANGUAGES[:2])
    assert "given twice" in mistake(line.replace(files, f"{files} {files.split()[0]}") + out)
