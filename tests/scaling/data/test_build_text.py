"""Text in shards is the corpus's text, split so that nothing held out is trained on."""

import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.data.build_text import build_text
from scaling.data.shards import SPLITS, open_shards
from tests.conftest import ROOT
from tests.scaling.data.texts import corpus_of, documents_of, mixed_corpora, sentences


def refusal(corpus: DocumentCorpus, folder: Path, held_out_bytes: int) -> str:
    with pytest.raises(InputError) as caught:
        build_text([corpus], folder, held_out_bytes=held_out_bytes)
    assert not list(folder.glob("*")) and not list(folder.glob(".*"))
    return str(caught.value)


@settings(max_examples=60)  # each writes to disk and waits for it
@given(mixed_corpora())
def test_evaluation_text_is_every_document_in_order(corpus: DocumentCorpus) -> None:
    expected = [(d.text.encode(), d.language) for d in corpus.documents if d.text]
    assume(expected)
    with tempfile.TemporaryDirectory() as name:
        shards = open_shards(build_text([corpus], Path(name), held_out_bytes=0), verify=True)
        # `batched` keeps the order of documents, so the streams do too.
        assert documents_of(shards.held_out, shards.manifest.languages) == expected
        assert shards.train.document_count == shards.train.unit_count == 0
        assert shards.manifest.left_out["empty"] == len(corpus.documents) - len(expected)


def split_by_hand(
    every: list[tuple[bytes, str]], held_out_bytes: int
) -> tuple[list[tuple[bytes, str]], list[tuple[bytes, str]]]:
    """Return training and held-out documents, walking back from the end of each language."""
    total = sum(len(text) for text, _ in every)
    wanted: dict[str, Fraction] = dict.fromkeys((language for _, language in every), Fraction())
    for text, language in every:
        wanted[language] += Fraction(held_out_bytes * len(text), total)
    taken = set()
    for number in reversed(range(len(every))):
        text, language = every[number]
        if wanted[language] > 0:
            taken.add(number)
            wanted[language] -= len(text)
    held_out = [every[number] for number in sorted(taken)]
    banned = {text for text, _ in held_out}
    train = [every[n] for n in range(len(every)) if n not in taken and every[n][0] not in banned]
    return train, held_out


@settings(max_examples=60)  # each writes to disk and waits for it
@given(mixed_corpora(min_documents=12), st.integers(1, 60))
def test_held_out_text_is_the_end_of_each_language_and_never_trained_on(
    corpus: DocumentCorpus, held_out_bytes: int
) -> None:
    every = [(d.text.encode(), d.language) for d in corpus.documents if d.text]
    assume(every)
    train, held_out = split_by_hand(every, held_out_bytes)
    with tempfile.TemporaryDirectory() as name:
        if {language for _, language in train} != {language for _, language in every}:
            assert "to train on" in refusal(corpus, Path(name), held_out_bytes)
            return
        path = build_text([corpus], Path(name), held_out_bytes=held_out_bytes)
        shards = open_shards(path, verify=True)
        languages, manifest = shards.manifest.languages, shards.manifest
        assert documents_of(shards.train, languages) == train
        assert documents_of(shards.held_out, languages) == held_out
    assert not {text for text, _ in train} & {text for text, _ in held_out}
    assert manifest.left_out["repeats_of_held_out"] == len(every) - len(train) - len(held_out)
    assert manifest.splits["held_out"].bytes >= held_out_bytes
    for split, side in zip(SPLITS, (train, held_out), strict=True):
        counted = manifest.splits[split].bytes_by_language
        for language in languages:
            assert counted[language] == sum(
                len(text) for text, spoken in side if spoken == language
            )


def test_planted_repeats_are_left_out_of_training_and_counted(tmp_path: Path) -> None:
    texts = sentences(200)
    # The first and a middle document repeat two that will be held out, one in another language.
    planted = [texts[-1], *texts[:100], texts[-2], *texts[100:]]
    corpora = [corpus_of(planted), corpus_of([texts[-1], *sentences(200, seed=1)], "deu_Latn")]
    shards = open_shards(build_text(corpora, tmp_path, held_out_bytes=2000))
    train = {text for text, _ in documents_of(shards.train, shards.manifest.languages)}
    assert not train & {texts[-1].encode(), texts[-2].encode()}
    assert shards.manifest.left_out == {
        "empty": 0,
        "repeats_of_held_out": 3,
        "repeated_bytes": 2 * len(texts[-1]) + len(texts[-2]),
    }


