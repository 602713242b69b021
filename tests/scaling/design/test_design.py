"""A tokenizer designed from made-up text: what is written, promised, kept and refused."""

import json
import shutil
from pathlib import Path

import pytest

import tokenize_lab as tl
from corpora.corpus import corpus_of
from scaling.design.result import Design, load_design
from tests.cli import answer, mistake
from tests.scaling.design.texts import made
from tokenize_lab.tokenizer_spec import load_tokenizer

WEIGHTS = {"eng": 0.6, "hin": 0.2, "rus": 0.2}
TEXT = made({"eng_Latn": 900, "hin_Deva": 400, "rus_Cyrl": 400})


@pytest.fixture(scope="module")
def designed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Design, Path]:
    out = tmp_path_factory.mktemp("design")
    return tl.design(TEXT, WEIGHTS, 1e21, out=out, largest=4096), out


def test_it_promises_what_it_keeps(designed: tuple[Design, Path]) -> None:
    found, out = designed
    tokenizer = load_tokenizer(str(out / "tokenizer.json"))
    best = found["best"]
    assert tokenizer.vocabulary_size == best["vocabulary_size"]["value"]
    for row in found["promise"].values():
        assert row["kept"] and abs(row["off"]) < 0.02
        low, high = row["interval"]
        assert low < row["held_out"] < high
    width = best["embedding_params"] / best["vocabulary_size"]["value"]
    assert 12 * width**3 / 128 == pytest.approx(best["params"])
    assert all(row["price_bits_per_byte"] > 0 for row in found["shipped"])
    assert {"byte", "character", "mistral:v1", "mistral:v3"} <= {
        row["name"] for row in found["shipped"]
    }
    low, high = best["bits_per_byte"]["low"], best["bits_per_byte"]["high"]
    assert low < best["bits_per_byte"]["value"] < high
    least = min(x for c in found["candidates"] for x in c["bits_per_byte"])
    assert best["bits_per_byte"]["value"] == pytest.approx(least, abs=1e-12)
    assert found["sentence"] in found.summary() and "held-out text is within" in found["sentence"]
    assert found.frame()["bits_per_byte"].min() == pytest.approx(least)
    assert found.tokenizers == {"": out / "tokenizer.json"}
    assert (out / "card.json").exists() and "<design: " in repr(found)


def test_what_was_tried_is_kept_and_gives_the_same(
    designed: tuple[Design, Path], tmp_path: Path
) -> None:
    found, out = designed
    shutil.copytree(out / "candidates", tmp_path / "candidates")
    for file in tmp_path.glob("candidates/*/tokenizer.json"):
        file.unlink()  # a training would need to make it again
    again = tl.design(TEXT, WEIGHTS, 1e21, out=tmp_path, largest=4096)
    assert not list(tmp_path.glob("candidates/*/tokenizer.json"))
    assert (tmp_path / "tokenizer.json").read_bytes() == (out / "tokenizer.json").read_bytes()
    for one in (found, again):
        assert one["best"].pop("files")
    assert json.dumps(again) == json.dumps(found)
    assert load_design(out) is not None and load_design(tmp_path / "nothing") is None


@pytest.mark.parametrize("file", ["bpe-gpt4o/design-curve.json", "at-hand.json"])
@pytest.mark.parametrize("field", ["sizes", "rates", "measured"])
@pytest.mark.parametrize("value", [None, [], {}, [[1]], [0], {"byte": [{"eng": 1}, 256]}])
def test_what_was_kept_and_is_damaged_is_one_line(
    designed: tuple[Design, Path], tmp_path: Path, file: str, field: str, value: object
) -> None:
    shutil.copytree(designed[1] / "candidates", tmp_path / "candidates")
    place = tmp_path / "candidates" / file
    content = json.loads(place.read_text("utf-8"))
    if field not in content:
        pytest.skip("not one of its fields")
    place.write_text(json.dumps({**content, field: value}), "utf-8")
    with pytest.raises(tl.InputError, match=f"{place}: is damaged .*; remove it"):
        tl.design(TEXT, WEIGHTS, 1e21, out=tmp_path, largest=4096, kinds="bpe")


def test_a_splitter_that_caps_is_not_proposed(designed: tuple[Design, Path]) -> None:
    (refused,) = designed[0]["refused"]
    assert refused["pattern"] == "gpt4" and set(refused["capped"]) == {"hin"}
    assert "gpt4 is not proposed: it caps hin at " in designed[0].summary()
    with pytest.raises(tl.InputError, match="`patterns`: gpt4 is not proposed"):
        tl.design(TEXT, WEIGHTS, 1e21, out="x", kinds="bpe", patterns="gpt4")


