"""Whole words: planted predictions are judged right, for bytes and for tokens."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.data.windows import StaticPatches
from scaling.evaluate.evaluate_text import training_text
from scaling.evaluate.next_words import likeliest_units, next_words, tenths, word_counts
from scaling.evaluate.trained_run import TrainedRun
from tests.cli import answer, command, mistake
from tests.scaling.evaluate.streams import CPU, byte_stream, token_stream

TEXTS = [b"one two, three  caf\xc3\xa9 end", b"a bee sees"]
# Of the first: two, three, café; of the second: bee. The last word of a text has no end to predict.
COUNTS = Counter({b"two": 5, b"three": 1, b"bee": 9})


def judged(predicted: bytes) -> list[bool]:
    stream = byte_stream(TEXTS)
    units = np.frombuffer(predicted, np.uint8).astype(np.int64)
    right: list[bool] = next_words(units, stream, stream, None, COUNTS).right.tolist()
    return right


def test_words_of_bytes() -> None:
    text = b"".join(TEXTS)
    assert judged(text) == [True] * 4

    def with_byte(place: int, byte: bytes) -> bytes:
        return text[:place] + byte + text[place + 1 :]

    assert judged(with_byte(4, b"T")) == [False, True, True, True]  # its first byte
    assert judged(with_byte(6, b"u")) == [False, True, True, True]  # its last
    assert judged(with_byte(7, b"!")) == [True] * 4  # it ends, whatever with
    assert judged(with_byte(7, b"s")) == [False, True, True, True]  # it would have gone on
    assert judged(with_byte(3, b"x")) == [True] * 4  # the space before it is true text
    assert judged(with_byte(text.index(b"\xa9"), b"x")) == [True, True, False, True]
    stream, units = byte_stream(TEXTS), np.frombuffer(text, np.uint8).astype(np.int64)
    found = next_words(units, stream, stream, None, COUNTS)
    assert found.frequency.tolist() == [5, 1, 0, 9] and found.document.tolist() == [0, 0, 0, 1]


def test_words_of_tokens() -> None:
    """Tokens bring their space; a prefix that is no text is not counted."""
    pieces = [b" one", b" two", b"s", b" on", b"e", b" end"]
    lengths = np.array([len(piece) for piece in pieces], np.int32)
    documents = [[0, 1, 3, 4, 5], [0, 1, 2, 5]]  # one two one end, one twos end
    stream = token_stream(documents, lengths, prefix_bytes=1)
    text = byte_stream([b"one two one end", b"one twos end"])

    def right(predicted: list[int]) -> list[bool]:
        found = next_words(np.array(predicted), stream, text, pieces, Counter())
        hits: list[bool] = found.right.tolist()
        return hits

    said = [0, 1, 3, 4, 5, 0, 1, 2, 5]
    assert right(said) == [True, True, True]
    assert right([5, *said[1:]]) == [True, True, True]  # what comes first is no next word
    assert right([0, 1, 3, 2, 5, *said[5:]]) == [True, False, True]
    assert right([0, 1, 3, 4, 2, *said[5:]]) == [True, False, True]  # it would have gone on: ones
    assert right([0, 1, 0, 4, 5, *said[5:]]) == [True, False, True]
    assert right([*said[:7], 5, 5]) == [True, True, False]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
def test_tenths_rise_with_frequency_and_keep_equals_together(counts: list[int]) -> None:
    found = tenths(np.array(counts))
    assert found.min() >= 0 and found.max() <= 9
    order = np.argsort(counts, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    for value in set(counts):
        assert len(set(found[np.array(counts) == value].tolist())) == 1
    distinct = tenths(np.arange(1000))
    assert np.bincount(distinct).tolist() == [100] * 10


def test_words_are_counted() -> None:
    assert word_counts(byte_stream([b"a b b c", b"b c d"])) == Counter({b"b": 2, b"c": 1})


def test_what_is_likeliest_is_greedy_decoding_of_the_true_text(plain_run: TrainedRun) -> None:
    from scaling.evaluate.latent_reader import CachedBytes, next_static

    text = b"The water of the river was cold and the children ran."
    patches = StaticPatches(4)
    found = likeliest_units(plain_run.model, byte_stream([text]), 128, 4, patches, CPU)
    reader = CachedBytes(plain_run.model, b"", 128, next_static(4))  # type: ignore[arg-type]
    for place, byte in enumerate(text):
        assert int(reader.logits().argmax()) == found[place]
        reader.push(byte)


def test_evaluate_asks_for_words(plain_run: TrainedRun) -> None:
    line = f"scaling evaluate {plain_run.folder} embedded:eng_Latn,jpn_Jpan --words --device cpu"
    rows = {row["language"]: row["words"] for row in answer(line)["rows"]}
    assert rows["jpn_Jpan"] is None
    english = rows["eng_Latn"]
    parts = english["by_frequency"]
    assert sum(part["words"] for part in parts) == english["words"] > 500
    assert english["right"] == pytest.approx(
        sum(part["words"] * part["right"] for part in parts) / english["words"]
    )
    assert english["interval"][0] <= english["right"] <= english["interval"][1]
    assert parts[-1]["right"] > parts[0]["right"]
    said = command(line).stdout
    assert "Whole words" in said and "no words between spaces" in said
    assert "no words between spaces" in command(line.replace("eng_Latn,", "")).stdout


def test_the_training_text_is_found_from_within_the_run(
    plain_run: TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plain_run.folder)
    assert training_text(replace(plain_run, folder=Path())).byte_count > 0


def test_the_training_text_is_not_there(plain_run: TrainedRun, tmp_path: object) -> None:
    line = f"scaling evaluate {plain_run.folder} embedded:eng_Latn --words --shards {tmp_path}"
    assert "--shards" in mistake(f"{line} --device cpu")


def test_evaluate_writes_in_several_ways(plain_run: TrainedRun) -> None:
    line = f"scaling evaluate {plain_run.folder} embedded:eng_Latn --prompts 2 --write-bytes 40"
    line += " --prompt-bytes 20 --device cpu"
    found = answer(f"{line} --decode speculate:2,6 --no-reuse --decode ar")
    rows = found["decoders"]
    assert [row["decode"] for row in rows] == ["ar", "speculate:2", "speculate:6"]
    assert all(row["same_as_plain"] == 1 for row in rows)
    assert [row["reuse"] for row in rows] == [None, False, False]
    assert rows[0]["decoder_passes"] == 80 and rows[0]["acceptance"] is None
    judged = rows[2]["acceptance_by_class"]
    assert sum(part["accepted"] for part in judged.values()) == pytest.approx(
        rows[2]["acceptance"] * 6 * rows[2]["decoder_passes"] / 7
    )
    said = command(f"{line} --decode speculate:2").stdout
    assert "bytes per global pass" in said and "letters" in said
    assert "after 2 prompts" in said
    assert "no document is as long" in mistake(f"{line} --decode ar --prompt-bytes 9999")
    assert "has not learnt" in mistake(f"{line} --decode verify:4")
