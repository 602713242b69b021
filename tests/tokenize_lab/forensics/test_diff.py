"""Two tokenizers compared: planted cuts, and real text against comparing byte by byte."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.open import open_corpus
from tests.cli import answer, command, mistake
from tests.tokenize_lab.forensics.made import byte_level
from tests.tokenize_lab.texts import SAMPLES, ids_of
from tokenize_lab.forensics.cuts import compare_cuts
from tokenize_lab.forensics.diff import diff, settings_of
from tokenize_lab.patterns import GPT2, GPT4
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer

ENGLISH = SAMPLES / "eng_Latn.txt"

ONE = [(b"a", b"b"), (b"ab", b"c")]
OTHER = [(b"b", b"c"), (b"a", b"b")]


def cut_places(tokenizer: Tokenizer, text: str) -> set[int]:
    """Return the bytes at which tokens end inside a text."""
    (ids,) = ids_of(tokenizer.encode_batch([text]))
    at = -len(tokenizer.prefix)
    ends = set()
    for i in ids:
        at += len(tokenizer.token_bytes[i])
        ends.add(at)
    return ends - {0, len(text.encode())}


def test_planted_cuts_are_counted() -> None:
    corpus = DocumentCorpus(
        "planted", [Document("abc xy", "aaa"), Document("ab", "aaa"), Document("xy", "bbb")]
    )
    one, other = byte_level(ONE), byte_level(OTHER)
    cuts = compare_cuts(one, other, [corpus])
    # `abc` is one token of the one and `a bc` of the other; `ab` is one of both.
    first, second = cuts.languages["aaa"], cuts.languages["bbb"]
    assert (first.documents, first.same_documents) == (2, 1)
    assert (first.tokens_a, first.tokens_b) == (1 + 3 + 1, 2 + 3 + 1)
    assert (first.bytes, first.same_bytes) == (8, 3 + 2)
    assert (first.boundaries, first.shared_boundaries) == (4, 3)
    assert (second.documents, second.same_documents, second.same_bytes) == (1, 1, 2)
    found = diff(one, other, [corpus])
    (word,) = found["text"]["words"]
    assert word["text"] == "abc" and word["count"] == 1 and word["tokens_saved_by_a"] == 1
    assert word["a"] == [] and word["b"] == [1]
    vocabulary = found["vocabulary"]
    assert vocabulary["shared"] == 257 and vocabulary["own"] == [1, 1]
    assert [one["text"] for side in vocabulary["examples"] for one in side] == ["abc", "bc"]
    assert vocabulary["same_id"] == 256  # `ab` is 256 in the one, 257 in the other
    json.dumps(found, allow_nan=False)
    assert found.frame()["language"].to_list() == ["aaa", "bbb"]
    assert found.frame()["tokens"].to_list() == [[5, 6], [2, 2]]


def test_words_where_most_is_at_stake_come_first() -> None:
    text = "bcbcbc " + "abc " * 5 + "xbc"
    corpus = DocumentCorpus("t", [Document(text)])
    words = diff(byte_level(ONE), byte_level(OTHER), [corpus])["text"]["words"]
    assert [(word["text"], word["tokens_saved_by_a"]) for word in words] == [
        ("abc", 5), ("bcbcbc", -3), ("xbc", -1),
    ]  # fmt: skip


@pytest.mark.parametrize("other", ["mistral:tekken"])
def test_real_text_agrees_with_comparing_byte_by_byte(other: str) -> None:
    a, b = load_tokenizer("mistral:v3"), load_tokenizer(other)
    corpus = open_corpus("embedded:eng_Latn,hin_Deva,jpn_Jpan")
    cuts = compare_cuts(a, b, [corpus])
    for language, counts in cuts.languages.items():
        texts = [
            text for batch in corpus.batches() if batch.language == language for text in batch.texts
        ]
        pairs = [(cut_places(a, text), cut_places(b, text)) for text in texts]
        assert counts.same_documents == sum(one == two for one, two in pairs)
        assert counts.boundaries == sum(len(one | two) for one, two in pairs)
        assert counts.shared_boundaries == sum(len(one & two) for one, two in pairs)
        same = 0
        for text, (one, two) in zip(texts, pairs, strict=True):
            size = len(text.encode())
            spans = [{*zip([0, *sorted(c)], [*sorted(c), size], strict=True)} for c in (one, two)]
            same += sum(end - begin for begin, end in spans[0] & spans[1])
        assert counts.same_bytes == same
        assert counts.tokens_a == len(a.encode_batch(texts).ids)


def test_a_tokenizer_differs_from_itself_in_nothing() -> None:
    one = load_tokenizer("mistral:tekken")
    twin = replace(one, name="twin")  # type: ignore[type-var]
    found = diff(one, twin, [open_corpus("embedded:rus_Cyrl")])
    assert all(row["same"] for row in found["settings"])
    vocabulary, text = found["vocabulary"], found["text"]
    assert vocabulary["own"] == [0, 0] and vocabulary["moves"] == []
    assert vocabulary["rank_correlation"] == pytest.approx(1)
    assert text["words"] == [] and text["all"]["same_byte_share"] == 1
    assert text["all"]["shared_boundary_share"] == 1


def test_what_one_does_not_give_back_is_compared_in_part(trained: dict[str, Path]) -> None:
    lossy, whole = load_tokenizer(str(trained["wordpiece"])), load_tokenizer("byte")
    corpus = DocumentCorpus("t", [Document("two  words"), Document("a")])
    counts = compare_cuts(lossy, whole, [corpus]).languages["und"]
    assert counts.inexact == 1 and counts.documents == 1
    # All but the second space, which WordPiece drops.
    assert (counts.bytes, counts.text_bytes, counts.lost_a, counts.lost_b) == (10, 11, 1, 0)
    assert counts.tokens_b == 10
    assert counts.tokens_a == len(lossy.encode_batch(["two  words"]).ids) + 1
    assert counts.boundaries == 2 + 5
    same = compare_cuts(lossy, lossy, [corpus]).languages["und"].row()
    assert same["same_byte_share"] == 1 and same["tokens_b_over_a"] == 1


def test_text_that_became_an_unknown_token_is_not_compared(trained: dict[str, Path]) -> None:
    lossy, whole = load_tokenizer(str(trained["wordpiece"])), load_tokenizer("mistral:v3")
    corpus = DocumentCorpus("t", [Document("the \u16a0\u16a1 house")])
    counts = compare_cuts(lossy, whole, [corpus]).languages["und"]
    assert counts.bytes == len("the house")
    assert counts.row()["lost_share"] == [7 / 16, 0]
    assert counts.row()["compared_share"] == 9 / 16


def test_patterns_and_normalisers_are_told_apart() -> None:
    one, other = byte_level(ONE, pattern=GPT4), byte_level(ONE, pattern=GPT2)
    rows = {row["setting"]: row["same"] for row in diff(one, other)["settings"]}
    assert not rows["split before merging"] and rows["normaliser"] and rows["model"]
    content = json.loads(one.serialized)
    content["normalizer"] = {"type": "NFC"}
    normal = replace(one, name="normal", serialized=json.dumps(content))
    assert settings_of(normal)["normaliser"] == '{"type": "NFC"}'
    rows = {row["setting"]: row["same"] for row in diff(one, normal)["settings"]}
    assert not rows["normaliser"] and rows["split before merging"]
    # Two libraries' words for one thing are no difference.
    rows = {
        row["setting"]: row["same"]
        for row in diff(load_tokenizer("mistral:v1"), load_tokenizer("mistral:tekken"))["settings"]
    }
    assert rows["model"] and rows["normaliser"] and not rows["put before every text"]


def test_the_command(tmp_path: Path) -> None:
    line = f"tokenizers diff byte mistral:v1 {ENGLISH} --no-cache"
    found = answer(f"{line} --out {tmp_path}")
    assert found["text"]["languages"][0]["language"] == "eng_Latn"
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("diff-byte-") and json.loads(path.read_text("utf-8")) == found
    assert "How text is cut" in command(line).stdout


@pytest.mark.parametrize("words", ["byte byte", "byte no_such.json"])
def test_bad_input_is_one_line(words: str) -> None:
    mistake(f"tokenizers diff {words}")
    assert command("tokenizers diff byte").exit_code == 2
