"""Languages as people name their files, folders and fields."""

from pathlib import Path, PurePath

import pytest

from corpora.languages import (
    begins_with,
    iso_form,
    language_of,
    said_language,
    same_language_key,
    same_languages,
)
from corpora.open import open_corpus
from tests.corpora.reading import documents, refusal
from tests.corpora.test_discovery import folder_of


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("de.txt", "de"),
        ("de-DE.txt", "de"),
        ("pt_BR.jsonl", "pt"),
        ("pt-PT.txt", "pt-PT"),
        ("zh-Hant.txt", "zh-Hant"),
        ("zh_TW.txt.gz", "zh-Hant"),
        ("zh-CN.txt", "zh"),
        ("sr-Latn.csv", "sr-Latn"),
        ("sr-Latn-RS.txt", "sr-Latn"),
        ("en-GB.txt", "en-GB"),
        ("en-US.txt", "en"),
        ("es-419.txt", "es-419"),
        ("DE.txt", "de"),
        ("news.de.txt", "de"),
        ("de_DE.UTF-8.txt", "de"),
        ("ca-valencia.txt", "ca-valencia"),
        ("hin_Deva.txt", "hin_Deva"),
        ("eng.jsonl.xz", "eng"),
        ("newstest2019-ref.hin.txt", "hin"),
        ("locale/de/LC_MESSAGES/help.txt", "de"),
        ("pt_BR/help.txt", "pt"),
        ("eng_Latn/help.txt", "eng_Latn"),
        ("raw.txt", "und"),
        ("log.jsonl", "und"),
        ("novel.txt", "und"),
        ("my.jsonl", "und"),
        ("to-do.txt", "und"),
        ("hi-fi.txt", "und"),
        ("de-fr.txt", "und"),
        ("my-corpus.txt", "und"),
        ("de-news.txt", "und"),
        ("part-00.txt", "und"),
    ],
)
def test_what_a_name_says(name: str, language: str) -> None:
    assert language_of(PurePath(name)) == language


@pytest.mark.parametrize(
    ("text", "shown", "known"),
    [
        ("de", "de", True),
        ("de-DE", "de", True),
        ("pt_BR", "pt", True),
        ("EN", "en", True),
        ("en_US.UTF-8", "en", True),
        ("deu", "deu", True),
        ("hin_Deva", "hin_Deva", True),
        ("zh-Hant", "zh-Hant", True),
        ("frp", "frp", True),
        ("English", "English", False),
        ("xx", "xx", False),
        ("c\x1b[2J", "c\\x1b[2J", False),
    ],
)
def test_what_a_field_says(text: str, shown: str, known: bool) -> None:
    assert said_language(text) == (shown, known)


def test_names_of_one_language_are_seen_as_the_same() -> None:
    for names in (
        ("de", "de-DE", "deu", "deu_Latn", "ger"),
        ("zh-Hant", "zh_TW", "zho_Hant", "cmn_Hant"),
        ("ar", "arb_Arab", "ara"),
        ("sr-Latn", "srp_Latn"),
    ):
        assert len({same_language_key(name) for name in names}) == 1
    assert same_language_key("sr") != same_language_key("sr-Latn")
    assert same_language_key("pt") != same_language_key("pt-PT")
    assert same_language_key("python") == "python" and same_language_key("und") == "und"
    assert same_languages("de", ["deu_Latn", "fra_Latn"]) == ["deu_Latn"]
    assert same_languages("de", ["deu_Latn", "de"]) == ["de"]
    assert (iso_form("de-AT"), iso_form("zh-Hant"), iso_form("mine")) == ("deu", "zho_Hant", "mine")


def test_a_reference_is_found_by_whatever_name_the_language_has() -> None:
    for language in ("eng_Latn", "eng", "en", "en-GB"):
        assert begins_with(language, "eng") and begins_with(language, "en")
    assert begins_with("en", "eng_Latn")
    assert not begins_with("est_Latn", "es") and not begins_with("deu_Latn", "eng")


