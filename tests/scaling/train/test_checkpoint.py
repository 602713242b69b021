"""Hostile checkpoints: one line each, and nothing of the run is touched."""

import pickle
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from corpora.errors import InputError
from scaling.data.shards import open_shards
from scaling.model.weights import build_model, read_tensors, write_tensors
from scaling.train.__main__ import main
from scaling.train.adamw import Optimizer
from scaling.train.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from scaling.train.optimiser import optimiser_of
from scaling.train.progress import StopRequest
from scaling.train.run import train
from tests.scaling.train.runs import CPU, blt_spec, small_shards

Tensors = dict[str, Tensor]
Notes = dict[str, str]
STEPS = 8


class Saved:
    """A run that was stopped after step 3: its specification, shards and checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.shards = small_shards(folder / "shards")
        self.spec = blt_spec(self.shards, STEPS)
        stop = StopRequest()

        def watch(report: object) -> None:
            if getattr(report, "step", 0) == 3:
                stop.signal = signal.SIGTERM

        train(self.spec, open_shards(self.shards), folder / "run", CPU, watch, stop=stop)
        self.path = folder / "run" / CHECKPOINT


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return Saved(tmp_path_factory.mktemp("saved"))


def altered(change: Callable[[Tensors, Notes], object]) -> Callable[[Path, Path], object]:
    def rewrite(source: Path, target: Path) -> None:
        tensors, notes = read_tensors(source)
        change(tensors, notes)
        write_tensors(target, tensors, notes)

    return rewrite


def noted(**values: str) -> Callable[[Path, Path], object]:
    return altered(lambda tensors, notes: notes.update(values))


def tensor(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Path, Path], object]:
    def replaced(tensors: Tensors, notes: Notes) -> None:
        assert name in tensors
        tensors[name] = change(tensors[name].clone())

    return altered(replaced)


def filled(value: float) -> Callable[[Tensor], Tensor]:
    def fill(old: Tensor) -> Tensor:
        old.view(-1)[-1] = value
        return old

    return fill


def cut(size: int) -> Callable[[Path, Path], object]:
    return lambda source, target: target.write_bytes(source.read_bytes()[:size])


def huge_header(source: Path, target: Path) -> None:
    target.write_bytes(b"\xff" * 8 + source.read_bytes()[8:])


def pickled(source: Path, target: Path) -> None:
    target.write_bytes(pickle.dumps({"model.head": [0.0], "step": 3}))


def torch_saved(source: Path, target: Path) -> None:
    torch.save({"step": 3}, target)


HOSTILE: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "empty": (cut(0), "cannot be read as safetensors"),
    "header cut": (cut(100), "cannot be read as safetensors"),
    "one byte short": (cut(-1), "cannot be read as safetensors"),
    "huge header": (huge_header, "cannot be read as safetensors"),
    "pickle": (pickled, "cannot be read as safetensors"),
    "torch.save": (torch_saved, "cannot be read as safetensors"),
    "no notes": (altered(lambda t, n: n.clear()), "of run (unnamed)"),
    "another run": (noted(run_id="0" * 16), "of run 0000000000000000"),
    "no step": (altered(lambda t, n: n.pop("step")), "where the run stood"),
    "no seconds": (altered(lambda t, n: n.pop("seconds")), "where the run stood"),
    "step of words": (noted(step="three"), "where the run stood"),
    "step nought": (noted(step="0"), "at step 0 of a run of 8"),
    "negative step": (noted(step="-3"), "impossible numbers"),
    "step beyond": (noted(step="9"), "at step 9 of a run of 8"),
    "endless seconds": (noted(seconds="inf"), "impossible numbers"),
    "loss not a number": (noted(smoothed="nan"), "impossible numbers"),
    "negative bytes": (noted(train_bytes="-1"), "impossible numbers"),
    "no random": (altered(lambda t, n: t.pop("random")), "lacks the state of the random"),
    "short random": (tensor("random", lambda t: t[:-1].clone()), "another model's weights"),
    "random of noughts": (tensor("random", torch.zeros_like), "no state of random numbers"),
    "no weight": (altered(lambda t, n: t.pop("model.head")), "holds mean.head"),
    "weight too long": (tensor("model.embedding", lambda t: torch.cat([t, t])), "embedding is"),
    "weight in half": (tensor("model.embedding", Tensor.bfloat16), "embedding is torch.bfloat16"),
    "weight not a number": (tensor("model.embedding", filled(float("nan"))), "not finite"),
    "no mean": (altered(lambda t, n: t.pop("mean.head")), "lacks mean.head"),
    "no square": (altered(lambda t, n: t.pop("square.head")), "lacks square.head"),
    "mean turned": (tensor("mean.embedding", lambda t: t.T.contiguous()), "mean.embedding is"),
    "mean not a number": (tensor("mean.head", filled(float("nan"))), "impossible numbers"),
    "endless square": (tensor("square.head", filled(float("inf"))), "impossible numbers"),
    "negative square": (tensor("square.head", filled(-1e-9)), "impossible numbers"),
    "stray": (altered(lambda t, n: t.update(more=torch.ones(1))), "holds more"),
    "stray weight": (altered(lambda t, n: t.update({"model.more": torch.ones(1)})), "more"),
    "stray mean": (altered(lambda t, n: t.update({"mean.more": torch.ones(1)})), "mean.more"),
}


def state(model: nn.Module, optimizer: Optimizer) -> list[bytes]:
    weights = [p.detach().numpy().tobytes() for p in model.parameters()]
    assert not optimizer.state
    return [*weights, torch.get_rng_state().numpy().tobytes()]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_checkpoint_changes_nothing(saved: Saved, tmp_path: Path, name: str) -> None:
    make, said = HOSTILE[name]
    path = tmp_path / CHECKPOINT
    make(saved.path, path)
    content = path.read_bytes()
    model = build_model(saved.spec)
    optimizer = optimiser_of(model, saved.spec.training)
    before = state(model, optimizer)
    with pytest.raises(InputError) as refused:
        load_checkpoint(path, saved.spec.run_id, STEPS, model, optimizer)
    message = str(refused.value)
    assert said in message and str(path) in message and "\n" not in message
    assert "delete it" in message or "train again" in message or "another model's" in message
    assert state(model, optimizer) == before
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["one byte short", "pickle", "negative square"])
def test_the_command_says_it_in_a_line(
    saved: Saved, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "spec.json").write_bytes((saved.path.parent / "spec.json").read_bytes())
    HOSTILE[name][0](saved.path, run / CHECKPOINT)
    content = (run / CHECKPOINT).read_bytes()
    arguments = [str(run / "spec.json"), str(saved.shards), "--out", str(run), "--threads", "1"]
    assert main([*arguments, "--device", "cpu"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and HOSTILE[name][1] in err
    # Nothing was written beside it, either.
    assert sorted(path.name for path in run.iterdir()) == [CHECKPOINT, "spec.json"]
    assert (run / CHECKPOINT).read_bytes() == content


def test_what_is_saved_comes_back(saved: Saved, tmp_path: Path) -> None:
    model = build_model(saved.spec)
    optimizer = optimiser_of(model, saved.spec.training)
    torch.manual_seed(5)
    progress = load_checkpoint(saved.path, saved.spec.run_id, STEPS, model, optimizer)
    assert (progress.step, progress.train_bytes, progress.micro_rows) == (3, 3 * 256, 4)
    assert all(float(state["step"]) == 3 for state in optimizer.state.values())
    again = tmp_path / CHECKPOINT
    save_checkpoint(again, saved.spec.run_id, model, optimizer, progress)
    tensors, notes = read_tensors(saved.path)
    tensors_again, notes_again = read_tensors(again)
    assert notes_again == notes and tensors_again.keys() == tensors.keys()
    assert all(torch.equal(tensors_again[name], tensors[name]) for name in tensors)
