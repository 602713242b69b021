"""`tokenize-lab vocab-curve` as a person meets it."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli import command, mistake
from tests.tokenize_lab.texts import SAMPLES
from tokenize_lab.tokenizer_spec import load_tokenizer


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "eng_Latn.txt"
    path.write_bytes((SAMPLES / "eng_Latn.txt").read_bytes())
    return path


def test_json_is_all_there_is_on_stdout(
    trained: dict[str, Path], english: Path, tmp_path: Path
) -> None:
    done = command(
        f"vocab-curve {english} --no-cache -t {trained['bpe']} --at 1000 --at 256 --at 2000 --json"
        f" --out {tmp_path}"
    )
    assert done.exit_code == 0, done.stderr
    rows = done.json()
    assert [row["vocabulary_size"] for row in rows] == [256, 1000, 2000]
    lines = [line for line in english.read_text("utf-8").split("\n") if line]
    for row in rows:
        cut = load_tokenizer(f"truncated:{row['vocabulary_size']}:{trained['bpe']}")
        assert row["tokens"] == len(cut.encode_batch(lines).ids)
        assert row["bytes_per_token"] == row["bytes"] / row["tokens"]
        low, high = row["intervals"]["bytes_per_token"]
        assert low <= row["bytes_per_token"] <= high
    kept = json.loads((tmp_path / "vocab_curve.json").read_text("utf-8"))
    (curve,) = kept["curves"]
    assert {256, 512, 1000, 1024, 2000} <= {row["vocabulary_size"] for row in curve["rows"]}
    assert f"tokenize-lab report {tmp_path}" in done.stderr


def test_every_size_as_csv(trained: dict[str, Path], english: Path, tmp_path: Path) -> None:
    done = command(
        f"vocab-curve {english} -t {trained['bpe-unsplit']} -t {trained['bpe']} --every --csv"
        f" --no-cache --replicates 0 --out {tmp_path}"
    )
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    sizes = [(row["tokenizer"], int(row["vocabulary_size"])) for row in rows]
    assert sizes == [
        *(("bpe-unsplit", size) for size in range(256, 601)),
        *(("bpe", size) for size in range(256, 2001)),
    ]
    tokens = [int(row["tokens"]) for row in rows[:345]]
    assert tokens == sorted(tokens, reverse=True) and tokens[0] == int(rows[0]["bytes"])
    assert {row["bytes_per_token_low"] for row in rows} == {""}


def test_a_table_for_one_language_and_for_several(trained: dict[str, Path], tmp_path: Path) -> None:
    rest = f"--no-cache -t {trained['bpe']} --out {tmp_path}"
    one = command(f"vocab-curve embedded:eng_Latn {rest}").stdout
    assert "gained per 1,000 ids" in one and "ceiling: " in one and "2,000" in one
    two = command(f"vocab-curve embedded:eng_Latn,tha_Thai {rest}").stdout
    assert "Bytes per token by V: bpe on embedded" in two and "tha_Thai" in two


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-t mistral:v3", "has no list of merges"),
        ("-t {unigram-hf}", "is Unigram"),
        ("-t {bpe} --at 200", "below the alphabet: 256"),
        ("-t {bpe} --at 200", "--at 200: bpe: "),
        ("-t {bpe} --at 2001", "only 2000 ids"),
        ("-t {bpe} --json --csv", "give one of them"),
        ("-t {bpe} --every --at 300", "give one of them"),
        ("-t {bpe} -t {bpe}", "given twice"),
    ],
)
def test_mistakes(
    words: str, said: str, trained: dict[str, Path], english: Path, tmp_path: Path
) -> None:
    given = words.format(**trained)
    assert said in mistake(f"vocab-curve {english} --no-cache {given} --out {tmp_path}")
    assert not list(tmp_path.iterdir())


def test_a_size_that_one_tokenizer_cannot_be_cut_to_is_an_empty_cell(
    english: Path, tmp_path: Path
) -> None:
    line = "-t mistral:tekken -t small=truncated:3000:mistral:tekken --at 2048 --at 4096"
    done = command(f"vocab-curve {english} --no-cache {line} --csv --out {tmp_path}")
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    empty = [(row["tokenizer"], row["vocabulary_size"]) for row in rows if not row["tokens"]]
    assert (len(rows), empty) == (4, [("small", "4096")])
    assert "--at 4096: small: there are only 3000 ids; ask for that or fewer" in done.stderr
    kept = json.loads((tmp_path / "vocab_curve.json").read_text("utf-8"))
    assert all(row["tokens"] for curve in kept["curves"] for row in curve["rows"])
    chosen = command(
        f"vocab-curve {english} --no-cache {line} --columns tokenizer,tokens --out {tmp_path}"
    )
    assert "small" in chosen.stdout and "-" in chosen.stdout.splitlines()[-2]


def test_a_second_run_finds_what_was_kept(
    trained: dict[str, Path], english: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    line = f"vocab-curve {english} -t {trained['bpe']} --json --cache {cache} --out {tmp_path}"
    fresh = command(f"{line} --no-cache").stdout
    assert not cache.exists()
    first = command(line).stdout
    (kept,) = (path for path in cache.rglob("*") if path.is_file())
    assert first == fresh == command(line).stdout
    size = len(kept.read_bytes())
    kept.write_bytes(kept.read_bytes()[:-1])
    assert command(line).stdout == fresh  # a torn entry is counted again, and kept whole
    assert len(kept.read_bytes()) == size
