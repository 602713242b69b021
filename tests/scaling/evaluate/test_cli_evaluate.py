"""The commands `evaluate` and `generate`."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from scaling.cli.generate import shown_text
from scaling.data.windows import StaticPatches
from scaling.evaluate.score import score
from scaling.evaluate.trained_run import open_run
from tests.cli import answer, command, mistake
from tests.scaling.evaluate.runs import CONTEXT, latent_run
from tests.scaling.evaluate.streams import CPU, byte_stream


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    latent_run(folder)
    return folder


def test_evaluate_is_the_score_of_its_lines(run: Path, tmp_path: Path) -> None:
    lines = ["To be, or not to be,", "that is the question:", "Whether 'tis nobler in the mind"]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    out = tmp_path / "kept" / "score.json"
    found = answer(f"scaling evaluate {run} {tmp_path}/text.txt --device cpu --out {out}")
    (row,) = found["rows"]
    stream = byte_stream([line.encode() for line in lines])
    expected = score(open_run(run).model, stream, CONTEXT, 4, StaticPatches(3), CPU)
    assert row["bits_per_byte"] == pytest.approx(expected.bits_per_byte, rel=1e-6)
    assert row["bits_per_byte"] == pytest.approx(row["nats"] / math.log(2) / row["bytes"])
    assert (row["documents"], row["bytes"]) == (3, sum(map(len, lines)))
    assert row["tokens"] == sum(-(-len(line) // 3) for line in lines)
    assert row["compression_rate"] == row["bytes"] / row["tokens"]
    assert row["interval"][0] <= row["bits_per_byte"] <= row["interval"][1]
    assert json.loads(out.read_text()) == found
    assert answer(f"scaling evaluate {run} {tmp_path}/text.txt --device cpu") == found


def test_a_document_beyond_the_bound_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("a" * 2_000_001 + "\n")
    line = f"scaling evaluate {run} {tmp_path}/long.txt --device cpu --max-document-bytes 2000000"
    assert "raise --max-document-bytes (2,000,000 now)" in mistake(line)


def test_evaluate_has_a_row_for_each_language(run: Path) -> None:
    found = answer(f"scaling evaluate {run} embedded:eng_Latn,hin_Deva --draws 20 --device cpu")
    rows = {row["language"]: row for row in found["rows"]}
    assert set(rows) == {"eng_Latn", "hin_Deva", "all"}
    for column in ("bytes", "nats", "tokens", "documents"):
        parts = rows["eng_Latn"][column] + rows["hin_Deva"][column]
        assert rows["all"][column] == pytest.approx(parts)
    table = command(f"scaling evaluate {run} embedded:eng_Latn --device cpu").stdout
    assert "eng_Latn" in table and f"{rows['eng_Latn']['bits_per_byte']:.4f}" in table


def test_one_language_for_all_of_the_text(run: Path) -> None:
    found = answer(
        f"scaling evaluate {run} embedded:eng_Latn,hin_Deva --language fra_Latn --device cpu"
    )
    assert [row["language"] for row in found["rows"]] == ["fra_Latn"]


def test_nothing_to_evaluate(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    assert "empty.txt" in mistake(f"scaling evaluate {run} {tmp_path}/empty.txt --device cpu")
    assert "embeded" in mistake(f"scaling evaluate {run} embeded --device cpu")


def test_mistakes_are_named(run: Path, tmp_path: Path) -> None:
    for line in (f"evaluate {tmp_path} embedded", f"generate {tmp_path} Once"):
        assert "name a run's folder" in mistake(f"scaling {line}")
    assert "--level 1" in mistake(f"scaling evaluate {run} embedded --level 1")
    assert "device 'tpu'" in mistake(f"scaling evaluate {run} embedded --device tpu")
    assert "--temperature -1" in mistake(f"scaling generate {run} Once --temperature -1")
    assert "top-p 2" in mistake(f"scaling generate {run} Once --top-p 2")


def test_no_prompt(run: Path) -> None:
    result = command(f"scaling generate {run}")
    assert result.exit_code == 2
    assert "prompt" in result.stderr.lower()


def timeless(answer: Any) -> Any:
    """Return what `generate` printed but the time it took."""
    assert answer["cost"].pop("seconds") > 0
    return answer


def test_generate_goes_on_with_a_prompt(run: Path) -> None:
    options = "--bytes 60 --temperature 1 --device cpu --seed"
    line = f"scaling generate {run} 'Once upon' {options}"
    first, again, other = (timeless(answer(f"{line} {seed}")) for seed in (3, 3, 4))
    assert first == again != other
    assert first["cost"]["decoder_passes"] == 60
    assert first["bytes"] == 60 and first["prompt"] == "Once upon"
    read = answer(f"scaling generate {run} - {options} 3", stdin="Once upon")
    assert timeless(read) == first
    printed = command(f"{line} 3").stdout
    assert printed == shown_text(first["text"]) + "\n"


def test_generate_guesses_ahead(run: Path) -> None:
    line = f"scaling generate {run} 'Once upon' --bytes 50 --device cpu"
    plain = answer(line)
    for more in ("speculate:4", "speculate:4 --no-reuse"):
        found = answer(f"{line} --decode {more}")
        assert found["text"] == plain["text"]
        assert found["cost"]["decode"] == "speculate:4"
        assert 0 <= found["cost"]["acceptance"] <= 1
        params = 2 * 16 * 32 * 2 + 2 * 12 * 32**2, 12 * 16**2 + 4 * 16**2, 16**3 + 256 * 16
        passes = [found["cost"][f"{name}_passes"] for name in ("global", "encoder", "decoder")]
        assert found["cost"]["bytes_read"] == 2 * sum(
            p * n for p, n in zip(params, passes, strict=True)
        )
        paper = 2 * (passes[2] * params[2] + passes[0] * (params[0] + params[1])) / 1e9
        assert found["cost"]["gigabytes"] == pytest.approx(paper)
        assert found["cost"]["bytes_per_global_pass"] == 50 / passes[0]
    said = command(f"{line} --decode speculate:4").stderr
    assert "of guesses kept" in said and "global passes" in said and "GB" in said


def test_generate_stops_at_a_text(run: Path) -> None:
    line = f"scaling generate {run} Once --bytes 50 --device cpu"
    text = answer(line)["text"]
    end = text[7]
    for how in ("ar", "speculate:16"):
        found = answer(f"{line} --decode {how} --until", end)
        assert found["text"] == text[: text.index(end) + 1]
    assert "`until`" not in mistake(f"{line} --until ''")
    assert "--until" in mistake(f"{line} --until ''")
    assert "--until: is not UTF-8" in mistake(f"{line} --until", "\udcff")


def test_ways_to_decode_that_there_are_not(run: Path) -> None:
    line = f"scaling generate {run} Once --device cpu --decode"
    assert "give ar or speculate" in mistake(f"{line} speculat:4")
    assert "sees 64 bytes at once" in mistake(f"{line} speculate:64")
    assert "not UTF-8" in mistake(f"scaling generate {run} --device cpu", "a\udcffb")
    for how in ("ar", "speculate:4"):
        assert "--unmask once" in mistake(f"{line} {how} --unmask once")
    for more in ("", "--decode speculate:4"):
        assert "--unmask once" in mistake(f"scaling evaluate {run} embedded {more} --unmask once")


def test_stdin_that_is_no_text(run: Path) -> None:
    done = command(f"scaling generate {run} - --device cpu", stdin=b"ab\xff")
    assert "stdin, byte 2" in mistake(done)


def test_a_terminal_is_not_told_what_to_do() -> None:
    assert shown_text("a\x1b[2Jb\nc\td\r\x9b") == "a\ufffd[2Jb\nc\td\ufffd\ufffd"
