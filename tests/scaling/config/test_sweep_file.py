"""A sweep's file: what it comes to, and every way in which it can be wrong."""

from pathlib import Path

import pytest

from corpora.errors import InputError
from scaling.config.sweep_file import read_sweep_file
from scaling.config.tables import PatchingTable
from scaling.config.toml_file import EXAMPLES, example
from scaling.config.train_file import read_train_file
from scaling.sweep.cells import cells_of

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
FOUR = PatchingTable(kind="static", compression_rate=4)
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
    labels = {(cell.tokenization.text, cell.tokenization.label) for cell in cells}
    assert labels == {
        *((text, "static") for text in ("english", "double")),
        *(("english", tokenizer) for tokenizer in ("byte", "bpe:300", "own.json")),
    }
    # A text in twice the bytes is seen as far, and as much of it in a step.
    double = next(cell.asked for cell in cells if cell.tokenization.text == "double")
    assert (double.data.context_bytes, double.data.window_bytes) == (128, 32)
    assert (double.training.batch_bytes, double.data.weights) == (512, (3, 1))
    assert double.data.corpus == (f"{tmp_path}/a.txt", f"{tmp_path}/b.txt")
    own = next(cell.asked for cell in cells if cell.tokenization.label == "own.json")
    assert own.data.tokenizer == f"{tmp_path}/own.json"
    trained = next(cell for cell in cells if cell.tokenization.label == "bpe:300")
    assert (
        trained.tokenization.tokenizer is not None
        and trained.tokenization.tokenizer.vocab_size == 300
    )


def test_a_cell_is_what_a_file_of_one_run_would_ask_for(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(HEAD + TEXTS + BLT + TRAINING)
    (cell,) = (
        cell.asked
        for cell in cells_of(read_sweep_file(file), file)
        if cell.tokenization.text == "english"
        and (cell.asked.patching, cell.asked.model.layers) == (FOUR, 1)
        and (cell.asked.training.compute_flops, cell.asked.training.seed) == (1e9, 1)
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
    assert cell.model_copy(update={"name": ""}) == read_train_file(one)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("seeds =", "sedes =", 3, "unknown key; did you mean 'seeds'?"),
        ("[1e9, 2e9]", "[]", 2, "is empty"),
        ("[1e9, 2e9]", "[1e9, -1]", 2, "greater than 0"),
        ("clip = 2.0", "clipp = 2.0", 30, "[training] clipp: unknown key; did you mean 'clip'?"),
        ("batch_bytes = 256", "batch_bytes = 200", 27, "200 is no multiple of context_bytes = 64"),
        ("weights = [3, 1]", "weights = [3]", 10, "1 weights for 2 corpora"),
        ('["english"]', '["englisch"]', 25, "no [texts.englisch]; did you mean 'english'?"),
        ("[2, 32]", "[2, 33]", 15, "a width is even"),
        ('tokenizers = ["byte", "bpe:300", "own.json"]\n', "", 21, "tokenizers: missing"),
        ("local_dim = 16\n", "", 13, "local_dim: missing, and a blt needs it"),
        ('"static"', '"space"', 20, "space patches have a rate of their own"),
        ('"static"', '"entropy"', 13, "entropy_model: missing, and entropy patches need it"),
        ('"static"', '"statik"', 19, "it must be"),
        ('family = "subword"', 'family = "blt"', 24, "tokenizers: belongs to family"),
        ("held_out_bytes = 1000\n", "", 4, "[texts.english] held_out_bytes: missing; add it"),
        ("inflate = 2", "inflate = 99", 12, "[texts.double] inflate: is 99"),
        ("[training]", "[trainig]", None, "did you mean 'training'?"),
        ("[training]\n", "[training\n", 26, "not TOML"),
        ("[1, 16], [2", "[1, 9223372036854775808], [2", 15, "a width is even and 2 to 65,536"),
        ("[1, 16], [2", "[1001, 16], [2", 15, "layers are 1 to 1,000"),
        ("[1, 16], [2", "[1], [2", 15, "has [1]; a size is [layers, width], such as [2, 128]"),
        ("[1, 16], [2", "[1, 16, 3], [2", 15, "a size is [layers, width]"),
        ("[[1, 16], [2, 32]]", "[1, 16]", 15, "has 1; a size is [layers, width]"),
        ('"bpe:300"', '"bpe:1"', 24, "has 'bpe:1'; its size must be over 256"),
        ('"bpe:300"', '"masked:.5:bpe:20000000"', 24, "its size must be at most 10,000,000"),
        ('"grid"', '"a\\u001bb"', 1, r"is 'a\x1bb'; it must be text without control characters"),
        ("seeds =", '"" = 1\nseeds =', 3, '"": unknown key; the keys here are'),
        ("clip =", '"" = 1\nclip =', 30, '[training] "": unknown key'),
        ("clip =", '"a b" = 1\nclip =', 30, '[training] "a b": unknown key'),
        ("[texts.double]", '[texts.""]', None, '[texts.""]: its name is empty'),
        ("[2, 4.0, 8]", "[2, 65]", 20, "65 is above context_bytes = 64; a patch lies within its"),
        (
            '"static"',
            '"static"\nmost_bytes = 7',
            21,
            "8 is above most_bytes = 7, the longest",
        ),
        ("window_bytes = 16", "window_bytes = 15", 29, "15 does not divide context_bytes = 64"),
        ("clip = 2.0", "warmup = 0.7\ndecay = 0.4", 31, "together more than all of them"),
        # Two cells that would be one run.
        ("[1e9, 2e9]", "[1e9, 2e9, 1_000_000_000]", 2, "has 1000000000 twice; ask for it once"),
        ("[0, 1]", "[0, 1, 0]", 3, "seeds: has 0 twice"),
        ("[2, 32]]", "[1, 16]]", 15, "sizes: has [1, 16] twice"),
        ("[2, 4.0, 8]", "[4, 4.0, 8]", 20, "compression_rates: has 4 twice"),
        ('"byte", ', '"byte", "byte", ', 24, "tokenizers: has 'byte' twice"),
        ('["english"]', '["english", "english"]', 25, "texts: has 'english' twice"),
        (
            "[training]",
            SUBWORD + "[training]",
            26,
            "[1, 16] of byte on english is in [[arms]]",
        ),
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


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ('""', "entropy_model: is empty"),
        ("3", "entropy_model: is 3; it must be a valid string"),
        ("{ layers = 0 }", "entropy_model.layers: is 0; it must be greater than or equal to 1"),
        ("{ layrs = 1 }", "entropy_model.layrs: unknown key; did you mean 'layers'?"),
    ],
)
def test_a_byte_model_is_a_recipe_or_a_folder(tmp_path: Path, written: str, what: str) -> None:
    arm = BLT.replace('"static"', f'"entropy"\nentropy_model = {written}')
    message = refused(tmp_path, HEAD + TEXTS + arm + TRAINING)
    assert message.startswith(":20: [[arms]] number 1 ") and what in message


