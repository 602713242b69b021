"""Specification files: what they come to, and every way in which they can be wrong."""

import re
from pathlib import Path

import pytest

from corpora.errors import InputError
from scaling.config.tables import DataTable, ModelTable, PatchingTable, StrictTable, TrainingTable
from scaling.config.train_file import TrainFile, byte_model_file, read_train_file
from scaling.flops import BltShape, CostContext, train_bytes
from scaling.spec import Model, Patching, default_learning_rate

TABLES: dict[str, type[StrictTable]] = {
    "model": ModelTable,
    "patching": PatchingTable,
    "data": DataTable,
    "training": TrainingTable,
}
BLT = """\
name = "first"
[model]
family = "blt"
layers = 2
dim = 32
local_layers = 1
local_dim = 32
cross_factor = 1
[patching]
kind = "static"
compression_rate = 4.0
[data]
corpus = ["novels.jsonl.xz", "embedded:eng_Latn", "hub:wiki:en", "synthetic:zipf"]
held_out_bytes = 2_000_000
context_bytes = 512
window_bytes = 64
[training]
compute_flops = 3e12
batch_bytes = 4096
"""
SUBWORD = """\
[model]
family = "subword"
layers = 2
dim = 32
[data]
corpus = "novels.jsonl.xz"
tokenizer = "tokenizer.json"
held_out_bytes = 2e6
context_bytes = 512
[training]
train_bytes = 1e7
batch_bytes = 4096
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spec.toml"


def read(file: Path, text: str) -> TrainFile:
    file.write_text(text, encoding="utf-8")
    return read_train_file(file)


def changed(text: str, key: str, line: str) -> str:
    """`text` with the line that sets `key` replaced."""
    lines = [line if old.startswith(f"{key} = ") else old for old in text.split("\n")]
    assert lines != text.split("\n"), key
    return "\n".join(lines)


def refused(file: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(file, text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(file))
    return message.removeprefix(str(file))


def test_a_byte_model_is_read(file: Path) -> None:
    asked = read(file, BLT)
    assert asked.name == "first"
    assert asked.model.build() == Model(
        family="blt", layers=2, dim=32, local_layers=1, local_dim=32, cross_factor=1
    )
    assert asked.patching is not None
    assert asked.patching.build() == Patching(kind="static", compression_rate=4.0)
    assert (asked.data.held_out_bytes, asked.data.context_bytes) == (2_000_000, 512)
    assert (asked.window_bytes, asked.data.inflate, asked.training.seed) == (64, 1, 0)
    assert asked.patching.entropy_model is None


def test_a_subword_model_is_read(file: Path) -> None:
    asked = read(file, SUBWORD)
    assert asked.model.build(300) == Model(
        family="subword", layers=2, dim=32, vocabulary_size=300, tied_head=False
    )
    assert asked.patching is None
    assert asked.data.held_out_bytes == 2_000_000
    assert asked.window_bytes == 512


def test_a_window_changes_nothing_of_a_subword_model(file: Path) -> None:
    windowed = SUBWORD.replace("context_bytes = 512", "context_bytes = 512\nwindow_bytes = 64")
    assert read(file, windowed).window_bytes == read(file, SUBWORD).window_bytes == 512


def test_a_budget_of_compute_pays_for_what_the_formulas_say(file: Path) -> None:
    asked = read(file, BLT)
    training = asked.build_training(asked.model.build(), 3.9)
    shape, setting = BltShape(2, 32, 1, 32, 1), CostContext(3.9, 512, 64)
    assert training.steps == round(train_bytes(3e12, shape, setting) / 4096)
    assert (training.optimiser, training.learning_rate) == ("muon", 0.02)
    adamw = read(file, changed(BLT, "batch_bytes", 'batch_bytes = 4096\noptimiser = "adamw"'))
    training = adamw.build_training(adamw.model.build(), 3.9)
    rate = default_learning_rate(32, "adamw")
    assert (training.optimiser, training.learning_rate) == ("adamw", rate)


def test_budgets_of_text_and_of_steps(file: Path) -> None:
    asked = read(file, SUBWORD)
    assert asked.build_training(asked.model.build(), 4.0).steps == 2441
    steps = changed(SUBWORD, "train_bytes", "steps = 2000\nlearning_rate = 1e-3\nseed = 7")
    asked = read(file, steps)
    training = asked.build_training(asked.model.build(), 4.0)
    assert (training.steps, training.learning_rate, asked.training.seed) == (2000, 1e-3, 7)


def test_a_number_is_the_same_written_whole_or_with_a_point(file: Path) -> None:
    # 4 and 4.0 are equal and would still hash to two run ids.
    asked = read(file, changed(BLT, "compression_rate", "compression_rate = 4"))
    assert asked.patching is not None
    assert isinstance(asked.patching.build().compression_rate, float)
    pointed = read(file, changed(BLT, "batch_bytes", "batch_bytes = 4096.0\nclip = 1"))
    assert repr(pointed) == repr(read(file, BLT))


def test_paths_are_relative_to_the_file_and_names_stay_names(file: Path) -> None:
    folder = file.parent
    assert read(file, BLT).data.corpus == (
        f"{folder}/novels.jsonl.xz", "embedded:eng_Latn", "hub:wiki:en", "synthetic:zipf",
    )  # fmt: skip
    (folder / "mine.tiktoken").write_text("")
    (folder / "byte").write_text("")
    for spec, expected in {
        "made/bpe": f"{folder}/made/bpe",
        "mistral:v3": "mistral:v3",
        "character": "character",
        "byte": "byte",
        "./byte": f"{folder}/byte",
        "mine": "mine",
        "hf:owner/name": "hf:owner/name",
        "tiktoken:mine.tiktoken@gpt2": f"tiktoken:{folder}/mine.tiktoken@gpt2",
        "/abs/tokenizer.json": "/abs/tokenizer.json",
        "masked:.75:mistral:tekken": "masked:.75:mistral:tekken",
        "masked:.75:truncated:900:made/bpe.json": (
            f"masked:.75:truncated:900:{folder}/made/bpe.json"
        ),
        "truncated:300:tiktoken:mine.tiktoken@gpt2": (
            f"truncated:300:tiktoken:{folder}/mine.tiktoken@gpt2"
        ),
    }.items():
        asked = read(file, changed(SUBWORD, "tokenizer", f'tokenizer = "{spec}"'))
        assert asked.data.tokenizer == expected


def test_a_path_in_the_folder_of_the_command_still_shows_that_it_is_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = changed(SUBWORD, "corpus", 'corpus = ["./embedded", "novels"]')
    file.write_text(changed(text, "tokenizer", 'tokenizer = "./byte"'))
    monkeypatch.chdir(file.parent)
    data = read_train_file(file.name).data
    assert (data.corpus, data.tokenizer) == (("./embedded", "./novels"), "./byte")


def test_text_is_mixed_by_weights(file: Path) -> None:
    mixed = changed(SUBWORD, "corpus", 'corpus = ["embedded:eng_Latn", "stdlib"]\nweights = [3, 1]')
    assert read(file, mixed).data.weights == (3.0, 1.0)
    message = refused(file, mixed.replace("[3, 1]", "[3]"))
    assert message == ":7: [data] weights: 1 weights for 2 corpora; give one for each"


@pytest.mark.parametrize("kind", ["entropy", "entropy-monotonic"])
def test_an_entropy_model_is_a_folder_beside_the_file(file: Path, kind: str) -> None:
    line = f'kind = "{kind}"\nentropy_model = "bytes/run"\nmost_bytes = 32'
    asked = read(file, changed(BLT, "kind", line))
    assert asked.patching is not None
    assert asked.patching.entropy_model == str(file.parent / "bytes/run")
    assert (asked.patching.kind, asked.patching.most_bytes) == (kind, 32)


@pytest.mark.parametrize(
    ("base", "key", "line", "place", "what"),
    [
        # A family's keys.
        (BLT, "local_dim", "", "[model] local_dim", "missing, and a blt needs it"),
        (BLT, "cross_factor", "", "[model] cross_factor", "missing, and a blt needs it"),
        (BLT, "layers", "layers = 2\ntied_head = true", "[model] tied_head", "no head to tie"),
        (BLT, "corpus", 'corpus = "x"\ntokenizer = "byte"', "[data] tokenizer", "reads bytes"),
        (BLT, "window_bytes", "", "[data] window_bytes", "local modules need it"),
        (SUBWORD, "dim", "dim = 32\nlocal_dim = 8", "[model] local_dim", "no local modules"),
        (SUBWORD, "dim", 'dim = 32\n[patching]\nkind = "space"', "[patching]", "has no patches"),
        (SUBWORD, "tokenizer", "", "[data] tokenizer", "missing, and a subword model needs it"),
        # Patches.
        (BLT, "kind", 'kind = "space"', "[patching] compression_rate", "rate of their own"),
        (BLT, "compression_rate", "", "[patching] compression_rate", "static patches need it"),
        (BLT, "kind", 'kind = "entropy"', "[patching] entropy_model", "entropy patches need it"),
        (BLT, "kind", 'kind = "static"\nentropy_model = "x"', "[patching] entropy_model", "none"),
        (BLT, "kind", 'kind = "bpe-boundaries"', "[patching] kind", "depends on the bytes after"),
        (BLT, "kind", 'kind = "entropic"', "[patching] kind", "did you mean 'entropy'"),
        (BLT, "compression_rate", "compression_rate = 513", "compression_rate", "context_bytes"),
        (BLT, "compression_rate", "compression_rate = 65", "compression_rate", "raise most_bytes"),
        (BLT, "compression_rate", "compression_rate = 0.9", "compression_rate", "equal to 1"),
        # Heads and widths.
        (BLT, "dim", "dim = 32\nheads = 3", "[model] heads", "3 heads do not cut dim = 32"),
        (BLT, "dim", "dim = 24\nheads = 8", "[model] heads", "6 would"),
        (BLT, "dim", "dim = 33", "[model] dim", "must be even"),
        # Sizes.
        (BLT, "window_bytes", "window_bytes = 96", "[data] window_bytes", "does not divide"),
        (BLT, "window_bytes", "window_bytes = 1024", "[data] window_bytes", "512 would"),
        (BLT, "batch_bytes", "batch_bytes = 4000", "[training] batch_bytes", "4096 is"),
        (BLT, "batch_bytes", "batch_bytes = 256", "[training] batch_bytes", "no multiple"),
        # Budgets and the schedule.
        (BLT, "compute_flops", "", "[training]", "add one of compute_flops, train_bytes, steps"),
        (BLT, "compute_flops", "compute_flops = 1e9\nsteps = 9", "[training] steps", "keep one"),
        (BLT, "batch_bytes", "batch_bytes = 512\nwarmup = 0.9", "[training] decay", "lower one"),
        # Numbers that cannot be.
        (BLT, "layers", "layers = 0", "[model] layers", "greater than or equal to 1"),
        (BLT, "layers", "layers = 1001", "[model] layers", "less than or equal to 1000"),
        (BLT, "layers", "layers = true", "[model] layers", "is True; it must be a valid integer"),
        (BLT, "layers", "layers = 2.5", "[model] layers", "is 2.5; it must be a valid integer"),
        (BLT, "layers", 'layers = "2"', "[model] layers", "is '2'; it must be a valid integer"),
        (BLT, "compute_flops", "compute_flops = nan", "[training] compute_flops", "finite"),
        (BLT, "compute_flops", "compute_flops = inf", "[training] compute_flops", "finite"),
        (BLT, "compute_flops", "compute_flops = -1.0", "[training] compute_flops", "than 0"),
        (BLT, "compute_flops", "steps = 0", "[training] steps", "equal to 1"),
        (BLT, "held_out_bytes", "held_out_bytes = 0", "[data] held_out_bytes", "equal to 1"),
        (BLT, "batch_bytes", "batch_bytes = 512\nlearning_rate = 0", "learning_rate", "than 0"),
        (BLT, "batch_bytes", "batch_bytes = 512\nbeta2 = 1.0", "[training] beta2", "less than 1"),
        (BLT, "batch_bytes", "batch_bytes = 512\nseed = -1", "[training] seed", "equal to 0"),
        # Words.
        (BLT, "family", 'family = "btl"', "[model] family", "did you mean 'blt'"),
        (BLT, "corpus", "corpus = []", "[data] corpus", "is empty"),
        (BLT, "corpus", 'corpus = ""', "[data] corpus", "is empty"),
        (BLT, "corpus", "corpus = [1]", "[data] corpus", "valid string"),
        (BLT, "corpus", 'corpus = ["a\\u0000"]', "[data] corpus", "control characters"),
        (BLT, "corpus", 'corpus = "x"\nunit = "page"', "[data] unit", "'line' or 'file'"),
        (BLT, "name", "name = 3", "name", "valid string"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    file: Path, base: str, key: str, line: str, place: str, what: str
) -> None:
    message = refused(file, changed(base, key, line))
    assert f"{place}: " in message
    assert what in message
    assert re.match(r":\d+: ", message), "its table stands in the file, so a line is known"


@pytest.mark.parametrize("table", TABLES)
def test_an_unknown_key_is_named_with_its_line_and_the_one_meant(file: Path, table: str) -> None:
    known = max(TABLES[table].model_fields, key=len)
    lines = BLT.split("\n")
    at = lines.index(f"[{table}]")
    text = "\n".join([*lines[: at + 1], f"{known}x = 1", *lines[at + 1 :]])
    expected = f":{at + 2}: [{table}] {known}x: unknown key; did you mean '{known}'?"
    assert refused(file, text) == expected


def test_a_key_misspelt_is_unknown_before_it_is_missing(file: Path) -> None:
    message = refused(file, BLT.replace("layers = 2\n", "layrs = 2\n", 1))
    assert message == ":4: [model] layrs: unknown key; did you mean 'layers'?"
    message = refused(file, BLT.replace("[training]", "[trainning]"))
    assert message == ":17: trainning: unknown key; did you mean 'training'?"


def test_a_key_like_no_other_is_told_the_keys_there_are(file: Path) -> None:
    message = refused(file, BLT.replace("[patching]", "[patching]\nzzz = 1"))
    assert "the keys here are kind, compression_rate, most_bytes, entropy_model" in message


@pytest.mark.parametrize("table", ["model", "data", "training"])
def test_a_table_left_out_is_named(file: Path, table: str) -> None:
    text = re.sub(rf"\[{table}\]\n(?:\w.*\n)*", "", BLT)
    assert refused(file, text) == f": [{table}]: missing; add the table"
    twice = BLT.replace(f"[{table}]", f"[[{table}]]")
    assert f"[{table}]: must be one table" in refused(file, twice)


def test_a_blt_without_patching_is_told_what_to_add(file: Path) -> None:
    text = re.sub(r"\[patching\]\n(?:\w.*\n)*", "", BLT)
    assert 'add kind = "static" and compression_rate = 4.0' in refused(file, text)


def test_torn_toml_is_told_with_its_line(file: Path) -> None:
    assert refused(file, BLT.replace("dim = 32", "dim = ", 1)).startswith(":5: not TOML in column")
    assert "not TOML" in refused(file, BLT + "[model]\n")
    assert "not TOML" in refused(file, BLT.replace("name = ", "name = [", 1))


def test_toml_that_python_itself_cannot_read_is_refused(file: Path) -> None:
    assert "not TOML" in refused(file, f"name = {'1' * 5000}")
    assert "not TOML" in refused(file, f"name = {'[' * 20_000}")


def test_a_key_without_a_letter_is_refused(file: Path) -> None:
    assert '"": unknown key; the keys here are name' in refused(file, '"" = 1\n' + BLT)


def test_a_byte_order_mark_is_no_text(file: Path) -> None:
    asked = read(file, BLT)
    assert read(file, "\ufeff" + BLT) == asked


def test_files_that_cannot_be_read_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_train_file(file)
    with pytest.raises(InputError, match="a folder; pass a file"):
        read_train_file(file.parent)
    file.write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match=r"\(byte 8\): invalid UTF-8"):
        read_train_file(file)


@pytest.mark.parametrize(("batch", "near"), [(1, 64), (65, 64), (97, 128), (200, 192)])
def test_a_batch_that_is_no_whole_number_of_windows(batch: int, near: int) -> None:
    with pytest.raises(InputError) as refused:
        byte_model_file(
            ["a.txt"],
            layers=1,
            dim=16,
            train_bytes=1e3,
            context_bytes=64,
            batch_bytes=batch,
            held_out_bytes=100,
        )
    assert str(refused.value) == (
        f"`batch_bytes`: {batch} is no multiple of context_bytes = 64; {near} is"
    )
