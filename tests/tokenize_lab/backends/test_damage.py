"""Damaged and unreachable files: a tokenizer that works, or one clear line that names the file."""

import base64
import contextlib
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpora.corpus import DocumentCorpus
from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING
from tokenize_lab.backends.common import MOST_UNUSED
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

MUTATIONS = 300
NOBODY = 65534


def _damaged(content: bytes, seed: int) -> bytes:
    """Return the content with a few bytes changed, dropped or put in, as a bad copy has them."""
    draw, damaged = random.Random(seed), bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5, 20))):
        place = draw.randrange(len(damaged))
        match draw.randrange(4):
            case 0:
                del damaged[place]
            case 1:
                damaged.insert(place, draw.randrange(256))
            case _:
                damaged[place] = draw.randrange(256)
    return bytes(damaged)


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (TrainSettings("unigram", 400, "sentencepiece"), "tokenizer.model"),
        (TrainSettings("bpe", 400), "tokenizer.json"),
    ],
)
def test_damaged_bytes_give_a_tokenizer_or_one_line(
    recipe: TrainSettings, name: str, embedded: DocumentCorpus, tmp_path: Path
) -> None:
    path, _ = train_tokenizer(embedded, recipe, tmp_path)
    content = path.read_bytes()
    messages: list[str] = []
    for seed in range(MUTATIONS):
        path.write_bytes(_damaged(content, seed))
        try:
            tokenizer = load_tokenizer(str(path))
        except InputError as error:
            messages.append(str(error))
            continue
        encoding = tokenizer.encode_batch([*HARD, *SPECIAL_LOOKING])
        assert int(encoding.ids.max()) < tokenizer.vocabulary_size == len(tokenizer.token_bytes)
    assert all(str(path) in message and "\n" not in message for message in messages)
    assert path.name == name and 10 < len(messages) < MUTATIONS - 10


def test_a_model_whose_pieces_are_not_text(trained: dict[str, Path], tmp_path: Path) -> None:
    content = (trained["unigram-sp"] / "tokenizer.model").read_bytes()
    path = tmp_path / "own.model"
    path.write_bytes(content.replace("▁".encode(), b"\xe2\x96\xff"))
    assert "not a whole SentencePiece .model" in _refusal(str(path))


@pytest.mark.parametrize(
    ("part", "settings"),
    [
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        ("normalizer", {"type": "Replace", "pattern": {"Regex": ""}, "content": "x"}),
        ("pre_tokenizer", {"type": "FixedLength", "length": 0}),
    ],
)
def test_settings_that_the_library_panics_over(
    part: str, settings: dict[str, Any], trained: dict[str, Path], tmp_path: Path
) -> None:
    path = _tokenizer_json(trained["unigram-hf"], tmp_path, {part: settings})
    assert str(path) in _refusal(str(path))


