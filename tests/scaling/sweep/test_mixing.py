"""Sweeps over mixtures: one copy of the text, every language scored, and tables that say shares."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from scaling.config.sweep_file import read_sweep_file
from scaling.data.shards import open_shards
from scaling.record import RunRecord, read_record
from scaling.sweep.folder import SweepFolder, read_sweep
from tests.cli import answer, command, mistake
from tests.scaling.config.test_sweep_file import BLT, TRAINING, refused
from tests.scaling.sweep.test_plan import ENTROPY, QUICK, SUBWORD

NAMES = ("eng", "rus", "hin")
CODES = ("eng_Latn", "rus_Cyrl", "hin_Deva")
TEXTS = "".join(
    f'[texts.{name}]\ncorpus = ["embedded:{code}"]\nheld_out_bytes = 2000\n'
    for name, code in zip(NAMES, CODES, strict=True)
)
HEAD = 'name = "mixed"\ncompute_flops = [1e9]\n' + TEXTS
STATIC = BLT.replace("[2, 4.0, 8]", "[4]").replace("[[1, 16], [2, 32]]", "[[1, 16]]")
MIXTURES = """\
[[mixtures]]
name = "even"
weights = { eng = 1, rus = 1, hin = 1 }
[[mixtures]]
weights = { eng = 3, hin = 1 }
"""
ARMS = STATIC + SUBWORD.replace('"byte", ', "")
WHOLE = HEAD + MIXTURES + ARMS + TRAINING


def file_of(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep of two mixtures by two arms."""
    folder = tmp_path_factory.mktemp("mixed")
    done = command(f"scaling sweep {file_of(folder, WHOLE)} --out {folder / 'out'} {QUICK}")
    assert done.exit_code == 0, done.stderr
    return folder / "out"


def records(folder: Path) -> dict[tuple[str, str], RunRecord]:
    found = {}
    for job in read_sweep(SweepFolder(folder)).jobs:
        record = read_record(SweepFolder(folder).run(job.run_id))
        assert record is not None and record.status == "finished"
        found[job.text, job.label] = record
    return found


def test_parts_are_the_whole_and_shares_are_realised(swept: Path) -> None:
    found = records(swept)
    assert set(found) == {(text, arm) for text in ("even", "mix2") for arm in ("static", "bpe:300")}
    for (text, arm), record in found.items():
        parts = record.languages
        assert [part.language for part in parts] == list(NAMES)
        for name in ("train_bytes", "train_tokens", "validation_bytes", "validation_tokens"):
            assert sum(getattr(part, name) for part in parts) == getattr(record, name), name
        nats = math.fsum(part.validation_nats or 0 for part in parts)
        assert nats == pytest.approx(record.validation_nats, rel=1e-12)
        for part in parts:
            share = record.spec.shares[part.language]
            assert part.train_bytes / record.train_bytes == pytest.approx(share, abs=0.02)
            assert part.validation_bytes >= 2000
            assert part.compression_rate is not None and part.bits_per_byte is not None
            low, high = part.validation_interval or (0, 0)
            assert low <= part.bits_per_byte <= high
        assert record.spec.shares["rus"] == (1 / 3 if text == "even" else 0)
        # The budget is that of the mixture's own T.
        tokens = sum(part.train_tokens for part in parts)
        assert record.train_bytes / tokens == pytest.approx(record.spec.compression_rate, rel=0.03)
        if arm == "bpe:300":
            rates = {part.language: part.compression_rate for part in parts}
            assert rates["hin"] != rates["eng"]
    assert len(list((swept / "shards").glob("*/shards.json"))) == 2  # text, and its tokens


def test_a_table_for_the_law_of_mixtures(swept: Path, tmp_path: Path) -> None:
    answer(f"scaling collect {swept} --out {tmp_path / 'runs.csv'}")
    table = pl.read_csv(tmp_path / "runs.csv")
    assert table["dataset"].to_list() == ["even", "mix2"] * 2
    shares = table.select(f"share:{name}" for name in NAMES)
    assert shares.sum_horizontal().to_list() == pytest.approx([1] * 4)
    assert shares.row(1) == (0.75, 0, 0.25)
    for (text, arm), record in records(swept).items():
        (row,) = table.filter(dataset=text, tokenization=arm).iter_rows(named=True)
        for part in record.languages:
            assert row[f"bits_per_byte:{part.language}"] == pytest.approx(part.bits_per_byte)
            ends = [row[f"bits_per_byte_{end}:{part.language}"] for end in ("low", "high")]
            assert ends == pytest.approx(list(part.validation_interval or ()))
            assert row[f"compression_rate:{part.language}"] == pytest.approx(part.compression_rate)
            assert row[f"train_bytes:{part.language}"] == part.train_bytes


