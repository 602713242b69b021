"""CSV and TSV as spreadsheets and scripts write them."""

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.open import open_corpus
from corpora.readers import table
from tests.corpora.reading import documents, refusal, texts


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8"))
    return path


def test_rows_have_text_language_domain_and_id(tmp_path: Path) -> None:
    rows = 'id,lang,content,domain\r\n7,de,"Guten Tag, ""Welt""",news\r\n,fr,"Bon\r\njour",\r\n'
    path = written(tmp_path / "a.csv", rows)
    assert [
        (d.document_id, d.language, d.domain, d.text)
        for d in documents(open_corpus(str(path), text_field="content"))
    ] == [("7", "de", "news", 'Guten Tag, "Welt"'), ("3", "fr", "", "Bon\r\njour")]


def test_a_missing_text_column_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = written(tmp_path / "text.csv", "id,lang,content\n1,de,Guten Tag\n")
    assert "no column 'text'; the table has 'id', 'lang', 'content'" in refusal(path)


def test_columns_divided_by_tabs_and_semicolons(tmp_path: Path) -> None:
    tabs = written(tmp_path / "a.tsv", "text\tlang\nEins, zwei; drei\tde\n")
    assert texts(open_corpus(str(tabs))) == ["Eins, zwei; drei"]
    semicolons = written(tmp_path / "a.csv", "\ufefftext;locale\nEins, zwei;de_DE\n")
    found = documents(open_corpus(str(semicolons)))
    assert [(d.text, d.language) for d in found] == [("Eins, zwei", "de")]
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(b"text\na\nb\n"))
    assert texts(open_corpus(str(packed))) == ["a", "b"]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ('text\na\n"b" c\nd\n', 3),
        ('text\na\nb\n"c\nd\ne\n', 4),
        ('text\n"a\nb"\n"c"d"\n', 4),
    ],
)
def test_broken_quoting_names_the_line(tmp_path: Path, rows: str, line: int) -> None:
    path = written(tmp_path / "a.csv", rows)
    message = refusal(path)
    assert message.startswith(f"{path}:{line}: the row that begins here is quoted wrongly")
    assert "double each quote" in message


def test_a_row_of_another_length_names_the_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id,text\n1,a\n2,b, c\n")
    assert f"{path}:3: a row of 3 fields, but there are 2 columns" in refusal(path)


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n1,a\n2,\xe4\n")
    assert f"{path}:3" in refusal(path) and "invalid UTF-8" in refusal(path)
    corpus = open_corpus(str(path), on_invalid="skip")
    assert texts(corpus) == ["a"] and corpus.invalid.documents == 1
    path.write_bytes("text\nä\n".encode("utf-16"))
    assert "it looks like UTF-16" in refusal(path)


def test_a_table_without_rows_is_named(tmp_path: Path) -> None:
    assert "holds no text" in refusal(written(tmp_path / "a.csv", "id,text\n"))
    assert "is empty" in refusal(written(tmp_path / "b.csv", ""))


CELLS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)


@settings(max_examples=40)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20), st.sampled_from(["csv", "tsv"]))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], kind: str
) -> None:
    path = tmp_path_factory.mktemp("table") / f"a.{kind}"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if kind == "tsv" else ",", quoting=csv.QUOTE_ALL)
        writer.writerows([("note", "text"), *rows])
    assert texts(open_corpus(str(path))) == [text for _, text in rows]


def test_batches_end_where_they_are_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BATCH_BYTES", 10)
    expected = [f"text number {n}" for n in range(50)]
    rows = "".join(f"{n % 2},{text}\n" for n, text in enumerate(expected))
    path = written(tmp_path / "a.csv", f"domain,text\n{rows}")
    assert sorted(texts(open_corpus(str(path)))) == sorted(expected)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("text,text,lang", "2 columns are called 'text'"),
        ("id|text", "columns are divided by `|`"),
        ("TEXT,other", "did you mean 'TEXT'?"),
    ],
)
def test_headers_that_do_not_say_which_column(tmp_path: Path, head: str, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{head}\na,b,c\n")
    assert says in refusal(path)