def test_files_named_by_iso_639_1_have_their_language(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"de-DE.txt": "Guten Tag\n", "fr.txt": "Bonjour\n"})
    corpus = open_corpus(str(folder))
    assert [(d.language, d.text) for d in documents(corpus)] == [
        ("de", "Guten Tag"),
        ("fr", "Bonjour"),
    ]


def test_a_word_is_a_language_among_files_named_by_languages(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", {"de.txt": "a\n", "my.txt": "b\nc\n"})
    assert [d.language for d in documents(open_corpus(str(folder)))] == ["de", "my", "my"]
    assert [d.language for d in documents(open_corpus(str(folder / "my.txt")))] == ["my", "my"]
    alone = folder_of(tmp_path / "b", {"my.txt": "b\n"}) / "my.txt"
    assert [d.language for d in documents(open_corpus(str(alone)))] == ["und"]


def test_a_folder_named_by_a_language_says_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"pt_BR/a.txt": "a\n", "de/b.txt": "b\n"})
    assert [d.language for d in documents(open_corpus(str(folder)))] == ["de", "pt"]
    assert [d.language for d in documents(open_corpus(str(folder / "de")))] == ["de"]
    assert [d.language for d in documents(open_corpus(str(folder / "de" / "b.txt")))] == ["de"]


def test_files_of_equal_length_named_by_languages_are_parallel(tmp_path: Path) -> None:
    equal = folder_of(tmp_path / "a", {"de.txt": "a\nb\n", "fr.txt": "c\nd\n"})
    assert open_corpus(str(equal)).parallel
    for name, files in {
        "b": {"de.txt": "a\nb\n", "fr.txt": "c\n"},
        "c": {"de.txt": "a\nb\n", "fr.txt": "c\nd\n", "notes.txt": "e\n"},
        "d": {"de.txt": "a\n", "fr.txt": "c\n"},
    }.items():
        folder = folder_of(tmp_path / name, files)
        assert not open_corpus(str(folder)).parallel
    assert open_corpus(str(tmp_path / "d"), parallel=True).parallel
    assert "fr.txt: 1 lines" in refusal(tmp_path / "b", parallel=True)


def test_some_languages_of_a_folder(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, {"deu_Latn.txt": "a\nb\n", "fra_Latn.txt": "c\nd\n", "hin_Deva.txt": "e\nf\n"}
    )
    corpus = open_corpus(f"{folder}:deu_Latn")
    assert corpus.parallel and {d.language for d in documents(corpus)} == {"deu_Latn"}
    corpus = open_corpus(f"{folder}:hi,fr")
    assert {d.language for d in documents(corpus)} == {"hin_Deva", "fra_Latn"}
    assert "no language 'es'; it has deu_Latn, fra_Latn, hin_Deva" in refusal(f"{folder}:es")
    assert "name languages after the colon" in refusal(f"{folder}:")
    assert {d.language for d in documents(open_corpus("embedded:hi,en"))} == {
        "hin_Deva",
        "eng_Latn",
    }


def test_some_languages_of_records(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a", "lang": "de-DE"}\n{"text": "b", "lang": "fr"}\n')
    found = documents(open_corpus(f"{path}:deu_Latn"))
    assert [(d.language, d.text) for d in found] == [("de", "a")]
    assert "no language 'hin_Deva'; it has de, fr" in refusal(f"{path}:hin_Deva")


def test_a_private_tag_is_a_language_among_languages(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", {"de/a.txt": "a\n", "x-klingon/b.txt": "b\n"})
    assert [d.language for d in documents(open_corpus(str(folder)))] == ["de", "x-klingon"]
    alone = folder_of(tmp_path / "b", {"x-files.txt": "b\n"})
    assert [d.language for d in documents(open_corpus(str(alone)))] == ["und"]