def test_swept_again_nothing_is_trained_again(swept: Path) -> None:
    before = {path: path.read_bytes() for path in swept.glob("runs/*/record.json")}
    file = swept.parent / "sweep.toml"
    assert command(f"scaling sweep {file} --out {swept} {QUICK}").exit_code == 0
    assert {path: path.read_bytes() for path in swept.glob("runs/*/record.json")} == before


def test_designed_mixtures_are_planned_and_shown(tmp_path: Path) -> None:
    file = file_of(tmp_path, HEAD + ARMS + TRAINING)
    asked = f"scaling plan {file} --out {tmp_path / 'out'} {QUICK}"
    rows: list[dict[str, Any]] = answer(f"{asked} --mixtures 5")
    assert len(rows) == 10 and len({row["run_id"] for row in rows}) == 10
    for row in rows:
        assert list(row["shares"]) == list(NAMES) and sum(row["shares"].values()) == pytest.approx(
            1
        )
    assert [row["text"] for row in rows[:5]] == [f"mix{number}" for number in range(1, 6)]
    assert answer(f"{asked} --mixtures 5") == rows
    other = answer(f"{asked} --mixtures 5 --mixture-seed 1")
    assert [row["shares"] for row in other] != [row["shares"] for row in rows]
    written = file_of(tmp_path, HEAD + "[[mixtures]]\ndesigned = 5\n" + ARMS + TRAINING)
    assert answer(f"scaling plan {written} --out {tmp_path / 'out'} {QUICK}") == rows
    shown = command(f"{asked}").stdout
    assert "mix5" in shown and f"{100 * rows[4]['shares']['hin']:.1f}" in shown
    assert "own; leave it out" in mistake(f"{asked} --mixtures 5")


def test_texts_alone_beside_a_mixture(tmp_path: Path) -> None:
    both = STATIC + 'texts = ["eng", "even"]\n'
    rows = answer(
        f"scaling plan {file_of(tmp_path, HEAD + MIXTURES + both + TRAINING)}"
        f" --out {tmp_path / 'out'} {QUICK}"
    )
    assert [(row["text"], "shares" in row) for row in rows] == [("eng", False), ("even", True)]


WRONG = {
    "unknown": ("{ eng = 1, russ = 1 }", "weights: names 'russ'.*did you mean 'rus'"),
    "negative": ("{ eng = 2, rus = -1 }", "weights.*greater than or equal to 0"),
    "zero": ("{ eng = 0, rus = 0 }", "are all 0; give some text a weight above 0"),
    "huge": ("{ eng = 1e308, rus = 1e308 }", "weights.*less than or equal to 1"),
    "repeated": ("{ eng = 2, rus = 2, hin = 2 }", r"says what \[\[mixtures\]\] number 1 says"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mixtures_that_are_none(tmp_path: Path, name: str) -> None:
    weights, says = WRONG[name]
    text = HEAD + MIXTURES.replace("{ eng = 3, hin = 1 }", weights) + ARMS + TRAINING
    message = refused(tmp_path, text)
    assert "[[mixtures]] number 2" in message and re.search(says, message), message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "[[mixtures]]\nseed = 3\n" + ARMS, "gives neither of weights and designed"),
        (
            HEAD + '[[mixtures]]\nname = "eng"\nweights = { eng = 1 }\n' + ARMS,
            "or a text's; choose",
        ),
        (
            HEAD + MIXTURES + ARMS.replace("sizes", 'texts = ["evn"]\nsizes', 1),
            "did you mean 'even'",
        ),
        (
            HEAD + "[[mixtures]]\ndesigned = 4\n" + STATIC + 'texts = ["eng"]\n',
            "are read by no arm",
        ),
        (
            HEAD.replace("= 2000\n", "= 2000\ninflate = 2\n", 1) + MIXTURES + ARMS,
            "trained on alone",
        ),
        (
            HEAD.replace("= 2000\n", "= 0\n", 1) + MIXTURES + ARMS,
            "held_out_bytes: is 0; it must be",
        ),
    ],
    ids=range(6),
)
def test_files_with_mixtures_that_cannot_be(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text + TRAINING)


def test_a_language_of_which_all_would_be_held_out_is_one_line(tmp_path: Path) -> None:
    text = WHOLE.replace("= 2000\n", "= 9_000_000\n", 1)
    said = mistake(f"scaling sweep {file_of(tmp_path, text)} --out {tmp_path / 'out'} {QUICK}")
    assert "eng has " in said and "none of them to train on; give more text, hold out less" in said


def test_status_shows_mixtures_and_languages(swept: Path) -> None:
    runs = answer(f"scaling status {swept}")["runs"]
    found = records(swept)
    for run in runs:
        record = found[run["text"], run["label"]]
        assert run["shares"] == record.spec.shares
        assert {name: part["bits_per_byte"] for name, part in run["languages"].items()} == {
            part.language: part.bits_per_byte for part in record.languages
        }
    shown = command(f"scaling status {swept}", env={"COLUMNS": "250"}).stdout
    assert "eng 75 rus 0 hin 25" in shown
    first = found["mix2", "static"].languages[0]
    assert f"eng {first.bits_per_byte:.3f} rus" in shown