def test_a_lossy_tokenizer_that_cannot_encode_is_refused(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    model = json.loads((trained["wordpiece"] / "tokenizer.json").read_bytes())["model"]
    changed = {"model": model | {"unk_token": "[NONE]"}, "added_tokens": []}
    path = _tokenizer_json(trained["wordpiece"], tmp_path, changed)
    assert "cannot encode text with it" in _refusal(str(path))


@pytest.mark.parametrize("token_id", [200_000_000, 4_000_000_000])
def test_a_huge_id_is_refused_at_once(
    token_id: int, trained: dict[str, Path], tmp_path: Path
) -> None:
    model = json.loads((trained["character"] / "tokenizer.json").read_bytes())["model"]
    model["vocab"]["one more"] = token_id
    path = _tokenizer_json(trained["character"], tmp_path, {"model": model})
    assert f"{path}: has an id {token_id} for only 1501 tokens" in _refusal(str(path))


def test_huge_ranks_and_sizes_are_refused_at_once(tiktoken_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.tiktoken"
    lines = tiktoken_file.read_bytes()
    for rank, fits in ((MOST_UNUSED + 5000, True), (MOST_UNUSED + 5001, False)):
        path.write_bytes(lines + base64.b64encode(b"one more piece") + b" %d\n" % rank)
        if fits:
            assert load_tokenizer(str(path)).vocabulary_size == rank + 1
        else:
            assert f"{path}:5001: rank {rank}" in _refusal(str(path))
    tekken = tmp_path / "tekken.json"
    vocab = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode()} for i in range(256)]
    for size, specials in ((4 * 10**9, 10), (4 * 10**9 + 256, 4 * 10**9), (10**30, 10)):
        config = {
            "pattern": ".",
            "default_vocab_size": size,
            "default_num_special_tokens": specials,
        }
        tekken.write_text(json.dumps({"config": config, "vocab": vocab}))
        assert f"{tekken}: has an id" in _refusal(str(tekken))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"pattern": "("}, "parenthesis"),
        ({"pattern": None}, "not an instance"),
        ({"default_vocab_size": 257.0}, "float"),
        ({"default_num_special_tokens": -1}, "a rank is missing"),
        ({"default_vocab_size": 256}, "a byte is missing"),
    ],
)
def test_a_tekken_file_of_nonsense(config: dict[str, Any], says: str, tmp_path: Path) -> None:
    whole = {"pattern": ".", "default_vocab_size": 257, "default_num_special_tokens": 1}
    vocab = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode()} for i in range(256)]
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps({"config": whole | config, "vocab": vocab}))
    message = _refusal(str(path))
    assert "not a whole tekken.json" in message and says in message
    path.write_text("[" * 100_000)
    assert "not a whole tekken.json" in _refusal(str(path))


def test_a_byte_order_mark_is_passed_over(
    trained: dict[str, Path], tiktoken_file: Path, tmp_path: Path
) -> None:
    for original, name in (
        (trained["bpe"] / "tokenizer.json", "tokenizer.json"),
        (tiktoken_file, "own.tiktoken"),
    ):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + original.read_bytes())
        assert load_tokenizer(str(path)).sha256 == load_tokenizer(str(original)).sha256


@pytest.mark.parametrize("prefix", ["", "hf:", "sp:", "tiktoken:"])
@pytest.mark.parametrize("ending", ["", ".json", ".model", ".tiktoken"])
def test_a_name_too_long_for_a_file(prefix: str, ending: str) -> None:
    for name in ("x" * 256, "tekken" + "x" * 300, "a/" * 3000 + "b"):
        message = _refusal(prefix + name + ending)
        assert f"too long for a file's name ({len(name + ending)} characters)" in message


def test_files_in_a_folder_that_may_not_be_searched(
    trained: dict[str, Path], tiktoken_file: Path, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    specs = [prefix + str(locked / name) for prefix, name in (
        ("", "tokenizer.json"), ("", "tokenizer.model"), ("", "own.tiktoken"), ("", "tekken.json"),
        ("", "folder"), ("hf:", "tokenizer.json"), ("hf:", "folder"), ("sp:", "tokenizer.model"),
        ("sp:", "folder"), ("tiktoken:", "own.tiktoken"), ("tiktoken:", "own.tiktoken@gpt2"),
    )]  # fmt: skip
    for whole in (trained["bpe"], trained["unigram-sp"], tiktoken_file):
        load_tokenizer(str(whole))  # so that all modules are there before privileges go
    with _locked(locked):
        for spec in specs:
            message = _refusal(spec)
            assert str(locked) in message and "(Permission denied)" in message, spec


def test_training_into_a_folder_that_may_not_be_searched(
    embedded: DocumentCorpus, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    with (
        _locked(locked),
        pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"),
    ):
        train_tokenizer(embedded, TrainSettings("bpe", 300), locked / "out")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make a folder of mode 000, and put off what lets root into it all the same."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no users whose access could be denied")
    user = os.geteuid()
    folder.mkdir(parents=True)
    folder.chmod(0)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


def _tokenizer_json(original: Path, folder: Path, changes: dict[str, Any]) -> Path:
    content = json.loads((original / "tokenizer.json").read_bytes())
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content | changes), "utf-8")
    return path


def _refusal(spec: str) -> str:
    with pytest.raises(InputError) as caught:
        load_tokenizer(spec)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    return message