def test_equal_text_is_built_once_whatever_it_is_called(tmp_path: Path) -> None:
    texts = sentences(50)
    first = build_text([corpus_of(texts)], tmp_path, held_out_bytes=300)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    cut = [corpus_of(texts[:20], name="other"), corpus_of(texts[20:], name="rest")]
    assert build_text(cut, tmp_path, held_out_bytes=300) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    # Another text, language, split, or division into documents is another key.
    others = [
        build_text([corpus_of([*texts[:-1], texts[-1] + "."])], tmp_path, held_out_bytes=300),
        build_text([corpus_of(texts, "deu_Latn")], tmp_path, held_out_bytes=300),
        build_text([corpus_of(texts)], tmp_path, held_out_bytes=301),
        build_text(
            [corpus_of([texts[0][:3], texts[0][3:], *texts[1:]])], tmp_path, held_out_bytes=300
        ),
    ]
    assert len({first, *others}) == 5


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    texts = sentences(80)
    for name in ("a", "b"):
        build_text([corpus_of(texts)], tmp_path / name, held_out_bytes=500)
    files = [path.relative_to(tmp_path / "a") for path in tmp_path.glob("a/**/*") if path.is_file()]
    assert len(files) == 7
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_real_text_comes_back_in_every_language() -> None:
    corpus = open_corpus("embedded")
    expected: dict[str, list[bytes]] = {}
    for batch in corpus.batches():
        expected.setdefault(batch.language, []).extend(text.encode() for text in batch.texts)
    with tempfile.TemporaryDirectory() as name:
        shards = open_shards(build_text([corpus], Path(name), held_out_bytes=40_000), verify=True)
        languages = shards.manifest.languages
        assert set(languages) == set(expected)
        train = documents_of(shards.train, languages)
        held_out = documents_of(shards.held_out, languages)
    for language, texts in expected.items():
        found = [text for text, of in [*train, *held_out] if of == language]
        assert found == texts


@pytest.mark.parametrize(
    ("texts", "held_out_bytes", "says"),
    [
        ([], 10, "holds no text"),
        (["", ""], 0, "holds no text"),
        (["one document of 28 bytes ...."], 5, "has 1 document of 29 bytes"),
        (["first", "second"], 11, "holding out 11 of 11 bytes leaves none of them to train on"),
        (["first", "second"], 12, "leaves none of them to train on; give more text, hold out less"),
        (["same", "same", "same"], 2, "eng_Latn has 3 documents of 12 bytes"),
        (["first", "second"], -1, "-1 bytes to hold out"),
    ],
)
def test_too_little_text_is_refused_with_sizes_and_nothing_left_behind(
    tmp_path: Path, texts: list[str], held_out_bytes: int, says: str
) -> None:
    message = refusal(corpus_of(texts), tmp_path, held_out_bytes)
    assert says in message
    if held_out_bytes >= 0:
        assert message.startswith("planted: ")


def test_a_language_too_small_to_split_is_named(tmp_path: Path) -> None:
    documents = [
        *(Document(text, "eng_Latn") for text in sentences(30)),
        Document("एक", "hin_Deva"),
    ]
    assert "planted: hin_Deva has 1 document of 6 bytes" in refusal(
        DocumentCorpus("planted", documents), tmp_path, 100
    )


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file/shards: cannot be written \(Not a directory\)"):
        build_text([corpus_of(["a", "b"])], tmp_path / "file" / "shards", held_out_bytes=1)


def test_an_interrupted_or_failing_build_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_text([corpus_of(["a", "b"])], tmp_path, held_out_bytes=1, advance=stop)
    assert not list(tmp_path.iterdir())


READ = """
import sys
from pathlib import Path
from corpora.synthetic import MarkovSource
from corpora.document import Batch, Numbers
from scaling.data.build_text import build_text
texts = [f"{i} " + "words and words " * 6_000 for i in range(10)]
class Repeated:
    name, size_bytes, parallel = "repeated", None, False
    def batches(self):
        for i in range(int(sys.argv[1])):
            yield Batch([f"{i} {text}" for text in texts], "eng_Latn", "", "", Numbers(0, 10))
build_text([Repeated()], Path(sys.argv[2]), held_out_bytes=1000)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    def peak(batches: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", READ, str(batches), str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    small, large = peak(5), peak(100)  # 5 and 100 MB of text
    assert large < small + 16
    assert np.sum([f.stat().st_size for f in tmp_path.rglob("bytes.u8")]) > 95e6
