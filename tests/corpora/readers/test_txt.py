"""Text files: what a line is, what is kept, what is refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.open import open_corpus
from corpora.readers import decompressed as blocks
from tests.corpora.reading import documents, refusal, texts


def test_lines_end_at_lf_and_crlf_only_and_nothing_is_stripped(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    lines = [
        " lead",
        "trail\t ",
        "form\x0cfeed",
        "ls\u2028ps\u2029",
        "nel\x85",
        "cr\rinside",
        "\x00",
    ]
    path.write_bytes("\n".join(lines).encode() + b"\n" + b"crlf\r\n" + b"last\r")
    assert texts(open_corpus(str(path))) == [*lines, "crlf", "last\r"]


def test_empty_lines_are_no_documents_but_keep_the_numbering(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n\n \n\r\nfive\n")
    found = documents(open_corpus(str(path)))
    assert [(d.text, d.document_id) for d in found] == [("one", "1"), (" ", "3"), ("five", "5")]
    assert found[0].source == "a.txt"
    assert found[0].alignment is None


def test_unit_file_keeps_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "main.py"
    path.write_bytes(b"def f():\r\n\treturn 1\n\n")
    (only,) = documents(open_corpus(str(path), unit="file", language="python", domain="code"))
    assert only.text == "def f():\r\n\treturn 1\n\n"
    assert (only.language, only.domain, only.document_id) == ("python", "code", "main.py")


@pytest.mark.parametrize("unit", ["line", "file"])
def test_signature_at_the_start_is_no_text_but_is_elsewhere(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\ufefftwo".encode())
    (text,) = texts(open_corpus(str(path), unit=unit))  # type: ignore[arg-type]  # parametrized
    assert text == "one\ufefftwo"


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("hin_Deva.txt", "hin_Deva"),
        ("eng.txt", "eng"),
        ("newstest2019-ref.hin.txt", "hin"),
        ("raw.txt", "und"),
        ("log.txt", "und"),
        ("English.txt", "und"),
    ],
)
def test_language_comes_from_the_name(tmp_path: Path, name: str, language: str) -> None:
    path = tmp_path / name
    path.write_text("x\n")
    assert documents(open_corpus(str(path)))[0].language == language
    assert documents(open_corpus(str(path), language="fra_Latn"))[0].language == "fra_Latn"


def test_language_comes_from_the_nearest_folder_where_the_name_is_silent(tmp_path: Path) -> None:
    (tmp_path / "data" / "kor_Hang").mkdir(parents=True)
    (tmp_path / "data" / "kor_Hang" / "part-0.txt").write_text("하나\n")
    (tmp_path / "data" / "part-1.txt").write_text("x\n")
    found = documents(open_corpus(str(tmp_path)))
    assert [(d.source, d.language) for d in found] == [
        ("data/kor_Hang/part-0.txt", "kor_Hang"),
        ("data/part-1.txt", "und"),
    ]


@settings(deadline=None, max_examples=50)
@given(
    lines=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"))),
    ended=st.booleans(),
    block=st.integers(1, 50),
)
def test_blocks_never_change_the_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ended: bool, block: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    # A visible first character, as U+FEFF there would be a signature.
    path.write_bytes("\n".join(["first", *lines]).encode() + (b"\n" if ended else b""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", block)
        assert texts(open_corpus(str(path))) == ["first", *filter(None, lines)]


def test_a_line_longer_than_a_block_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    long = "ab\u0915" * 500_000
    path.write_text(f"{long}\nshort\n", encoding="utf-8")
    assert texts(open_corpus(str(path))) == [long, "short"]


def test_invalid_utf8_is_refused_with_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("héllo\n".encode() + b"caf\xe9\nfine\n")
    message = refusal(path)
    assert f"{path}:2 (byte 10): invalid UTF-8 (e9: " in message
    assert "`on_invalid=replace`" in message


def test_invalid_utf8_far_into_a_large_file_is_placed_right(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    good = "ordinary line ü\r\n".encode()
    count = 3 * blocks.BLOCK_BYTES // len(good)
    path.write_bytes(b"\xef\xbb\xbf" + good * count + b"ab\xffcd\n" + good)
    assert f"{path}:{count + 1} (byte {3 + len(good) * count + 2})" in refusal(path)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("replace", ["one", "b\ufffdd\ufffd", "ok"]), ("skip", ["one", "ok"])],
)
def test_invalid_utf8_is_replaced_or_skipped_and_counted(
    tmp_path: Path, policy: str, expected: list[str]
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\nb\xffd\xc3\r\nok")
    corpus = open_corpus(str(path), on_invalid=policy)  # type: ignore[arg-type]  # parametrized
    for _ in range(2):  # the count is of one pass, not of all
        assert texts(corpus) == expected
        assert corpus.invalid.documents == 1
        assert corpus.invalid.first == f"{path}:2 (byte 6)"


def test_a_last_line_without_its_end_can_be_invalid(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo\xff")
    assert f"{path}:2 (byte 7)" in refusal(path)


def test_utf16_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("text\n".encode("utf-16"))
    assert "looks like UTF-16" in refusal(path)


def test_unit_file_places_invalid_utf8_too(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo\nth\xffree")
    assert f"{path}:3 (byte 10)" in refusal(path, unit="file")


def test_empty_and_blank_files_are_refused(tmp_path: Path) -> None:
    empty, blank = tmp_path / "empty.txt", tmp_path / "blank.txt"
    empty.touch()
    blank.write_text("\n\n")
    assert f"{empty}: is empty" in refusal(empty)
    assert f"{blank}: holds no text" in refusal(blank)
    blank.write_bytes(b"\xff\n")
    assert "holds no text" in refusal(blank, on_invalid="skip")


def test_unknown_settings_are_refused_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x\n")
    assert "did you mean 'replace'" in refusal(path, on_invalid="replase")
    assert "unit is 'word'" in refusal(path, unit="word")
