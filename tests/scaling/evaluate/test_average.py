"""Two runs on common ground, byte by byte, and a model of tokens that writes bytes."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.data.windows import StaticPatches
from scaling.evaluate.average import average_runs
from scaling.evaluate.compare_decoders import WritingTask, compare_decoders
from scaling.evaluate.decoding import DecodingMethod
from scaling.evaluate.exact_bytes import ExactBytes
from scaling.evaluate.generate import continue_text
from scaling.evaluate.sampling import Sampling
from scaling.evaluate.score import score
from scaling.evaluate.trained_run import TrainedRun, open_run
from tests.cli import answer, command, mistake
from tests.scaling.evaluate.runs import latent_run, subword_run
from tests.scaling.evaluate.streams import CPU, byte_stream
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

TEXTS = [b"To be, or not to be, that is", b"the question: \xc3\xa9t\xc3\xa9"]


@pytest.fixture(scope="module")
def latent(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    folder = tmp_path_factory.mktemp("latent")
    latent_run(folder)
    return open_run(folder)


@pytest.fixture(scope="module")
def of_bytes(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    folder = tmp_path_factory.mktemp("bytes")
    subword_run(folder, "byte", confident=True)
    return open_run(folder)


def test_each_run_scores_as_by_itself(latent: TrainedRun, of_bytes: TrainedRun) -> None:
    stream = byte_stream(TEXTS)
    found = average_runs(latent, of_bytes, stream, 50, ["eng"])
    first = score(latent.model, stream, 64, 4, StaticPatches(3), CPU)
    second = score(of_bytes.model, stream, 64, 4, None, CPU)
    assert found.nats[:, 0] == pytest.approx(first.document_nats, rel=1e-5)
    assert found.nats[:, 1] == pytest.approx(second.document_nats, rel=1e-5)
    assert (found.nats[:, 2] <= found.nats[:, :2].mean(axis=1) + 1e-9).all()  # Jensen
    assert (found.nats[:, 2] < found.nats[:, :2].min(axis=1) + len(TEXTS[0]) * math.log(2)).all()


def test_a_run_beside_itself_gains_nothing(latent: TrainedRun) -> None:
    found = average_runs(latent, latent, byte_stream(TEXTS), 20, ["eng"]).to_json(None, 0.95, 50)
    assert found["gain"] == pytest.approx(0, abs=1e-12)
    assert found["bits_per_byte"] == pytest.approx(found["average_bits_per_byte"])
    assert found["bytes"] == 20 + 19  # cut where a character ends


def test_each_language_is_read_by_its_own_threshold(tmp_path: Path) -> None:
    latent_run(tmp_path, "entropy")
    run = open_run(tmp_path)
    patching = run.spec.patching
    assert patching is not None

    def cut(**threshold: Any) -> TrainedRun:
        return replace(run, spec=replace(run.spec, patching=replace(patching, **threshold)))

    low, high = cut(threshold=1.0), cut(threshold=7.0)
    apart = cut(threshold=None, thresholds={"eng": 1.0, "rus": 7.0})
    stream = replace(byte_stream(TEXTS), languages=np.array([0, 1], np.uint16))
    names = ["eng", "rus"]
    one, other = (average_runs(each, apart, stream, 20, names).nats for each in (low, high))
    assert one[0, 0] == one[0, 1] == other[0, 1] and other[1, 0] == other[1, 1] == one[1, 1]
    assert one[0, 0] != other[0, 0] and one[1, 0] != other[1, 0]
    task = WritingTask([DecodingMethod.parse("speculate:2")], prompt_bytes=12, size=9)

    def passes(run: TrainedRun, task: WritingTask, *texts: bytes) -> list[int]:
        some = byte_stream(list(texts))
        languages = stream.languages[[TEXTS.index(text) for text in texts]]
        rows = compare_decoders(run, replace(some, languages=languages), task, names)
        return [row["global_passes"] for row in rows]

    by_one = zip(passes(low, task, TEXTS[0]), passes(high, task, TEXTS[1]), strict=True)
    assert passes(apart, task, *TEXTS) == [a + b for a, b in by_one]
    assert passes(low, task, *TEXTS) != passes(apart, task, *TEXTS)
    with pytest.raises(InputError, match="no language 'deu'"):
        average_runs(low, apart, stream, 20, ["eng", "deu"])


def test_evaluate_with_another_run(latent: TrainedRun, of_bytes: TrainedRun) -> None:
    line = f"scaling evaluate {latent.folder} embedded:eng_Latn,fra_Latn --device cpu"
    line += f" --with {of_bytes.folder} --exact-bytes 5 --draws 30"
    found = answer(line)
    assert found["with"] == of_bytes.spec.run_id
    rows = {row["language"]: row["average"] for row in found["rows"]}
    assert rows["all"]["bytes"] == rows["eng_Latn"]["bytes"] + rows["fra_Latn"]["bytes"]
    for row in rows.values():
        better = min(row["bits_per_byte"], row["with_bits_per_byte"])
        assert row["gain"] == pytest.approx(better - row["average_bits_per_byte"])
        assert row["gain_interval"][0] <= row["gain"] <= row["gain_interval"][1]
    assert "gain on the better" in command(line).stdout
    assert "sees at once" in mistake(f"{line} --exact-bytes 100")


def test_a_prompt_may_end_inside_a_token(tmp_path: Path) -> None:
    """Bytewise text is greedy in the exact probabilities of bytes."""
    trained = train_tokenizer(open_corpus("embedded"), TrainSettings("bpe", 400), tmp_path / "bpe")
    subword_run(tmp_path / "run", "tokenizer.json", trained.path, confident=True)
    run = open_run(tmp_path / "run")
    assert run.tokenizer is not None
    exact = ExactBytes(run.model, run.tokenizer, 18)  # type: ignore[arg-type]
    written = b"".join(continue_text(run, "The wat", 2, Sampling(), bytewise=True))
    for place in range(2):
        probabilities = exact.next_bytes(b"The wat" + written[:place])
        assert written[place] == int(np.argmax(probabilities))


def test_bytes_one_by_one_over_the_end_of_a_context(of_bytes: TrainedRun) -> None:
    """Of a model whose tokens are bytes: the same as its tokens, until half is forgotten."""
    plain = b"".join(continue_text(of_bytes, "Once " * 11, 8, Sampling()))
    found = b"".join(continue_text(of_bytes, "Once " * 11, 14, Sampling(), bytewise=True))
    assert len(found) == 14
    valid = plain.decode(errors="replace").partition("\ufffd")[0].encode()
    assert found.startswith(valid)


def test_a_run_of_bytes_needs_no_asking(latent: TrainedRun) -> None:
    with pytest.raises(InputError, match="predicts bytes already"):
        next(continue_text(latent, "a", 3, Sampling(), bytewise=True))


def test_a_model_of_tokens_has_no_decoder_to_guess_with(of_bytes: TrainedRun) -> None:
    line = f"scaling generate {of_bytes.folder} Once --device cpu --bytes 5"
    assert "leave out `decode`" not in mistake(f"{line} --decode speculate:4")
    assert "has no decoder" in mistake(f"{line} --decode speculate:4")
    assert answer(line)["cost"] is None
    line = f"scaling evaluate {of_bytes.folder} embedded:eng_Latn --device cpu --decode ar"
    assert "only a byte latent model" in mistake(line)
