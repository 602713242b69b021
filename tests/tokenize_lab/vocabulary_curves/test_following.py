"""Tokenizers of every make are followed merge by merge: splitters, bytes, falling ranks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tokenize_lab.merges.test_truncate import ALPHABET, bpe_file
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING
from tests.tokenize_lab.vocabulary_curves.test_curve import assert_followed, encoded, lines_of
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.backends.tiktoken import read_ranks
from tokenize_lab.merges.derived import truncated, with_dropout
from tokenize_lab.patterns import LLAMA3
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.vocabulary_curves.curve import token_curve

FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


@pytest.mark.parametrize("ignore_merges", [False, True])
def test_ranks_that_fall(tmp_path: Path, ignore_merges: bool) -> None:
    """Several pairs for one token: `bc` waits for nothing, `a` + `bc` is an early merge done late,
    and counts from the size at which `bc` is there."""
    merges = [["a", "b"], ["a", "bc"], ["ab", "c"], ["b", "c"], ["c", "d"], ["abc", "d"]]
    spec = bpe_file(tmp_path, merges, {"ignore_merges": ignore_merges})
    tokenizer = load_tokenizer(spec)
    texts = ["abcd", "abc", "bc", "bcd", "abcabc", "dcba", "aabbccdd", "x abcd abc", "cdcd"]
    curve = token_curve(tokenizer, texts)
    for size in range(256, tokenizer.vocabulary_size + 1):
        assert curve.at(size) == encoded(tokenizer, texts, size), size


def _edited(source: Path, folder: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    content = json.loads((source / "tokenizer.json").read_text("utf-8"))
    edit(content)
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    return str(folder)


def _added(content: dict[str, Any]) -> None:
    content["added_tokens"] = [
        {"id": 2000, "content": "<|end|>", "special": True, **FLAGS},
        {"id": 2001, "content": "the ", "special": False, **FLAGS},
        {"id": 2002, "content": "th", "special": False, **FLAGS, "normalized": True},
        {"id": content["model"]["vocab"]["in"], "content": "in", "special": False, **FLAGS},
    ]


def _ignoring(content: dict[str, Any]) -> None:
    content["model"]["ignore_merges"] = True


def _composed(content: dict[str, Any]) -> None:
    content["normalizer"] = {"type": "NFC"}


def _gpt2(content: dict[str, Any]) -> None:
    content["pre_tokenizer"] = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True,
    }  # fmt: skip


def _prefixed(content: dict[str, Any]) -> None:
    _gpt2(content)
    content["pre_tokenizer"]["add_prefix_space"] = True


def _digits_apart(content: dict[str, Any]) -> None:
    _gpt2(content)
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, content["pre_tokenizer"]],
    }


def _letters_only(content: dict[str, Any]) -> None:
    (split, _) = content["pre_tokenizer"]["pretokenizers"]
    split["pattern"] = {"Regex": r"\p{L}+"}


def _atomic(content: dict[str, Any]) -> None:
    (split, _) = content["pre_tokenizer"]["pretokenizers"]
    split["pattern"] = {"Regex": r"(?~,),"}  # Oniguruma's own: up to a comma


@pytest.mark.parametrize(
    "edit",
    [_added, _ignoring, _composed, _gpt2, _prefixed, _digits_apart, _letters_only, _atomic],
    ids=lambda edit: edit.__name__.strip("_"),
)
def test_tokenizers_of_every_make(
    edit: Callable[[dict[str, Any]], None], trained: dict[str, Path], tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(_edited(trained["bpe"], tmp_path / "own", edit))
    texts = [*lines_of("eng_Latn")[:12], *lines_of("tha_Thai")[:4], *HARD, *SPECIAL_LOOKING]
    assert_followed(tokenizer, [*texts, "the thin then<|end|>the end, in the inn"], sizes=5)


def sentencepiece_like(folder: Path, lines: list[str], more: dict[str, Any]) -> str:
    """Write a BPE as Llama 2's: no splitter, spaces as marks, other characters as bytes."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(lines, trainer)
    content = json.loads(tokenizer.to_str())
    content |= {"pre_tokenizer": None, "added_tokens": [], "decoder": None}
    content["model"] |= more
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


@pytest.mark.parametrize(
    "more", [{}, {"byte_fallback": False}, {"byte_fallback": False, "fuse_unk": False}]
)
def test_bytes_and_unknown_characters(more: dict[str, Any], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_like(tmp_path, lines_of("eng_Latn"), more))
    texts = [*lines_of("eng_Latn")[:10], *lines_of("tha_Thai")[:3], *HARD]
    assert_followed(tokenizer, texts, sizes=5)


