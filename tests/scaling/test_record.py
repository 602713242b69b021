"""A run's record: written, read back, priced, and one row of the tables that fits read."""

import csv
import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.errors import InputError, regular_file
from scaling.flops import CONVENTIONS, training_flops_per_byte
from scaling.read_runs import read_runs
from scaling.record import RECORD, RunRecord, read_record, write_record
from scaling.runs import NUMBERS, TEXTS
from scaling.spec import Model, Patching, RunSpec, Training

BLT = Model(family="blt", layers=3, dim=64, local_layers=2, local_dim=32, cross_factor=2)
SUBWORD = Model(family="subword", layers=3, dim=64, vocabulary_size=1000)


def record_of(model: Model = BLT, seed: int = 0, rate: float = 4.0, **changes: Any) -> RunRecord:
    blt = model.family == "blt"
    spec = RunSpec(
        model=model,
        patching=Patching(kind="static", compression_rate=rate) if blt else None,
        training=Training(steps=400, batch_bytes=4096, learning_rate=1e-3),
        shards="0123456789abcdef",
        compression_rate=rate,
        context_bytes=512,
        window_bytes=64 if blt else 512,
        tokenizer="" if blt else "ab" * 32,
        seed=seed,
        compute_flops=3e12,
        name="réseau 'un', \"deux\"",
    )
    record = RunRecord(
        spec=spec,
        status="finished",
        reason="",
        params={"global": model.shape.global_params, "total": model.shape.total_params, "head": 1},
        steps=400,
        train_bytes=400 * 4096,
        train_tokens=400 * 1024,
        unique_bytes=1_000_000,
        epochs=1.6384,
        validation_nats=1234.5,
        validation_bytes=1000,
        validation_tokens=250,
        validation_interval=(1.7, 1.9),
        patching_flops=5e9,
        seconds=12.5,
        device="cpu (x86_64, 2 cores)",
        versions={"torch": "2"},
        commit="",
        host="here",
    )
    return replace(record, **changes)


ODD = (
    record_of(),
    record_of(SUBWORD),
    record_of(
        validation_nats=None, validation_bytes=0, validation_interval=None, status="diverged"
    ),
    record_of(reason='the "loss" of\nstep 3 — é', status="failed"),
    record_of(epochs=1e-300, seconds=0.1 + 0.2, patching_flops=1.7976931348623157e98),
)


@pytest.mark.parametrize("record", ODD, ids=range(len(ODD)))
def test_it_comes_back(tmp_path: Path, record: RunRecord) -> None:
    path = write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    before = path.read_bytes()
    assert write_record(tmp_path, record).read_bytes() == before

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    json.loads(before, parse_constant=refuse)


def test_there_is_none_yet(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "nowhere") is None


def test_bits_per_byte_are_of_raw_bytes() -> None:
    record = record_of(validation_nats=1000 * math.log(2) * 1.25)
    assert record.bits_per_byte == pytest.approx(1.25, rel=1e-15)
    assert record_of(validation_nats=None).bits_per_byte is None
    assert record_of(validation_bytes=0).bits_per_byte is None