def test_records_of_before_have_no_languages(swept: Path, tmp_path: Path) -> None:
    path = next(swept.glob("runs/*/record.json"))
    value = json.loads(path.read_text())
    del value["languages"]
    (tmp_path / "record.json").write_text(json.dumps(value))
    record = read_record(tmp_path)
    assert record is not None and record.languages == ()
    assert read_sweep_file(swept.parent / "sweep.toml").mixtures[1].name is None


def test_each_language_has_the_rate_asked_for_by_a_threshold_of_its_own(tmp_path: Path) -> None:
    two = HEAD.replace(TEXTS, "".join(TEXTS.partition("[texts.hin]")[:1]))
    arms = "".join(
        ENTROPY + more for more in ("", 'thresholds = "language"\n')
    )  # shared, and one for each
    text = two + '[[mixtures]]\nname = "two"\nweights = { eng = 1, rus = 3 }\n' + arms + TRAINING
    out = tmp_path / "out"
    done = command(f"scaling sweep {file_of(tmp_path, text)} --out {out} {QUICK}")
    assert done.exit_code == 0, done.stderr
    found = {label: record for (_, label), record in records(out).items()}
    rates = {}
    for label, record in found.items():
        shards = open_shards(out / "shards" / record.spec.shards)
        train = shards.train
        assert train.starts is not None
        opened = np.add.reduceat(train.starts, train.documents[:-1], dtype=np.int64)
        rates[label] = [
            train.document_bytes[train.languages == number].sum()
            / opened[train.languages == number].sum()
            for number in range(2)
        ]
        mixed = 1 / (0.25 / rates[label][0] + 0.75 / rates[label][1])
        assert record.spec.compression_rate == pytest.approx(mixed)
    assert rates["entropy, by language"] == pytest.approx([3, 3], rel=2e-3)
    assert abs(rates["entropy"][0] - rates["entropy"][1]) > 0.05
    patching = found["entropy, by language"].spec.patching
    assert patching is not None and set(patching.thresholds) == {"eng", "rus"}
    assert patching.threshold is None
    run = out / "runs" / found["entropy, by language"].spec.run_id
    (tmp_path / "rus.txt").write_text("Он вернулся домой поздно вечером.\n" * 5)
    (row,) = answer(f"scaling evaluate {run} {tmp_path / 'rus.txt'} --device cpu")["rows"]
    assert row["language"] == "rus" and row["bits_per_byte"] > 0
    assert "none for this language" in mistake(f"scaling evaluate {run} embedded:hin_Deva")
    line = f"scaling generate {run} Он --bytes 4 --device cpu"
    assert "--language: each language of this run has an entropy threshold of" in mistake(line)
    assert "no language 'ruz'; did you mean 'rus'? (there is eng, rus)" in mistake(
        f"{line} --language ruz"
    )
    written = answer(f"{line} --language rus")
    assert written["bytes"] == 4 and written["run_id"] == run.name
    shared = out / "runs" / found["entropy"].spec.run_id
    said = mistake(f"scaling generate {shared} Он --language rus")
    assert "--language: this run cuts all languages alike; leave it out" in said


@pytest.mark.parametrize("arm", [STATIC, SUBWORD])
def test_thresholds_are_of_entropy_patches(tmp_path: Path, arm: str) -> None:
    message = refused(tmp_path, HEAD + arm + 'thresholds = "language"\n' + TRAINING)
    assert "thresholds: are of entropy patches" in message


def test_one_run_on_a_text_of_two_languages(tmp_path: Path) -> None:
    """As `scaling train` mixes them, in the text itself."""
    (tmp_path / "one.toml").write_text("""\
[model]
family = "subword"
layers = 1
dim = 16
[data]
corpus = ["embedded:eng_Latn", "embedded:hin_Deva"]
weights = [1, 3]
tokenizer = "byte"
held_out_bytes = 3000
context_bytes = 64
[training]
steps = 40
batch_bytes = 256
""")
    done = command(f"scaling train {tmp_path / 'one.toml'} --out {tmp_path} --device cpu")
    assert done.exit_code == 0, done.stderr
    assert re.search(r"^  hin_Deva: \d\.\d{4} \[.*\] bits per byte, T 1; ", done.stdout, re.M)
    (path,) = (tmp_path / "runs").iterdir()
    record = read_record(path)
    assert record is not None and not record.spec.shares
    english, hindi = record.languages
    assert (english.language, hindi.language) == ("eng_Latn", "hin_Deva")
    assert english.train_bytes + hindi.train_bytes == record.train_bytes
    assert hindi.train_bytes / record.train_bytes == pytest.approx(0.75, abs=0.08)
    assert english.unique_bytes + hindi.unique_bytes == record.unique_bytes
