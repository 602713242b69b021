"""The file of one run: its tables, and what they come to.

It names its text, tokenizer and entropy model by path, relative to its own folder, and its length
by a budget. What a run is follows once those have been read: see `scaling.spec.RunSpec`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator

from corpora.open import beside, corpus_relative_to
from corpora.toml_file import argument_refusal, contradiction
from scaling.config.tables import (
    DataTable,
    ModelTable,
    PatchingTable,
    RunName,
    StrictTable,
    TrainingTable,
    check_batch,
    check_block,
    check_rate,
)
from scaling.config.toml_file import example, read_toml_file
from scaling.flops import CostContext
from scaling.spec import Model, Training, steps_for_budget
from tokenize_lab.tokenizer_spec import TokenizerSpec


class TrainFile(StrictTable):
    """What a file asks for: one run, yet to be given its text.

    Attributes:
        name: what tables call the run.
    """

    name: RunName = ""
    model: ModelTable
    patching: PatchingTable | None = None
    data: DataTable
    training: TrainingTable

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_family()
        context, patching = self.data.context_bytes, self.patching
        if patching is not None and patching.compression_rate is not None:
            place = ("patching", "compression_rate")
            words = f"context_bytes = {context}"
            check_rate(patching.compression_rate, context, words, patching.most_bytes, *place)
        block = self.model.diffusion_block
        check_block(block, self.model.family, context, "model", "diffusion_block")
        check_batch(self.training.batch_bytes, context, "training", "batch_bytes")
        return self

    def _check_family(self) -> None:
        tokenizer = self.data.tokenizer
        if self.model.family == "blt":
            if tokenizer is not None:
                what = 'a blt reads bytes; remove it, or ask for family = "subword"'
                raise contradiction(what, "data", "tokenizer")
            if self.data.window_bytes is None:
                what = "missing, and a blt's local modules need it; add it, such as 64"
                raise contradiction(what, "data", "window_bytes")
            if self.patching is None:
                what = 'missing, and a blt needs it; add kind = "static" and compression_rate = 4.0'
                raise contradiction(what, "patching")
            return
        if self.patching is not None:
            what = 'a subword model has no patches; remove the table, or ask for family = "blt"'
            raise contradiction(what, "patching")
        if tokenizer is None:
            what = 'a subword model needs it; add it, such as "tokenizer.json" or "byte"'
            raise contradiction(f"missing, and {what}", "data", "tokenizer")

    @property
    def window_bytes(self) -> int:
        """Text the local modules see at once; the context, of a `subword` model, which has none."""
        # A window would not change a subword model, but it would change the hash that names it.
        if self.model.family == "subword" or self.data.window_bytes is None:
            return self.data.context_bytes
        return self.data.window_bytes

    def build_training(self, model: Model, compression_rate: float) -> Training:
        """Return the optimisation, its steps computed from the budget.

        Args:
            model: the file's, with the vocabulary of its tokenizer.
            compression_rate: T realised on the training text, bytes per token or patch.
        """
        budget = self.training
        if budget.steps is not None:
            steps = budget.steps
        elif budget.train_bytes is not None:
            steps = max(1, round(budget.train_bytes / budget.batch_bytes))
        else:
            assert budget.compute_flops is not None
            context, block = self.data.context_bytes, model.diffusion_block or 0
            setting = CostContext(compression_rate, context, self.window_bytes, block)
            steps = steps_for_budget(budget.compute_flops, model, setting, budget.batch_bytes)
        return budget.build(steps, model.dim)


def read_train_file(path: str | Path) -> TrainFile:
    """Return what a file, or an example, asks for, its paths as seen from anywhere.

    Raises:
        InputError: see `read_toml_file`.
    """
    file = read_toml_file(path, TrainFile)
    folder = example(path).parent
    data = file.data.model_copy(
        update={
            "corpus": tuple(corpus_relative_to(folder, spec) for spec in file.data.corpus),
            "tokenizer": file.data.tokenizer
            and str(TokenizerSpec.parse(file.data.tokenizer).relative_to(folder)),
        }
    )
    patching = file.patching
    if patching is not None and patching.entropy_model is not None:
        entropy_model = beside(folder, patching.entropy_model)
        patching = patching.model_copy(update={"entropy_model": entropy_model})
    return file.model_copy(update={"data": data, "patching": patching})


def byte_model_file(
    corpus: Sequence[str],
    *,
    layers: int,
    dim: int,
    train_bytes: float,
    context_bytes: int,
    batch_bytes: int,
    held_out_bytes: int,
    text_field: str = "text",
    seed: int = 0,
) -> TrainFile:
    """Return what a file would say of the byte model that cuts entropy patches, which is a run like
    any other: a subword model of bytes.

    Raises:
        InputError: the batch is no multiple of the context, or a value is out of bounds.
    """
    value = {
        "name": "entropy model",
        "model": {"family": "subword", "layers": layers, "dim": dim},
        "data": {
            "corpus": list(corpus),
            "text_field": text_field,
            "tokenizer": "byte",
            "held_out_bytes": held_out_bytes,
            "context_bytes": context_bytes,
        },
        "training": {"train_bytes": train_bytes, "batch_bytes": batch_bytes, "seed": seed},
    }
    try:
        return TrainFile.model_validate(value)
    except ValidationError as error:
        raise argument_refusal(error, TrainFile) from error