def test_constraints_and_a_vocabulary_for_each(
    designed: tuple[Design, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(designed[1] / "candidates", out / "candidates")
    found = tl.design(
        TEXT, WEIGHTS, 1e21, out=out, largest=4096, max_vocab=600, vocabularies="language",
        kinds="bpe",
    )  # fmt: skip
    assert all(row["vocabulary_size"] <= 600 for row in found["best"]["languages"].values())
    assert set(found["constraints"]) == {"max_vocab", "shared vocabulary"}
    for cost in found["constraints"].values():
        assert cost["bits_per_byte"]["value"] >= 0
    assert set(found.tokenizers) == set(WEIGHTS)
    assert all(path.exists() for path in found.tokenizers.values())


@pytest.mark.slow
def test_other_kinds_and_a_language_placed_by_its_parity(tmp_path: Path) -> None:
    """Aligned text of a language without runs: its parity is that of the lines."""
    texts = made({"eng_Latn": 300, "hin_Deva": 300}).documents
    corpus = corpus_of(
        {
            "eng_Latn": [d.text for d in texts if d.language == "eng_Latn"],
            "mar_Deva": [d.text for d in texts if d.language == "hin_Deva"],
        },
        parallel=True,
    )
    found = tl.design(
        corpus, {"eng": 0.5, "mar": 0.5}, 1e21, out=tmp_path, largest=1024,
        kinds=["parity-bpe", "unigram"], patterns="gpt4o",
    )  # fmt: skip
    assert {c["kind"] for c in found["candidates"]} == {"parity-bpe", "unigram"}
    sizes = {c["kind"]: c["sizes"] for c in found["candidates"]}
    assert sizes["unigram"] == [512, 1024] and sizes["parity-bpe"][-1] == 1024
    marathi = found["languages"]["mar"]
    sums = [
        sum(len(d.text.encode()) for d in texts if d.language == c)
        for c in ("hin_Deva", "eng_Latn")
    ]
    assert marathi["basis"] == "analogy"
    assert marathi["parity"] == pytest.approx(sums[0] / sums[1])


def test_far_beyond_the_runs_is_said(designed: tuple[Design, Path], tmp_path: Path) -> None:
    shutil.copytree(designed[1] / "candidates", tmp_path / "candidates")
    far = tl.design(TEXT, WEIGHTS, 1e21, out=tmp_path, largest=4096, serve_bytes=3e13)
    assert [line for line in far["cautions"] if line.startswith("eng: beyond the runs, bytes per")]
    assert not [line for line in designed[0]["cautions"] if "beyond the runs" in line]
    assert far["best"]["train_share"] < 0.1 and "left for training" in far.summary()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--compute 1e21 --languages eng=.6,hin=.3", "the weights sum to 0.9, not to 1"),
        ("--compute 1e21 --languages eng=.6,tha=.4", "tha has no text in the corpora"),
        ("--compute 1e21 --languages eng=.6,xyz=.4", "xyz has no text in the corpora"),
        ("--compute 1e21 --languages eng=1 --serve 1e18", "leaves 0 of the budget for training"),
        ("--compute 1e40 --languages eng=1", "--compute 1e+40: a positive number"),
        (
            "--compute 1e21 --languages eng=1 --kinds bqe",
            "--kinds: 'bqe' is unknown; did you mean 'bpe'?",
        ),
        ("--compute 1e21 --languages eng=1 --patterns gtp4", "did you mean 'gpt4'?"),
        ("--compute 1e21 --languages eng=1 --parity eng=x", "give a number for each, as tha=2.6"),
    ],
)
def test_bad_input_is_one_line(more: str, said: str, tmp_path: Path) -> None:
    for language in ("eng", "hin"):
        lines = [d.text for d in TEXT.documents if d.language.startswith(language)]
        (tmp_path / f"{language}.txt").write_text("\n".join(lines), "utf-8")
    line = mistake(f"scaling design {tmp_path} --out {tmp_path / 'out'} --largest 1024 {more}")
    assert said in line


def test_the_command_says_what_the_library_says(
    designed: tuple[Design, Path], tmp_path: Path
) -> None:
    for language in ("eng", "hin", "rus"):
        lines = [d.text for d in TEXT.documents if d.language.startswith(language)]
        (tmp_path / f"{language}.txt").write_text("\n".join(lines), "utf-8")
    shutil.copytree(designed[1] / "candidates", tmp_path / "out" / "candidates")
    found = answer(
        f"scaling design {tmp_path} --compute 1e21 --languages eng=.6,hin=.2,rus=.2"
        f" --out {tmp_path / 'out'} --largest 4096 --json --glob *.txt"
    )
    assert found["candidates"] == designed[0]["candidates"]
