"""Folders: which files count, and when they are one parallel corpus."""

import logging
import os
from pathlib import Path

import pytest

from corpora.open import open_corpus
from tests.corpora.reading import documents, refusal, texts


def folder_of(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def test_language_files_of_equal_length_are_one_parallel_corpus(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "pair",
        {
            "eng_Latn.txt": "one\n\nthree\n",
            "fra_Latn.txt": "un\ndeux\ntrois",
            "README.txt": "about\n",
            "notes.txt": "not a language\n",
        },
    )
    corpus = open_corpus(str(folder))
    assert corpus.parallel
    assert corpus.name == "pair"
    assert corpus.size_bytes == 11 + 13
    assert [(d.language, d.alignment, d.document_id, d.text) for d in documents(corpus)] == [
        ("eng_Latn", 1, "1", "one"),
        ("eng_Latn", 2, "2", ""),
        ("eng_Latn", 3, "3", "three"),
        ("fra_Latn", 1, "1", "un"),
        ("fra_Latn", 2, "2", "deux"),
        ("fra_Latn", 3, "3", "trois"),
    ]


def test_document_ids_name_the_document_of_each_line(tmp_path: Path) -> None:
    files = {"eng_Latn.txt": "a\nb\nc\n", "deu_Latn.txt": "d\ne\nf\n"}
    folder = folder_of(tmp_path, {**files, "DOCUMENT_IDS.txt": "x\nx\ny\n"})
    assert [d.document_id for d in documents(open_corpus(str(folder)))] == ["x", "x", "y"] * 2
    folder_of(tmp_path, {"DOCUMENT_IDS.txt": "x\n"})
    assert "DOCUMENT_IDS.txt: 1 lines, but the texts beside it have 3" in refusal(folder)
    os.truncate(folder / "DOCUMENT_IDS.txt", 1 << 40)  # it says so, and the disk has none of it
    assert "DOCUMENT_IDS.txt: more than 256 MiB" in refusal(folder)


def test_misaligned_files_are_refused_unless_told_they_are_separate(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"eng_Latn.txt": "a\nb\n", "fra_Latn.txt": "a\nb\nc\n"})
    message = refusal(folder)
    assert f"{folder / 'fra_Latn.txt'}: 3 lines, but {folder / 'eng_Latn.txt'} has 2" in message
    assert "`parallel=False`" in message
    separate = open_corpus(str(folder), parallel=False)
    assert not separate.parallel
    assert [(d.text, d.alignment) for d in documents(separate)] == [
        (text, None) for text in ("a", "b", "a", "b", "c")
    ]


def test_a_skipped_line_leaves_the_rest_aligned(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"eng_Latn.txt": "a\nb\nc\n"})
    (folder / "fra_Latn.txt").write_bytes(b"d\n\xff\nf\n")
    assert "fra_Latn.txt:2 (byte 2): invalid UTF-8" in refusal(folder)
    corpus = open_corpus(str(folder), on_invalid="skip")
    found = [(d.alignment, d.text) for d in documents(corpus) if d.language == "fra_Latn"]
    assert found == [(1, "d"), (3, "f")]
    assert corpus.invalid.documents == 1


def test_other_kinds_beside_them_make_a_folder_of_separate_files(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        {
            "eng_Latn.txt": "a\n",
            "fra_Latn.txt": "b\nc\n",
            "sub/c.jsonl": '{"text": "d"}\n',
            ".hidden.txt": "no\n",
            "LICENSE.txt": "no\n",
            "table.csv": "no\n",
        },
    )
    corpus = open_corpus(str(folder))
    assert not corpus.parallel
    assert [(d.source, d.text) for d in documents(corpus)] == [
        ("eng_Latn.txt", "a"),
        ("fra_Latn.txt", "b"),
        ("fra_Latn.txt", "c"),
        ("sub/c.jsonl", "d"),
    ]
    assert "fra_Latn.txt: 2 lines" in refusal(folder, parallel=True)


def test_whole_files_are_never_aligned(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"eng_Latn.txt": "a\nb\n", "fra_Latn.txt": "c\nd\n"})
    assert texts(open_corpus(str(folder), unit="file")) == ["a\nb\n", "c\nd\n"]


def test_an_empty_file_in_a_folder_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.txt": "a\n", "b.txt": ""})
    assert f"{folder / 'b.txt'}: is empty" in refusal(folder)


def test_what_is_not_there_is_refused_with_what_is_near(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"corpus.jsonl": '{"text": "a"}\n', "pic/cat.png": "x"})
    assert "did you mean 'corpus.jsonl'?" in refusal(folder / "corpsu.jsonl")
    assert "no such file in" in refusal(folder / "something-else")
    assert "does not exist either" in refusal(folder / "missing" / "a.txt")
    assert "no file to read in this folder" in refusal(folder / "pic")
    assert "not a parallel corpus" in refusal(folder, parallel=True)
    assert "not a parallel corpus" in refusal(folder / "corpus.jsonl", parallel=True)


def test_a_bare_word_is_looked_up_among_declared_corpora(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "did you mean 'embedded'?" in refusal("embeded")
    assert "neither a file or folder here nor a declared corpus" in refusal("qqqq")
    folder_of(tmp_path, {"embedded": "mine\n"})
    assert texts(open_corpus("./embedded")) == ["mine"]
    assert open_corpus("embedded").parallel


def test_parallel_data_is_read_byte_for_byte(shared: Path) -> None:
    corpus = open_corpus(str(shared / "data" / "parallel"))
    sizes: dict[str, int] = {}
    for batch in corpus.batches():
        size = sum(len(text.encode()) for text in batch.texts)
        sizes[batch.language] = sizes.get(batch.language, 0) + size
    table = (shared / "data" / "parity.tsv").read_text().splitlines()[1:]
    assert sizes == {row.split("\t")[0]: int(row.split("\t")[1]) for row in table}


def test_what_is_left_out_of_a_folder_is_said_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "corpora")
    folder = folder_of(
        tmp_path,
        {"a.txt": "a\n", "README.md": "b\n", ".DS_Store": "c", "d.md": "d\n", "e.csv": "e\n"},
    )
    assert texts(open_corpus(str(folder))) == ["a"]
    (line,) = caplog.messages
    assert line == (
        f"{folder}: left out .DS_Store, README.md, d.md, e.csv"
        " (--glob names what to read, as '*.md')"
    )


def test_globs_choose_files_of_a_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "corpora")
    folder = folder_of(
        tmp_path,
        {"a.md": "a\n", "sub/b.md": "b\n", "c.rst": "c\n", "README.md": "d\n", "e.txt": "e\n"},
    )
    (folder / "f.md").write_bytes(b"\x89PNG\0\0")
    assert texts(open_corpus(str(folder), glob="*.md")) == ["a", "b"]
    assert caplog.messages == [f"{folder}: left out README.md, f.md"]
    assert texts(open_corpus(str(folder), glob=["*.rst", "README.md"])) == ["d", "c"]
    assert texts(open_corpus(str(folder), glob="sub/*")) == ["b"]
    assert "no file in this folder is called *.html" in refusal(folder, glob="*.html")


def test_tables_of_a_folder_are_read_where_there_is_nothing_else(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.csv": "text,lang\nb,de\n", "c.tsv": "text\nd\n"})
    found = documents(open_corpus(str(folder)))
    assert [(d.text, d.language) for d in found] == [("b", "de"), ("d", "und")]
