"""Training: the file that comes out, the same every time, and its card."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from tests.tokenize_lab.conftest import RECIPES
from tests.tokenize_lab.texts import embedded_lines, ids_of
from tokenize_lab.tokenizer import TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.engines import written
from tokenize_lab.training.settings import ENGINES, LARGEST_SEED, LARGEST_VOCABULARY, TrainSettings
from tokenize_lab.training.train import FILES, train_tokenizer

AGAIN = """
import sys
from pathlib import Path
from tests.tokenize_lab.conftest import RECIPES
from tests.tokenize_lab.texts import embedded_lines
from corpora.corpus import DocumentCorpus
from corpora.document import Document
from tokenize_lab.training.train import train_tokenizer
corpus = DocumentCorpus("embedded lines", [Document(line) for line in embedded_lines()])
for name, recipe in RECIPES.items():
    train_tokenizer(corpus, recipe, Path(sys.argv[1]) / name)
"""


def _corpus(*texts: str) -> DocumentCorpus:
    return DocumentCorpus("own", [Document(text) for text in texts])


def _file(folder: Path) -> Path:
    (found,) = (folder / name for name in {*FILES.values()} if (folder / name).exists())
    return found


_SLOW = [pytest.param(threads, marks=pytest.mark.slow) for threads in ("1", "2")]


@pytest.mark.parametrize("threads", [*_SLOW, "5"])
def test_the_same_text_gives_the_same_bytes(
    threads: str, trained: dict[str, Path], tmp_path: Path
) -> None:
    """In another process, where hashes are salted otherwise, on another number of threads."""
    environment = os.environ | {
        "RAYON_NUM_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "PYTHONHASHSEED": threads,
    }
    command = [sys.executable, "-c", AGAIN, str(tmp_path)]
    root = Path(__file__).resolve().parents[3]
    subprocess.run(command, check=True, env=environment, cwd=root, capture_output=True)
    for name, folder in trained.items():
        again = tmp_path / name
        assert _file(again).read_bytes() == _file(folder).read_bytes(), name
        assert (again / "card.json").read_bytes() == (folder / "card.json").read_bytes(), name


@pytest.mark.parametrize("name", RECIPES)
def test_the_card_says_what_was_made(name: str, trained: dict[str, Path]) -> None:
    folder, recipe = trained[name], RECIPES[name]
    card = json.loads((folder / "card.json").read_text("utf-8"))
    lines = list(embedded_lines())
    assert card["settings"]["kind"] == recipe.kind
    assert card["settings"]["vocab_size"] == recipe.vocab_size
    assert card["corpus"] == {
        "name": "embedded lines",
        "sha256": hashlib.sha256(b"".join(x.encode() + b"\xff" for x in lines)).hexdigest(),
        "documents": len(lines),
        "bytes": sum(len(line.encode()) for line in lines),
    }
    content = _file(folder).read_bytes()
    assert card["tokenizer"]["file"] == _file(folder).name
    assert card["tokenizer"]["sha256"] == hashlib.sha256(content).hexdigest()
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.sha256 == card["tokenizer"]["sha256"]
    assert tokenizer.vocabulary_size == card["tokenizer"]["vocabulary_size"] == recipe.vocab_size
    encoding = tokenizer.encode_batch(lines)
    measured = card["on_training_text"]
    assert measured["tokens"] == len(encoding.ids)
    assert measured["vocabulary_used"] == len(set(encoding.ids.tolist()))
    assert measured["bytes_per_token"] == card["corpus"]["bytes"] / len(encoding.ids)
    assert card["library"] == tokenizer.engine
    assert card["warnings"] == []
    assert card["tokenizer"]["lossless"] == (recipe.kind != "wordpiece")


def test_merges_shorten_the_text(trained: dict[str, Path]) -> None:
    rates = {
        name: json.loads((folder / "card.json").read_text())["on_training_text"]["bytes_per_token"]
        for name, folder in trained.items()
    }
    assert rates["bpe"] > 2.3 and rates["unigram-sp"] > 2.2 and rates["unigram-hf"] > 1.8
    assert 1.0 < rates["character"] < 2.0


def test_bpe_learns_the_most_frequent_pair_first(tmp_path: Path) -> None:
    corpus = _corpus("abababab", "abcabc", "cd")
    path, card = train_tokenizer(corpus, TrainSettings("bpe", 258), tmp_path)
    table = load_tokenizer(str(path)).token_bytes
    assert [table[256], table[257]] == [b"ab", b"abab"]
    assert card.vocabulary_size == 258


def test_character_ids_go_by_frequency(tmp_path: Path) -> None:
    corpus = _corpus("漢漢漢bbccz", "漢 ☃")
    train_tokenizer(corpus, TrainSettings("character", 260), tmp_path)
    table = load_tokenizer(str(tmp_path)).token_bytes
    assert [table[i].decode() for i in range(256, 260)] == ["漢", "b", "c", " "]
    assert (table.kinds[:256] == TokenKind.BYTE_FALLBACK).all()
    ids = ids_of(load_tokenizer(str(tmp_path)).encode_batch(["漢☃"]))[0]
    assert ids == [256, *"☃".encode()]


def test_sentencepiece_keeps_frequent_characters_whole(
    trained: dict[str, Path], embedded: DocumentCorpus
) -> None:
    table = load_tokenizer(str(trained["unigram-sp"])).token_bytes
    pieces = {table[i] for i in range(len(table))}
    counts = Counter("".join(document.text for document in embedded.documents))
    frequent = [character.encode() for character, _ in counts.most_common(300)]
    assert all(character in pieces for character in frequent)


def test_wordpiece_loses_runs_of_white_space_and_rare_characters(trained: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(trained["wordpiece"]))
    assert not tokenizer.lossless and "whitespace" in tokenizer.lossy_reason
    encoding = tokenizer.encode_batch(["the  water", "☃"])
    table = tokenizer.token_bytes
    assert b"".join(map(table.__getitem__, ids_of(encoding)[0])) == b" the water"
    assert tokenizer.prefix == b" "
    assert table.kinds[ids_of(encoding)[1]].tolist() == [TokenKind.UNKNOWN]


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings("bpe", 5000),
        TrainSettings("unigram", 5000),
        TrainSettings("unigram", 5000, "huggingface"),
        TrainSettings("wordpiece", 5000),
        TrainSettings("character", 5000),
    ],
)
def test_fewer_ids_than_asked_for_are_said(settings: TrainSettings, tmp_path: Path) -> None:
    corpus = _corpus(*list(embedded_lines())[:20])
    path, card = train_tokenizer(corpus, settings, tmp_path)
    assert card.vocabulary_size == load_tokenizer(str(path)).vocabulary_size < 5000
    assert len(card.warnings) == 1 and "not the 5000 asked for" in card.warnings[0]


def test_patterns_bound_what_is_merged(tmp_path: Path) -> None:
    corpus = _corpus(*["12345 of the people, of the people"] * 30)
    longest = {}
    for pattern in ("gpt2", "gpt4", "none"):
        settings = TrainSettings("bpe", 400, pattern=pattern)
        path, _ = train_tokenizer(corpus, settings, tmp_path / pattern)
        table = load_tokenizer(str(path)).token_bytes
        pieces = [table[i] for i in range(len(table))]
        longest[pattern] = max(pieces, key=len)
        assert (b"12345" in pieces) == (pattern == "gpt2")
    assert longest["gpt4"] == longest["gpt2"] == b" people"
    assert longest["none"] == b"12345 of the people, of the people"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"kind": "bqe", "vocab_size": 300}, "did you mean 'bpe'?"),
        ({"kind": "bpe", "vocab_size": 256}, "must be over 256"),
        ({"kind": "bpe", "vocab_size": 300, "engine": "sentencepiece"}, "does not train bpe"),
        ({"kind": "bpe", "vocab_size": 300, "pattern": "gpt5"}, "no such pattern"),
        ({"kind": "wordpiece", "vocab_size": 300, "pattern": "gpt4"}, "does not split"),
        ({"kind": "unigram", "vocab_size": 300, "pattern": "gpt4"}, "does not split"),
        ({"kind": "bpe", "vocab_size": 300, "seed": -1}, "must not be negative"),
        ({"kind": "bpe", "vocab_size": 10_000_001}, "must be at most 10,000,000"),
        ({"kind": "bpe", "vocab_size": 10**23}, "must be at most 10,000,000"),
        ({"kind": "wordpiece", "vocab_size": 10**17}, "must be at most 10,000,000"),
        ({"kind": "unigram", "vocab_size": 5 * 10**9}, "must be at most 10,000,000"),
        ({"kind": "unigram", "vocab_size": 300, "seed": 1 << 32}, "must be at most 4294967295"),
        ({"kind": "unigram", "vocab_size": 300, "seed": 10**23}, "must be at most 4294967295"),
    ],
)
def test_settings_that_cannot_be(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says.replace("?", r"\?")):
        TrainSettings(**arguments)


@pytest.mark.parametrize(
    ("kind", "engine"),
    [(kind, engine) for kind in ENGINES if kind != "parity-bpe" for engine in ENGINES[kind]],
)
def test_engines_take_the_largest_settings(kind: str, engine: str, tmp_path: Path) -> None:
    settings = TrainSettings(kind, LARGEST_VOCABULARY, engine, seed=LARGEST_SEED)
    _, card = train_tokenizer(_corpus(*list(embedded_lines())[:20]), settings, tmp_path)
    assert 256 < card.vocabulary_size < 9000 and card.settings.seed == LARGEST_SEED


def test_defaults_are_written_out() -> None:
    assert TrainSettings("bpe", 300).pattern == "gpt4o"
    assert TrainSettings("unigram", 300).engine == "sentencepiece"
    assert TrainSettings("unigram", 300, "huggingface").pattern == "gpt4o"


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_a_corpus_without_text(texts: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="own: has no text to train on"):
        train_tokenizer(_corpus(*texts), TrainSettings("bpe", 300), tmp_path)
    assert not list(tmp_path.iterdir())


NOTHING_TO_LEARN = {
    *(("unigram", "sentencepiece", text) for text in ("\n", "\0", "▁", "漢" * 9)),
    ("unigram", "huggingface", "漢" * 9),
}


@pytest.mark.parametrize(
    ("kind", "engine"),
    [
        ("bpe", ""),
        ("unigram", "sentencepiece"),
        ("unigram", "huggingface"),
        ("wordpiece", ""),
        ("character", ""),
    ],
)
@pytest.mark.parametrize("text", ["a", " ", "\n", "\0", "▁", "漢" * 9, "😀 \t\r\n"])
def test_hardly_any_text(kind: str, engine: str, text: str, tmp_path: Path) -> None:
    """A tokenizer comes out that is what its kind should be, or one clear line."""
    settings = TrainSettings(kind, 300, engine)
    if (kind, engine, text) in NOTHING_TO_LEARN:
        with pytest.raises(InputError, match=r"^own: .*; give more[^\n]*$"):
            train_tokenizer(_corpus(text), settings, tmp_path)
        assert not list(tmp_path.iterdir())
        return
    path, card = train_tokenizer(_corpus(text), settings, tmp_path)
    assert load_tokenizer(str(path)).vocabulary_size == card.vocabulary_size <= 300
    assert card.lossless == (kind != "wordpiece")


def test_a_folder_with_another_engines_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"")
    with pytest.raises(InputError, match=r"already has a tokenizer.model"):
        train_tokenizer(_corpus("a b c"), TrainSettings("bpe", 300), tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        train_tokenizer(_corpus("a b c"), TrainSettings("bpe", 300), tmp_path / "file" / "out")


def test_a_full_disk_leaves_the_old_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = train_tokenizer(_corpus("a b c"), TrainSettings("bpe", 300), tmp_path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        train_tokenizer(_corpus("d e f" * 9), TrainSettings("bpe", 300), tmp_path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.json", "tokenizer.json"]


def test_progress_tells_of_every_byte(tmp_path: Path) -> None:
    told: Counter[str] = Counter()
    corpus = _corpus("the cat", "the mat")
    train_tokenizer(
        corpus,
        TrainSettings("character", 300),
        tmp_path,
        lambda doing, size: told.update({doing: size}),
    )
    assert told["counting characters"] == told["measuring"] == 14


def test_a_file_is_indented_as_json_indents_it(trained: dict[str, Path]) -> None:
    for name in ("bpe", "superbpe", "character"):
        raw = (trained[name] / "tokenizer.json").read_bytes()
        content = json.loads(raw)
        assert written(content) == raw
        assert raw.decode() == json.dumps(content, ensure_ascii=False, indent=1) + "\n"
