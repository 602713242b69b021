"""From a specification file to a run: text, patches, tokens, and what a run's folder keeps."""

import base64
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from scaling.config.train_file import TrainFile, read_train_file
from scaling.data.order import Windows
from scaling.data.shards import open_shards
from scaling.data.windows import patches_of
from scaling.prepare import TOKENIZER, PreparedText, corpora_of, keep_beside, prepare
from scaling.spec import RunSpec
from tests.scaling.data.texts import sentences
from tests.scaling.train.runs import run
from tests.scaling.train.truth import write_jsonl
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

BLT = 'family = "blt"\nlayers = 1\ndim = 16\nlocal_layers = 1\nlocal_dim = 16\ncross_factor = 1'
SUBWORD = 'family = "subword"\nlayers = 1\ndim = 16'
TEXTS = sentences(120)


def asked(
    folder: Path,
    model: str = BLT,
    patching: str = 'kind = "static"\ncompression_rate = 4',
    data: str = "window_bytes = 16",
    training: str = "steps = 2",
) -> TrainFile:
    """Return what a file over made-up sentences asks for."""
    write_jsonl(folder / "text.jsonl", TEXTS)
    path = folder / "spec.toml"
    patches = f"[patching]\n{patching}\n" if patching else ""
    path.write_text(
        f"[model]\n{model}\n{patches}"
        f'[data]\ncorpus = "text.jsonl"\nheld_out_bytes = 1500\ncontext_bytes = 64\n{data}\n'
        f"[training]\nbatch_bytes = 256\n{training}\n"
    )
    return read_train_file(path)


def ready(wanted: TrainFile, shards: Path) -> tuple[RunSpec, PreparedText]:
    return prepare(wanted, shards, lambda name, size: lambda done: None)


def realised(spec: RunSpec, text: PreparedText) -> float:
    """Return bytes per patch or token of an epoch of training windows, counted."""
    windows = Windows(
        open_shards(text.shards).train, spec.window_units, spec.seed, patches_of(spec)
    )
    batch = windows.batch(0, windows.per_epoch)
    units = batch.targets.size if batch.starts is None else int(batch.starts.sum())
    return batch.scored_bytes / units


@pytest.mark.parametrize("rate", [1, 2, 3.5, 4, 8, 64])
def test_static_rates_are_those_of_whole_windows(tmp_path: Path, rate: float) -> None:
    wanted = asked(tmp_path, patching=f'kind = "static"\ncompression_rate = {rate}')
    spec, text = ready(wanted, tmp_path / "shards")
    assert spec.compression_rate == 64 / math.ceil(64 / rate)
    assert text.patching_flops == 0
    # Documents end within windows, too, so patches are a little shorter where there are many ends.
    assert realised(spec, text) < 1.01 * rate


def test_words_are_counted(tmp_path: Path) -> None:
    spec, text = ready(asked(tmp_path, patching='kind = "space"'), tmp_path / "shards")
    train = open_shards(text.shards).train
    words = sum(
        len(np.asarray(train.document(i)).tobytes().split()) for i in range(train.document_count)
    )
    assert spec.compression_rate == train.byte_count / words