def test_a_rate_is_held_against_the_context_of_inflated_text(tmp_path: Path) -> None:
    only = WHOLE.replace(BLT, BLT.replace("[2, 4.0, 8]", "[128]") + 'texts = ["double"]\n')
    only = only.replace('"static"', '"static"\nmost_bytes = 200')
    (tmp_path / "sweep.toml").write_text(only)
    assert read_sweep_file(tmp_path / "sweep.toml").arms[0].compression_rates == [128]
    message = refused(tmp_path, only.replace("[128]", "[129]"))
    assert "129 is above context_bytes = 64 times inflate = 2" in message


def test_one_text_under_two_names_is_trained_on_once(tmp_path: Path) -> None:
    again = TEXTS[: TEXTS.index("[texts.double]")].replace("english", "again")
    message = refused(tmp_path, HEAD + TEXTS + again + BLT + TRAINING)
    assert "[texts.again]: says what [texts.english] says" in message
    apart = BLT + 'texts = ["english"]\n' + BLT + 'texts = ["again"]\ncompression_rates = [3]\n'
    apart = apart.replace('compression_rates = [2, 4.0, 8]\ntexts = ["again', 'texts = ["again')
    (tmp_path / "sweep.toml").write_text(HEAD + TEXTS + again + apart + TRAINING)
    assert len(read_sweep_file(tmp_path / "sweep.toml").arms) == 2


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "marked.toml").write_text(WHOLE, encoding="utf-8-sig")
    (tmp_path / "sweep.toml").write_text(WHOLE)
    marked = read_sweep_file(tmp_path / "marked.toml")
    assert marked == read_sweep_file(tmp_path / "sweep.toml")


@pytest.mark.parametrize("letter", ["a", "ß", "語", "𝒳"])
def test_a_long_name_gives_a_folder_that_can_be(tmp_path: Path, letter: str) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(WHOLE.replace('"grid"', f'"{letter * 200}"'), "utf-8")
    folder = tmp_path / read_sweep_file(file).folder_name
    folder.mkdir()
    assert set(folder.name) == {letter}


def test_examples_are_found_by_name_and_read_other_text(tmp_path: Path) -> None:
    assert example("micro") == EXAMPLES / "micro.toml"
    assert example(tmp_path / "micro") == tmp_path / "micro"
    with pytest.raises(InputError, match="did you mean 'micro'"):
        read_sweep_file("mikro")
    micro = read_sweep_file("micro").with_corpus(["mine.txt"])
    assert [text.corpus for text in micro.texts.values()] == [("mine.txt",)]
    file = tmp_path / "sweep.toml"
    file.write_text(WHOLE)
    with pytest.raises(InputError, match="a sweep of one text"):
        read_sweep_file(file).with_corpus(["mine.txt"])


@pytest.mark.parametrize("name", ["micro", "english", "subword", "languages", "joint", "gpu"])
def test_examples_can_be_read(name: str) -> None:
    assert cells_of(read_sweep_file(name), example(name))


def test_more_runs_than_can_be_planned_are_refused_before_they_are_made(tmp_path: Path) -> None:
    many = ", ".join(map(str, range(10_000)))
    text = WHOLE.replace("seeds = [0, 1]", f"seeds = [{many}]")
    assert refused(tmp_path, text) == (": makes 300,000 runs, and a sweep has 20,000; make several")
