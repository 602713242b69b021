"""Vocabularies pruned: fewer ids, and the text kept encoded as before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.corpus import corpus_of
from corpora.errors import InputError
from tests.cli import answer, command, mistake
from tests.tokenize_lab.adapt.test_extend import lines_of, text_of
from tests.tokenize_lab.forensics.made import byte_level, id_of
from tests.tokenize_lab.texts import ids_of
from tokenize_lab.adapt.prune import prune
from tokenize_lab.merges.derived import truncated
from tokenize_lab.tokenizer import TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer

CHAIN = [(b"p", b"q"), (b"pq", b"r"), (b"x", b"y"), (b"xy", b"z"), (b"k", b"k")]


def test_leaves_not_used_go_last_merge_first_and_parts_stay() -> None:
    old = byte_level(CHAIN)
    text = corpus_of(["xyz k"])
    order = [b"kk", b"pqr", b"pq"]  # "xy" is a part of "xyz"
    for count in (1, 2, 3):
        pruned = prune(old, [text], drop=count, unused=True)
        assert [row["hex"] for row in pruned.finding["tokens"]] == [
            raw.hex() for raw in order[:count]
        ]
        assert pruned.tokenizer.vocabulary_size == old.vocabulary_size - count
    every = prune(old, [text], unused=True)
    assert every.finding["dropped"] == 3
    with pytest.raises(InputError, match=r"`drop` 4: only 3 of 261 ids can go .* or fewer"):
        prune(old, [text], drop=4, unused=True)


def test_a_pair_that_never_fires_holds_nothing_up() -> None:
    # "abc" is made of "ab" and "c"; its other pair needs "bc" and stands in no text.
    old = byte_level([(b"a", b"b"), (b"b", b"c"), (b"ab", b"c"), (b"a", b"bc")])
    pruned = prune(old, [corpus_of(["abc ab"])], unused=True)
    assert [row["hex"] for row in pruned.finding["tokens"]] == [b"bc".hex()]
    assert pruned.tokenizer.encode_batch(["abc"]).ids.tolist() == [id_of(old, b"abc") - 1]


def test_the_language_kept_is_encoded_alike_and_ids_are_mapped(trained: dict[str, Path]) -> None:
    old = load_tokenizer(str(trained["bpe"]))
    texts = lines_of("eng_Latn")
    pruned = prune(old, [text_of("eng_Latn")], drop=800, unused=True)
    (row,) = pruned.finding["kept"]
    assert (row["texts"], row["changed"]) == (48, 0)
    expected = [[int(pruned.new_ids[i]) for i in ids] for ids in ids_of(old.encode_batch(texts))]
    assert ids_of(pruned.tokenizer.encode_batch(texts)) == expected
    kept = np.flatnonzero(pruned.new_ids >= 0)
    table, pruned_table = old.token_bytes, pruned.tokenizer.token_bytes
    assert [pruned_table[n] for n in range(len(kept))] == [table[i] for i in kept.tolist()]
    # What is left still comes out of its own bytes, where it did before.
    whole = [i for i in kept.tolist() if not table.splits_character[i]]
    alone = old.encode_batch([table[i].decode() for i in whole])
    reached = [i for i, ids in zip(whole, ids_of(alone), strict=True) if ids == [i]]
    again = pruned.tokenizer.encode_batch([table[i].decode() for i in reached])
    assert ids_of(again) == [[int(pruned.new_ids[i])] for i in reached]


def test_merges_dropped_from_the_end_are_those_of_truncated(trained: dict[str, Path]) -> None:
    old = load_tokenizer(str(trained["bpe"]))
    pruned = prune(old, [text_of("eng_Latn")], to=700)
    cut = truncated(old, 700)
    texts = [*lines_of("eng_Latn"), *lines_of("hin_Deva")]
    assert ids_of(pruned.tokenizer.encode_batch(texts)) == ids_of(cut.encode_batch(texts))
    assert 0 < pruned.finding["kept"][0]["changed"] <= 48


def test_special_tokens_stay_and_are_put_around_text_under_their_new_ids() -> None:
    content = json.loads(byte_level(CHAIN, extra=[b"<s>"]).serialized)
    begin: dict[str, Any] = {"id": "<s>", "type_id": 0}
    content["added_tokens"] = [
        {"id": 261, "content": "<s>", "special": True, "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False}
    ]  # fmt: skip
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": begin}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [261], "tokens": ["<s>"]}},
    }
    from tokenize_lab.backends.huggingface import huggingface_from_text

    old = huggingface_from_text(json.dumps(content), "hf:made", "made", "made")
    pruned = prune(old, [corpus_of(["xyz"])], unused=True)
    assert pruned.tokenizer.token_bytes.kinds[258] == TokenKind.SPECIAL
    engine = pruned.tokenizer.library_tokenizer
    assert engine.encode("xyz").ids == [258, id_of(pruned.tokenizer, b"xyz")]


@pytest.mark.slow
def test_a_real_vocabulary_loses_a_third_and_no_english() -> None:
    pruned = prune("mistral:tekken", [text_of("eng_Latn")], drop=43_691, unused=True)
    assert pruned.tokenizer.vocabulary_size == 87_381
    assert pruned.finding["kept"][0]["changed"] == 0
    assert pruned.new_ids[:1000].tolist() == list(range(1000))


def test_the_command_writes_a_map_of_ids(trained: dict[str, Path], tmp_path: Path) -> None:
    line = f"tokenizers prune {trained['bpe']} embedded:eng_Latn --unused"
    finding = answer(line, "--drop", "100", "--out", tmp_path / "out")
    assert (finding["kind"], finding["dropped"], finding["kept"][0]["changed"]) == ("prune", 100, 0)
    ids = json.loads((tmp_path / "out/ids.json").read_text())
    assert len(ids["old_ids"]) == 1900 and ids["new_ids"].count(None) == 100
    assert [ids["new_ids"][i] for i in ids["old_ids"]] == list(range(1900))
    assert load_tokenizer(str(tmp_path / "out")).vocabulary_size == 1900
    done = command(line, "--out", tmp_path / "all")
    assert done.exit_code == 0 and "eng_Latn" in done.stdout


def test_bad_input_is_one_line(trained: dict[str, Path], tmp_path: Path) -> None:
    line = f"tokenizers prune {trained['bpe']} embedded:eng_Latn --out {tmp_path}/out"
    assert "--to" in mistake(line) and "--unused" in mistake(line)
    assert "give one of them" in mistake(f"{line} --to 1000 --drop 10")
    assert "2000 ids; ask for fewer" in mistake(f"{line} --to 2000")
    assert "--drop 9999: bpe has 2000 ids; ask for fewer" in mistake(f"{line} --drop 9999")
    assert "below the alphabet" in mistake(f"{line} --to 20")
    assert "can go without changing this text" in mistake(f"{line} --to 257 --unused")
    assert not (tmp_path / "out").exists()