@pytest.fixture(scope="module")
def byte_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a byte model that has taken a few steps."""
    folder = tmp_path_factory.mktemp("byte_model")
    spec, text = ready(asked(folder, SUBWORD, "", 'tokenizer = "byte"'), folder / "shards")
    assert run(spec, text.shards, folder / "run").status == "finished"
    return folder / "run"


@pytest.mark.parametrize("kind", ["entropy", "entropy-monotonic"])
@pytest.mark.parametrize("rate", [2, 4.5])
def test_entropy_patches_are_as_long_as_asked(
    tmp_path: Path, byte_model: Path, kind: str, rate: float
) -> None:
    patching = f'kind = "{kind}"\ncompression_rate = {rate}\nentropy_model = "{byte_model}"'
    spec, text = ready(asked(tmp_path, patching=patching), tmp_path / "shards")
    assert spec.patching is not None and spec.patching.threshold is not None
    # The file's T is asked for, and the spec's is what came out of it.
    assert spec.patching.compression_rate == rate
    assert spec.compression_rate == pytest.approx(rate, rel=0.1)
    train = open_shards(text.shards).train
    assert train.starts is not None
    assert spec.compression_rate == train.byte_count / int(train.starts.sum())
    assert text.patching_flops > 0
    # Another T reads no text again: text, entropies, and two kinds of starts.
    _, again = ready(
        asked(tmp_path, patching=patching.replace(f"rate = {rate}", "rate = 3")),
        tmp_path / "shards",
    )
    assert again.patching_flops == text.patching_flops
    kinds = sorted(
        json.loads(path.read_text())["kind"] for path in (tmp_path / "shards").glob("*/shards.json")
    )
    assert kinds == ["entropies", "starts", "starts", "text"]


def test_the_budget_buys_steps_at_the_rate_that_came_out(tmp_path: Path) -> None:
    from scaling.flops import training_flops_per_byte

    for patching in ('kind = "static"\ncompression_rate = 4', 'kind = "space"'):
        wanted = asked(tmp_path, patching=patching, training="compute_flops = 1e9")
        spec, _ = ready(wanted, tmp_path / "shards")
        per_step = 256 * training_flops_per_byte(spec.model.shape, spec.cost_context)
        assert spec.training.steps == round(1e9 / per_step) > 1


def test_the_same_file_elsewhere_is_the_same_run(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ids.add(ready(asked(tmp_path / name), tmp_path / name / "shards")[0].run_id)
    assert len(ids) == 1
    other, _ = ready(asked(tmp_path, training="steps = 3"), tmp_path / "shards")
    assert other.run_id not in ids


def test_inflated_text_is_longer_and_another(tmp_path: Path) -> None:
    _, plain = ready(asked(tmp_path), tmp_path / "shards")
    _, double = ready(asked(tmp_path, data="window_bytes = 16\ninflate = 2"), tmp_path / "shards")
    assert plain.shards.name != double.shards.name
    one, two = open_shards(plain.shards), open_shards(double.shards)
    size = one.train.byte_count + one.held_out.byte_count
    assert two.train.byte_count + two.held_out.byte_count == 2 * size


def own_tokenizer(folder: Path, form: str) -> tuple[str, Path]:
    """Make a tokenizer; return its spec and what is to be deleted to lose it."""
    corpus = DocumentCorpus("own", [Document(text) for text in TEXTS])
    if form == "sp":
        path = train_tokenizer(corpus, TrainSettings("unigram", 320, "sentencepiece"), folder).path
        return f"sp:{path}", path
    if form.startswith("tiktoken"):
        path = folder / "own.tiktoken"
        folder.mkdir()
        table = load_tokenizer("mistral:tekken").token_bytes
        ranks = (table[1000 + rank] for rank in range(2000))
        path.write_bytes(
            b"".join(base64.b64encode(token) + b" %d\n" % n for n, token in enumerate(ranks))
        )
        return f"tiktoken:{path}{form.removeprefix('tiktoken')}", path
    path = train_tokenizer(corpus, TrainSettings("bpe", 320), folder).path
    shutil.copyfile(path, folder / "record.json")
    shutil.copyfile(path, folder / "a:b.json")
    return {
        "file": (str(path), path),
        "record.json": (str(folder / form), folder / form),
        "a:b.json": (f"hf:{folder / form}", folder / form),
        "hf": (f"hf:{path}", path),
        "folder": (str(folder), folder),
        "hf folder": (f"hf:{folder}", folder),
        "masked": (f"masked:.1:{folder}", folder),
        "truncated": (f"truncated:300:hf:{path}", path),
    }[form]


@pytest.mark.parametrize(
    "form",
    [
        "file",
        "hf",
        "folder",
        "hf folder",
        "masked",
        "truncated",
        "sp",
        "tiktoken",
        "tiktoken@cl100k_base",
        "record.json",
        "a:b.json",
    ],
)
def test_a_runs_folder_keeps_its_tokenizer(tmp_path: Path, form: str) -> None:
    spec, lost = own_tokenizer(tmp_path / "own", form)
    wanted = asked(tmp_path, SUBWORD, "", 'tokenizer = "byte"')
    data = wanted.data.model_copy(update={"tokenizer": spec})
    wanted = wanted.model_copy(update={"data": data})
    run_spec, text = ready(wanted, tmp_path / "shards")
    assert text.tokenizer is not None
    ids = text.tokenizer.encode_batch(TEXTS[:5])
    keep_beside(text, tmp_path / "run")
    assert not (tmp_path / "run" / "record.json").exists()
    if lost.is_dir():
        shutil.rmtree(lost)
    else:
        lost.unlink()
    kept = TokenizerSpec.parse((tmp_path / "run" / TOKENIZER).read_text().strip())
    there = kept.inside(tmp_path / "run")
    assert there is not None
    again = load_tokenizer(str(there))
    assert again.sha256 == run_spec.tokenizer
    assert np.array_equal(again.encode_batch(TEXTS[:5]).ids, ids.ids)


def test_a_run_that_cannot_be_written(tmp_path: Path) -> None:
    _, text = ready(asked(tmp_path), tmp_path / "shards")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another `out`"):
        keep_beside(text, tmp_path / "file" / "run")


def test_a_tokenizer_that_loses_text_is_refused(tmp_path: Path) -> None:
    corpus = DocumentCorpus("own", [Document(text) for text in TEXTS])
    path = train_tokenizer(corpus, TrainSettings("wordpiece", 400), tmp_path / "own").path
    wanted = asked(tmp_path, SUBWORD, "", f'tokenizer = "own/{path.name}"')
    with pytest.raises(InputError, match="loses text"):
        ready(wanted, tmp_path / "shards")


def test_a_longer_document_than_is_allowed_is_refused(tmp_path: Path) -> None:
    for most, refused in ((1_000_000, True), (2_000_000, False)):
        wanted = asked(tmp_path, data=f"window_bytes = 16\nmax_document_bytes = {most}")
        write_jsonl(tmp_path / "text.jsonl", ["a " * 600_000])
        (corpus,) = corpora_of(wanted.data)
        if refused:
            with pytest.raises(InputError, match=r"raise `max_document_bytes` .1,000,000 now"):
                list(corpus.batches())
        else:
            assert [len(text) for batch in corpus.batches() for text in batch.texts] == [1_200_000]
    with pytest.raises(InputError, match="max_document_bytes"):
        asked(tmp_path, data="max_document_bytes = 999999")
