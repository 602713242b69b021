"""JSON lines: what is read, and what each kind of damage says."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.file_corpus import FileCorpus
from corpora.open import open_corpus
from corpora.readers.decompressed import BLOCK_BYTES
from tests.corpora.reading import documents, refusal, texts

GOOD = '{"text": "good"}\n'


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "data.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@settings(deadline=None, max_examples=60)
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {"text": st.text(st.characters(exclude_categories=["Cs"]))},
            optional={"id": st.integers() | st.text(min_size=1).filter(str.isprintable)},
        ),
        min_size=1,
    ),
    escaped=st.booleans(),
)
def test_text_comes_back_exactly_however_it_was_escaped(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, str]], escaped: bool
) -> None:
    lines = [json.dumps(record, ensure_ascii=escaped) for record in records]
    path = written(tmp_path_factory.mktemp("json"), "\n".join(lines))
    found = documents(open_corpus(str(path)))
    assert [d.text for d in found] == [r["text"] for r in records]
    assert [d.document_id for d in found] == [
        str(r.get("id", n)) for n, r in enumerate(records, start=1)
    ]


def test_records_label_themselves_and_options_go_first(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "language": "eng_Latn", "domain": "news"},
        {"text": "b", "language": "fra_Latn"},
        {"text": "c", "language": "eng_Latn", "domain": "news"},
        {"text": "d", "language": None, "domain": 7},
    ]
    path = tmp_path / "deu.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = documents(open_corpus(str(path)))
    assert sorted((d.text, d.language, d.domain, d.document_id) for d in found) == [
        ("a", "eng_Latn", "news", "1"),
        ("b", "fra_Latn", "", "2"),
        ("c", "eng_Latn", "news", "3"),
        ("d", "deu", "", "4"),
    ]
    forced = documents(open_corpus(str(path), language="und", domain="web"))
    assert {(d.language, d.domain) for d in forced} == {("und", "web")}


def test_other_fields_can_hold_the_text(tmp_path: Path) -> None:
    path = written(tmp_path, '{"content": "x", "text": 1}\n')
    assert texts(open_corpus(str(path), text_field="content")) == ["x"]


def test_blank_lines_crlf_signature_and_a_missing_last_end_do_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf{"text": "\xc3\xa9"}\r\n\n  \n {"text": "b"} ')
    assert [(d.text, d.document_id) for d in documents(open_corpus(str(path)))] == [
        ("é", "1"),
        ("b", "4"),
    ]


def test_a_torn_last_line_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD * 2 + '{"text": "tor')
    message = refusal(path)
    assert f"{path}:3 (byte {2 * len(GOOD)}): the last record is torn" in message
    assert "delete this line" in message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "a" "b"}', ":2: not JSON (Expecting ',' delimiter at column 14)"),
        ('{"text": "tab\there"}', ":2: not JSON (Invalid control character at"),
        ('{"text": "a"} {"text": "b"}', ":2: not JSON (Extra data at column 15)"),
        ('{"body": "a", "url": "u"}', ":2: no field 'text'; the record has 'body', 'url'"),
        ('{"Text": "a"}', "did you mean 'Text'?"),
        ("{}", ":2: no field 'text'; the record has none"),
        ('{"text": null}', ":2: field 'text' is a JSON null, not a string"),
        ('{"text": 3.5}', ":2: field 'text' is a JSON number"),
        ('{"text": true}', ":2: field 'text' is a JSON boolean"),
        ('{"text": ["a"]}', ":2: field 'text' is a JSON array"),
        ('{"text": {"en": "a"}}', ":2: field 'text' is a JSON object"),
        ('["a"]', ":2: a JSON array, not an object"),
        ('"a"', ":2: a JSON string, not an object"),
        ("[", "this looks like one JSON document over many lines"),
        ('{"text": "a", "n": ' + "9" * 5000 + "}", ":2: JSON that cannot be read"),
        ('{"text": "a", "n": ' + "[" * 99999 + "]" * 99999 + "}", ":2: JSON that cannot be read"),
    ],
)
def test_a_bad_record_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, f"{GOOD}{line}\n{GOOD}")
    assert said in refusal(path)


def test_a_bad_record_far_into_a_large_file_is_placed_right(tmp_path: Path) -> None:
    count = 3 * BLOCK_BYTES // len(GOOD)
    path = written(tmp_path, GOOD * count + "{}\n" + GOOD)
    assert f"{path}:{count + 1}: no field" in refusal(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"text": "caf\xe9"}', "(byte 30): invalid UTF-8 (e9: "),
        (rb'{"text": "x\ud800y"}', r"(byte 17): invalid text (unpaired surrogate \ud800"),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_invalid_text_is_refused_replaced_or_skipped(
    tmp_path: Path, line: bytes, said: str, ascii_only: bool
) -> None:
    others = b'{"text": "z"}\n' if ascii_only else '{"text": "ü"}\n'.encode()
    path = written(tmp_path, GOOD.encode() + line + b"\n" + others)
    assert f"{path}:2 {said}" in refusal(path)
    replaced = open_corpus(str(path), on_invalid="replace")
    assert "\ufffd" in texts(replaced)[1]
    assert (len(texts(replaced)), replaced.invalid.documents) == (3, 1)
    skipped = open_corpus(str(path), on_invalid="skip")
    assert [d.document_id for d in documents(skipped)] == ["1", "3"]
    assert skipped.invalid.documents == 1
    assert skipped.invalid.first.startswith(f"{path}:2 ")


def test_escaped_pairs_are_one_character(tmp_path: Path) -> None:
    path = written(tmp_path, rb'{"text": "\ud83d\ude00"}')
    assert texts(open_corpus(str(path))) == ["😀"]


def test_the_language_is_guessed_from_lang_or_locale_and_that_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a", "lang": "de"}\n{"text": "b", "lang": "pt_BR"}\n')
    corpus = open_corpus(str(path))
    assert [d.language for d in documents(corpus)] == ["de", "pt"]
    assert isinstance(corpus, FileCorpus)
    assert ["the field 'lang' is taken for the language" in n for n in corpus.seen.notes()] == [
        True
    ]
    path.write_text('{"text": "a", "locale": "sr-Latn", "l": "de", "language": null}\n')
    assert [d.language for d in documents(open_corpus(str(path)))] == ["sr-Latn"]
    named = open_corpus(str(path), language_field="l")
    assert [d.language for d in documents(named)] == ["de"]
    assert isinstance(named, FileCorpus) and not [*named.seen.notes()]
    assert "no field 'lang'; the record has 'text'" in refusal(path, language_field="lang")


def test_a_language_that_no_standard_knows_is_kept_with_one_note(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a", "language": "Quenya"}\n{"text": "b", "language": "xx"}\n')
    corpus = open_corpus(str(path))
    assert [d.language for d in documents(corpus)] == ["Quenya", "xx"]
    assert isinstance(corpus, FileCorpus)
    assert [*corpus.seen.notes()] == [
        "languages that no standard knows are kept as they are: Quenya, xx"
    ]
