"""A sweep's file: what it comes to, and every way in which it can be wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from corpora.errors import InputError
from scaling.spec_file import read_train_file
from scaling.sweep.cells import cells_of
from scaling.sweep.sweep_file import EXPERIMENTS, packaged, read_sweep_file, with_corpus

HEAD = 'name = "grid"\ncompute_flops = [1e9, 2e9]\nseeds = [0, 1]\n'
TEXTS = """\
[texts.english]
corpus = ["embedded:eng_Latn"]
language = "eng_Latn"
held_out_bytes = 1000
[texts.double]
corpus = ["a.txt", "b.txt"]
weights = [3, 1]
held_out_bytes = 2000
inflate = 2
"""
BLT = """\
[[arms]]
family = "blt"
sizes = [[1, 16], [2, 32]]
local_layers = 1
local_dim = 16
cross_factor = 1
patching = "static"
compression_rates = [2, 4.0, 8]
"""
SUBWORD = """\
[[arms]]
family = "subword"
sizes = [[1, 16]]
tokenizers = ["byte", "bpe:300", "own.json"]
texts = ["english"]
"""
TRAINING = "[training]\nbatch_bytes = 256\ncontext_bytes = 64\nwindow_bytes = 16\nclip = 2.0\n"
WHOLE = HEAD + TEXTS + BLT + SUBWORD + TRAINING


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "sweep.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_sweep_file(file)
    message = str(caught.value)
    assert message.startswith(str(file)) and "\n" not in message
    return message.removeprefix(str(file))


def test_cells_are_every_size_rate_budget_and_seed_of_every_text(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(WHOLE)
    cells = cells_of(read_sweep_file(file), file)
    assert len(cells) == 2 * 3 * 2 * 2 * 2 + 3 * 2 * 1 * 2
    assert len({repr(cell) for cell in cells}) == len(cells)
    labels = {(cell.view.text, cell.view.label) for cell in cells}
    assert labels == {
        *((text, "static") for text in ("english", "double")),
        *(("english", tokenizer) for tokenizer in ("byte", "bpe:300", "own.json")),
    }
    # A text in twice the bytes is seen as far, and as much of it in a step.
    double = next(cell.asked for cell in cells if cell.view.text == "double")
    assert (double.data.context_bytes, double.data.window_bytes) == (128, 32)
    assert (double.optimiser.batch_bytes, double.data.weights) == (512, (3, 1))
    assert double.data.corpus == (f"{tmp_path}/a.txt", f"{tmp_path}/b.txt")
    own = next(cell.asked for cell in cells if cell.view.label == "own.json")
    assert own.data.tokenizer == f"{tmp_path}/own.json"
    trained = next(cell for cell in cells if cell.view.label == "bpe:300")
    assert trained.view.tokenizer is not None and trained.view.tokenizer.vocab_size == 300


def test_a_cell_is_what_a_file_of_one_run_would_ask_for(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(HEAD + TEXTS + BLT + TRAINING)
    cell = next(
        cell
        for cell in cells_of(read_sweep_file(file), file)
        if cell.view.text == "english" and cell.view.compression_rate == 4 and cell.asked.seed == 1
    )
    one = tmp_path / "one.toml"
    one.write_text("""\
[model]
family = "blt"
layers = 1
dim = 16
local_layers = 1
local_dim = 16
cross_factor = 1
[patching]
kind = "static"
compression_rate = 4
[data]
corpus = "embedded:eng_Latn"
language = "eng_Latn"
held_out_bytes = 1000
context_bytes = 64
window_bytes = 16
[training]
compute_flops = 1e9
batch_bytes = 256
seed = 1
clip = 2.0
""")
    assert replace(cell.asked, path=one, name="") == read_train_file(one)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("seeds =", "sedes =", 3, "unknown key; did you mean 'seeds'?"),
        ("[1e9, 2e9]", "[]", 2, "is empty"),
        ("[1e9, 2e9]", "[1e9, -1]", 2, "greater than 0"),
        ("clip = 2.0", "clipp = 2.0", 30, "[training] clipp: unknown key; did you mean 'clip'?"),
        ("batch_bytes = 256", "batch_bytes = 200", 27, "not a multiple of context_bytes; try 192"),
        ("weights = [3, 1]", "weights = [3]", 10, "1 weights for 2 corpora"),
        ('["english"]', '["englisch"]', 25, "no [texts.englisch]; did you mean 'english'?"),
        ("[2, 32]", "[2, 33]", 15, "a width is even"),
        ('tokenizers = ["byte", "bpe:300", "own.json"]\n', "", 21, "tokenizers: missing"),
        ("local_dim = 16\n", "", 13, "local_dim: missing, and a blt needs it"),
        ('"static"', '"space"', 20, "has rates of its own"),
        ('"static"', '"entropy"', 13, "entropy_model: is for the entropy kinds"),
        ('"static"', '"statik"', 19, "it must be"),
        ('family = "subword"', 'family = "blt"', 24, "tokenizers: belongs to family"),
        ("held_out_bytes = 1000\n", "", 4, "[texts.english] held_out_bytes: missing; add it"),
        ("inflate = 2", "inflate = 99", 12, "[texts.double] inflate: is 99"),
        ("[training]", "[trainig]", None, "did you mean 'training'?"),
        ("[training]\n", "[training\n", 26, "not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, line: int | None, what: str
) -> None:
    assert old in WHOLE
    message = refused(tmp_path, WHOLE.replace(old, new))
    assert what in message
    if line is not None:
        text = WHOLE.replace(old, new).split("\n")
        assert message.startswith(f":{line}:"), (message, text[line - 1])


def test_examples_are_found_by_name_and_read_other_text(tmp_path: Path) -> None:
    assert packaged(Path("micro")) == EXPERIMENTS / "micro.toml"
    assert packaged(tmp_path / "micro") == tmp_path / "micro"
    tables = with_corpus(read_sweep_file(packaged(Path("micro"))), ["mine.txt"])
    assert [text.corpus for text in tables.texts.values()] == [["mine.txt"]]
    file = tmp_path / "sweep.toml"
    file.write_text(WHOLE)
    with pytest.raises(InputError, match="a sweep of one text"):
        with_corpus(read_sweep_file(file), ["mine.txt"])


@pytest.mark.parametrize("name", ["micro", "english", "subword", "languages", "gpu"])
def test_examples_can_be_read(name: str) -> None:
    path = packaged(Path(name))
    assert cells_of(read_sweep_file(path), path)
