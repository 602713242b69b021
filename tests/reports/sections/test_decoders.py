"""The section on ways of writing: every published row and every one of ours is a marker."""

import json
from pathlib import Path
from typing import Any

import pytest

from corpora.errors import InputError
from reports.build import build_report
from reports.sections.decoders import Decoders, decoders, published_rows, read_decoders
from scaling.evaluate.decoding import Passes
from scaling.flops import micro_blt
from tests.reports.drawings import drawn, of_class
from tests.reports.folders import HOSTILE


def answer(run_id: str = "ab12", name: str = "") -> Any:
    """Return what evaluate writes of one run."""
    plain = Passes(encoder=80, decoder=80, global_module=20)
    guessing = Passes(encoder=88, decoder=90, global_module=10)
    guessing.judge(8, b"the 12.x")
    guessing.judge(8, b"a")
    rows = [
        {"decode": how, "unmask": None, "texts": 2, "bytes": 80, "same_as_plain": 1.0, "seconds": s}
        | taken.to_json(micro_blt(2, 64), 80)
        for how, s, taken in (("ar", 2.0, plain), ("speculate:8", 1.0, guessing))
    ]
    bits = {"language": "eng_Latn", "bits_per_byte": 2.5, "interval": [2.4, 2.6]}
    return {"run_id": run_id, "name": name, "rows": [bits], "decoders": rows}


def test_published_rows_stand_in_their_places() -> None:
    rows = published_rows()
    assert len(rows) == 128
    assert {row.kind for row in rows} == {"ar", "speculate", "diffuse", "verify"}
    plain = [row for row in rows if row.kind == "ar"]
    assert len(plain) == 8 and all(row.read == 1 and row.size == 0 for row in plain)
    (one,) = (row for row in rows if row.words == "BLT-S k=8, fr-en" and "1B" in row.source)
    assert one.size == 8 and one.kept == pytest.approx(0.9114)
    assert one.read == pytest.approx(504.08 / 814.95)
    assert one.per_pass == pytest.approx(512 / 125)


def test_every_way_is_drawn_and_listed() -> None:
    found = Decoders([answer(), answer("cd34", "other")])
    body = str(decoders(found).body)
    pictures = ["<svg " + part for part in body.split("<svg ")[1:] if "decoders-" in part]
    counts = []
    for picture in pictures:
        root = drawn(picture.partition("</svg>")[0] + "</svg>")
        counts.append(len(of_class(root, "m")))
    judged = sum(row.kept is not None for row in published_rows())
    assert counts == [128 + 4, judged + 2, 4]
    assert "43.8 %" in body  # of two rounds of 8 guesses, 7 and none were kept
    assert "speculate:8 of run ab12 reads" in body
    assert body.count("<tr>") == 1 + 4 + 1 + 2


def test_a_folder_of_answers_is_a_report(tmp_path: Path) -> None:
    for place, name in enumerate(HOSTILE):
        (tmp_path / f"decoders-{place}.json").write_text(json.dumps(answer(name=name)))
    page = build_report(tmp_path).read_text()
    assert "Ways of writing" in page and "<script>alert" not in page
    assert read_decoders(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"decoders": []}', json.dumps({**answer(), "rows": []}), '{"decoders": 3}'],
)
def test_what_is_no_answer_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "decoders.json").write_text(content)
    with pytest.raises(InputError, match="evaluate --decode --out"):
        read_decoders(tmp_path)