@pytest.mark.parametrize("model", [BLT, SUBWORD], ids=["blt", "subword"])
def test_flops_by_every_convention_are_of_the_bytes_that_were_read(model: Model) -> None:
    record = record_of(model)
    assert set(record.flops) == set(CONVENTIONS)
    full = training_flops_per_byte(model.shape, record.spec.cost_context) * record.train_bytes
    assert record.flops["full"] == pytest.approx(full, rel=1e-12)
    # A run cut short is priced by what it read, not by what it was to read.
    half = replace(record, train_bytes=record.train_bytes // 2, status="interrupted")
    assert half.flops["full"] == pytest.approx(full / 2, rel=1e-12)
    # The rule 6 N D, worked out here.
    total = 6 * record.params["total"] * record.train_bytes
    tokens = record.train_bytes / record.spec.compression_rate
    expected = 6 * record.params["global"] * tokens
    assert record.flops["6nd-global"] == pytest.approx(expected, rel=1e-12)
    assert record.flops["6nd-total"] <= total * (1 + 1e-12)
    assert record.row()["compute_flops"] == record.flops["full"]


def test_its_columns_are_the_schemas() -> None:
    row = record_of().row()
    extra = {"name", "seed"} | {f"compute_flops_{name}" for name in CONVENTIONS}
    assert set(row) - extra <= set(NUMBERS) | set(TEXTS)
    assert set(row) >= {"compute_flops", "compression_rate", "train_bytes", "bits_per_byte"}


def test_a_table_of_records_can_be_fitted(tmp_path: Path) -> None:
    records = [
        record_of(model, seed, rate, validation_nats=1000.0 + seed)
        for model in (BLT, SUBWORD)
        for seed in (0, 1)
        for rate in (2.0, 4.0)
    ]
    lost = record_of(seed=9, status="diverged", reason="no, really", validation_nats=None)
    rows = [record.row() for record in [*records, lost]]
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    runs = read_runs(path)
    assert len(runs) == len(records) and len(runs.excluded) == 1
    assert runs.flops_convention == "full" and runs.params_column == "global_params"
    for name in ("compute_flops", "compression_rate", "bits_per_byte", "global_params"):
        read = sorted(float(value) for value in runs.rows[name])
        assert read == pytest.approx(sorted(row[name] for row in rows[:-1]), rel=1e-15)


HOSTILE: dict[str, Any] = {
    "older": {"version": 0},
    "version of words": {"version": "1"},
    "unknown key": {"more": 1},
    "spec of another version": {"spec": {"version": 0}},
    "spec that is a list": {"spec": []},
    "no spec": {"spec": None},
    "version of a list": {"version": []},
}
NEWER: dict[str, Any] = {"it": {"version": 2}, "its spec": {"spec": {"version": 2}}}
# Whatever stands in a field's place, the message names the field.
WRONG: list[tuple[str, Any]] = [
    ("status", "odd"),
    ("reason", "\ud800"),
    ("params", [1]),
    ("params", {"global": 1}),
    ("params", {"global": 1, "total": 1.5}),
    ("steps", True),
    ("train_bytes", 2**63),
    ("unique_bytes", {}),
    ("epochs", -1),
    ("validation_nats", math.inf),
    ("validation_tokens", 10**400),
    ("validation_interval", ["a", "b"]),
    ("validation_interval", [1.0, 2.0, 3.0]),
    ("patching_flops", 10**400),
    ("seconds", None),
    ("versions", {"torch": 2}),
    ("host", "a\udc80b"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_record_of_ours(tmp_path: Path, name: str) -> None:
    path = write_record(tmp_path, record_of())
    value = {**json.loads(path.read_text()), **HOSTILE[name]}
    path.write_text(json.dumps(value))
    with pytest.raises(InputError) as refused:
        read_record(tmp_path)
    assert str(path) in str(refused.value) and "delete it" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", NEWER)
def test_what_a_newer_program_wrote_is_not_to_be_deleted(tmp_path: Path, name: str) -> None:
    path = write_record(tmp_path, record_of())
    path.write_text(json.dumps({**json.loads(path.read_text()), **NEWER[name]}))
    with pytest.raises(InputError, match="a newer tokenize-lab wrote it; update") as refused:
        read_record(tmp_path)
    assert str(path) in str(refused.value) and "delete" not in str(refused.value)


@pytest.mark.parametrize(("field", "wrong"), WRONG)
def test_wrong_types_are_named(tmp_path: Path, field: str, wrong: Any) -> None:
    path = write_record(tmp_path, record_of())
    path.write_text(json.dumps({**json.loads(path.read_text()), field: wrong}))
    with pytest.raises(
        InputError, match=rf"'{field}(\.\w+)?' is not .*; delete it and run again"
    ) as refused:
        read_record(tmp_path)
    assert str(refused.value).startswith(f"{path}: not a record of this program")


@pytest.mark.parametrize("name", [5, "\ud800"])
def test_the_specs_name_is_checked_though_no_hash_holds_it(tmp_path: Path, name: Any) -> None:
    path = write_record(tmp_path, record_of())
    value = json.loads(path.read_text())
    value["spec"]["name"] = name
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match="spec: 'name' is not text"):
        read_record(tmp_path)


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / RECORD)  # to open it would be to wait for a writer
    with pytest.raises(InputError, match=r"not a regular file but a pipe.*; delete it and run"):
        read_record(tmp_path)
    (tmp_path / RECORD).unlink()
    (tmp_path / RECORD).mkdir()
    with pytest.raises(InputError, match="not a regular file but a folder"):
        read_record(tmp_path)


def test_one_that_is_removed_while_it_is_looked_for_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(path: Path, remedy: str) -> Path:
        path.unlink()
        return regular_file(path, remedy)

    write_record(tmp_path, record_of())
    monkeypatch.setattr("corpora.files.regular_file", removed)
    assert read_record(tmp_path) is None


TORN = ["", "{", "[]", "{}", '{"version": 1}', "[" * 100_000]


@pytest.mark.parametrize("text", TORN, ids=range(len(TORN)))
def test_torn_and_foreign_files(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(InputError, match="delete it and run again"):
        read_record(tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="cannot be read"):
        read_record(tmp_path)


@given(missing=st.sampled_from(sorted({*asdict(record_of())} - {"languages"})))
def test_every_key_is_needed(tmp_path_factory: pytest.TempPathFactory, missing: str) -> None:
    folder = tmp_path_factory.mktemp("record")
    path = write_record(folder, record_of())
    value = json.loads(path.read_text())
    del value[missing]
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match="not a record of this program"):
        read_record(folder)
