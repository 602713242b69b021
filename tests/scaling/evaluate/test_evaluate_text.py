"""A run's folder on real text: raw bytes are counted, whatever the run cuts them into."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.evaluate.evaluate_text import evaluate, inference_flops_per_byte
from scaling.evaluate.generate import continue_text
from scaling.evaluate.latent_reader import next_starts
from scaling.evaluate.sampling import Sampling
from scaling.evaluate.trained_run import TrainedRun, open_run
from scaling.flops import CostContext, forward_flops_per_byte
from scaling.spec import RunSpec
from tests.scaling.evaluate.runs import CONTEXT, latent_run, subword_run
from tests.scaling.evaluate.streams import CPU
from tests.scaling.evaluate.whole import Whole
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

LANGUAGES = ("eng_Latn", "hin_Deva")
KINDS = ["static", "space", "entropy", "entropy-monotonic"]
SUBWORDS = ["byte", "mistral:v3", "bpe"]


def _quiet(_name: str, _size: int | None) -> Callable[[int], object]:
    return lambda _: None


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bpe")
    train_tokenizer(open_corpus("embedded"), TrainSettings("bpe", 500), out)
    return out / "tokenizer.json"


def _run(folder: Path, which: str, bpe: Path) -> TrainedRun:
    if which in KINDS:
        latent_run(folder, which)
    elif which == "bpe":
        subword_run(folder, "tokenizer.json", bpe)
    else:
        subword_run(folder, which)
    return open_run(folder)


def _some_text() -> DocumentCorpus:
    documents = [
        Document(text, batch.language)
        for batch in open_corpus("embedded:eng_Latn,hin_Deva").batches()
        for text in batch.texts[:6]
    ]
    return DocumentCorpus("some", documents)


@pytest.mark.parametrize("which", KINDS + SUBWORDS)
def test_raw_bytes_are_counted_by_language(tmp_path: Path, which: str, bpe: Path) -> None:
    run, corpus = _run(tmp_path / "run", which, bpe), _some_text()
    found = evaluate(run, [corpus], tmp_path / "shards", _quiet, CPU)
    parts = found.scores.by_language(found.languages)
    assert set(parts) == set(LANGUAGES)
    for language, scores in parts.items():
        texts = [d.text for d in corpus.documents if d.language == language]
        assert scores.bytes == sum(len(text.encode()) for text in texts)
    # Random weights: about what guessing costs, 8 bits a byte or log2 V a token.
    guessing = found.scores.units * np.log2(run.spec.model.vocabulary_size) / found.scores.bytes
    assert found.scores.bits_per_byte == pytest.approx(guessing, rel=0.5)
    rate = found.scores.compression_rate
    expected = forward_flops_per_byte(run.spec.model.shape, CostContext(rate, CONTEXT, 16))
    assert inference_flops_per_byte(run, rate) == expected
    assert rate >= 1
    if which == "static":
        assert rate == pytest.approx(3, rel=0.05)  # each segment's last patch may be short


@pytest.mark.parametrize("which", KINDS)
def test_patches_in_evaluation_are_those_of_generation(
    tmp_path: Path, which: str, bpe: Path
) -> None:
    """One document that fits the context: as many patches as the incremental rule opens."""
    run = _run(tmp_path / "run", which, bpe)
    text = _some_text().documents[0].text[: CONTEXT // 2]
    corpus = DocumentCorpus("one", [Document(text, "eng_Latn")])
    found = evaluate(run, [corpus], tmp_path / "shards", _quiet, CPU)
    assert run.spec.patching is not None
    rule = next_starts(run.spec.patching, run.byte_model)
    opened = sum(bool(rule(text.encode()[:place], 0)[-1]) for place in range(len(text)))
    assert 1 < found.scores.patches == opened < len(text)


@pytest.mark.parametrize("which", KINDS + SUBWORDS)
def test_generation_with_and_without_caches(
    tmp_path: Path, which: str, bpe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run(tmp_path / "run", which, bpe)
    for sampling in (Sampling(), Sampling(0.8, top_p=0.9, seed=4)):
        cached = b"".join(continue_text(run, "नमस्ते, world", 100, sampling))
        with monkeypatch.context() as patched:
            for name in ("CachedBytes", "CachedTokens"):
                patched.setattr(f"scaling.evaluate.generate.{name}", Whole)
            whole = b"".join(continue_text(run, "नमस्ते, world", 100, sampling))
        assert len(cached) == 100
        assert cached == whole
    assert b"".join(continue_text(run, "", 5, Sampling()))


def test_a_prompt_without_utf8(tmp_path: Path, bpe: Path) -> None:
    run = _run(tmp_path / "run", "static", bpe)
    with pytest.raises(InputError, match="not UTF-8"):
        next(continue_text(run, "\udcff", 5, Sampling()))


def test_a_window_that_memory_cannot_hold_is_refused_before_any_text_is_read(
    tmp_path: Path,
) -> None:
    subword_run(tmp_path, "byte")
    run = open_run(tmp_path)
    run = replace(run, spec=replace(run.spec, context_bytes=1 << 24))
    what = "spec.json: a window of 16,777,216 units takes more than 281 TB, and cpu has"
    with pytest.raises(InputError, match=what):
        evaluate(run, [_some_text()], tmp_path / "shards", _quiet, CPU)
    assert not (tmp_path / "shards").exists()


def test_no_text(tmp_path: Path, bpe: Path) -> None:
    run = _run(tmp_path / "run", "static", bpe)
    with pytest.raises(InputError, match="nothing"):
        evaluate(run, [DocumentCorpus("nothing", [])], tmp_path / "shards", _quiet, CPU)


def test_specifications_name_their_patching(tmp_path: Path) -> None:
    spec: RunSpec = latent_run(tmp_path, "entropy")
    opened = open_run(tmp_path)
    assert opened.spec == spec
    assert opened.byte_model is not None and not opened.byte_model.model.training
    assert opened.record is None and opened.tokenizer is None