def test_a_token_across_words_keeps_the_text_whole(tmp_path: Path) -> None:
    """Where a token holds a mark after a letter, a text is not cut at marks."""
    spec = sentencepiece_like(tmp_path, lines_of("eng_Latn"), {})
    content = json.loads(Path(spec).read_text("utf-8"))
    vocab = content["model"]["vocab"]
    for pair in (["e", "▁"], ["e▁", "a"], ["s", "▁"]):
        vocab["".join(pair)] = len(vocab)
        content["model"]["merges"].insert(0 if pair[1] == "▁" else 2, pair)
    Path(spec).write_text(json.dumps(content), "utf-8")
    tokenizer = load_tokenizer(spec)
    # The first merges of all are the new ones, though their ids are the last.
    curve = assert_followed(tokenizer, lines_of("eng_Latn")[:10], sizes=6)
    assert curve.pieces == 10


@pytest.mark.parametrize("normalizer", [None, "empty", "NFC", "Lowercase"])
@pytest.mark.parametrize("flag", ["lstrip", "rstrip", "single_word", "normalized"])
def test_added_tokens_that_change_the_text_beside_them(
    flag: str, normalizer: str | None, trained: dict[str, Path], tmp_path: Path
) -> None:
    """As DeepSeek's, NeoX's and Qwen's: found before anything merges, some in normalised text."""

    def added(content: dict[str, Any]) -> None:
        contents = ["<x>", "  ", "   ", "<e\u0301>", "<X Y>"]
        content["added_tokens"] = [
            {"id": 2000 + i, "content": text, "special": i == 4, **FLAGS, flag: i != 1}
            for i, text in enumerate(contents)
        ]
        if normalizer is not None:
            nothing = {"type": "Sequence", "normalizers": []}
            content["normalizer"] = nothing if normalizer == "empty" else {"type": normalizer}

    tokenizer = load_tokenizer(_edited(trained["bpe"], tmp_path / "own", added))
    texts = ["a <x> b<x>", "<x>", "the   <x>  <X>the", "<\u00e9> <e\u0301>   <X Y>x", " x<x> <x> "]
    assert_followed(tokenizer, texts, sizes=4)
    drawn = with_dropout(tokenizer, 1e-300, 0).encode_batch(texts)
    assert drawn.ids.tolist() == tokenizer.encode_batch(texts).ids.tolist()


def test_a_hole_in_the_alphabet(tmp_path: Path) -> None:
    """A byte that has no symbol is dropped by the library, and so it is here."""
    path = Path(bpe_file(tmp_path, [["a", "b"]]))
    content = json.loads(path.read_text())
    letter = next(character for character, byte in ALPHABET.items() if byte == ord("z"))
    content["model"]["vocab"] = {
        piece: place
        for place, piece in enumerate(p for p in content["model"]["vocab"] if p != letter)
    }
    path.write_text(json.dumps(content))
    tokenizer = load_tokenizer(str(path))
    curve = token_curve(tokenizer, ["zab zz"])
    assert [curve.at(255), curve.at(256)] == [3, 2]


def as_tokenizer_json(tiktoken_file: Path, folder: Path) -> str:
    """Write ranks as Llama 3's tokenizer.json has them: every pair that spells a token, in order of
    its rank, and `ignore_merges`; the special tokens last."""
    ranks = read_ranks(tiktoken_file, tiktoken_file.read_bytes())
    written = byte_to_character()
    spelt = {raw: "".join(written[byte] for byte in raw) for raw in ranks}
    pairs = [
        sorted(
            (
                (raw[:cut], raw[cut:])
                for cut in range(1, len(raw))
                if raw[:cut] in ranks and raw[cut:] in ranks
            ),
            key=lambda pair: (ranks[pair[0]], ranks[pair[1]]),
        )
        for raw in sorted(ranks, key=ranks.__getitem__)
    ]
    vocab = {spelt[raw]: rank for raw, rank in ranks.items()}
    added = [
        {"id": len(vocab) + i, "content": f"<|special_{i}|>", "special": True, **FLAGS}
        for i in range(3)
    ]
    bytes_only = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False,
    }  # fmt: skip
    split = {
        "type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False,
    }  # fmt: skip
    content = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes_only]},
        "decoder": bytes_only,
        "model": {
            "type": "BPE",
            "vocab": vocab,
            "merges": [[spelt[a], spelt[b]] for own in pairs for a, b in own],
            "ignore_merges": True,
        },
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


def test_a_vocabulary_as_llama_3_has_it(tiktoken_file: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(as_tokenizer_json(tiktoken_file, tmp_path))
    assert isinstance(tokenizer, HuggingFaceTokenizer)
    assert json.loads(tokenizer.serialized)["model"]["ignore_merges"]
    texts = [*lines_of("eng_Latn"), *lines_of("hin_Deva")[:10], *HARD, *SPECIAL_LOOKING]
    curve = assert_followed(tokenizer, texts)
    assert curve.first_size == 256 + 3
    ids = truncated(tokenizer, 259 + 100).encode_batch(texts).ids
    assert ids.max() < 256 + 100  # the special tokens have moved up behind the last merge
