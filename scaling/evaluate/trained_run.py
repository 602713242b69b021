"""A trained run's folder, opened: nothing in it is believed before it has been compared.

spec.json, model.safetensors    what the run is, and its weights
record.json                     what became of it, if it was kept
tokenizer.txt                   of a subword model: its tokenizer, by name, or by the name of a
                                file in this folder
entropy_model/                  of entropy patches: the byte model's own run folder
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from corpora.errors import InputError, did_you_mean, is_present
from corpora.files import read_bounded
from scaling.model.byte_model import ByteModel, open_byte_model
from scaling.model.stored import ENTROPY_KINDS, check_threshold, stored_weights
from scaling.model.weights import WEIGHTS, AnyModel, build_model, load_weights
from scaling.prepare import ENTROPY_MODEL, TOKENIZER
from scaling.record import SPEC, RunRecord, read_record, read_spec
from scaling.spec import RunSpec
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer

_MOST_NAME = 1 << 20  # bytes of a tokenizer's name


@dataclass(frozen=True)
class TrainedRun:
    """A run that has been trained.

    Attributes:
        folder: where it lies. spec: what it is. record: what became of it; None if that is lost.
        model: with its weights, on its device, evaluating.
        tokenizer: of a subword model; else None.
        byte_model: whose entropies cut its patches; else None.
    """

    folder: Path
    spec: RunSpec
    record: RunRecord | None
    model: AnyModel
    tokenizer: Tokenizer | None
    byte_model: ByteModel | None

    def in_language(self, language: str | None) -> "TrainedRun":
        """Return the run as it reads one language: with that one's entropy threshold for all text.

        A run whose languages share a threshold is returned as it is.

        Raises:
            InputError: the languages have thresholds of their own and this is none of them, or it
                is named where they share one.
        """
        patching = self.spec.patching
        of_each = {} if patching is None else patching.thresholds
        if language is None and not of_each:
            return self
        if not of_each:
            why = "this run cuts all languages alike; leave it out"
            raise InputError(f"`language`: {why}")
        names = ", ".join(of_each)
        if language is None:
            raise InputError(
                "`language`: each language of this run has an entropy threshold of its own; name"
                f" the one that the text is in ({names})"
            )
        if language not in of_each:
            near = did_you_mean(language, of_each)
            raise InputError(f"`language`: no language {language!r}{near} (there is {names})")
        assert patching is not None
        one = replace(patching, threshold=of_each[language], thresholds={})
        return replace(self, spec=replace(self.spec, patching=one))

    def in_each(
        self, languages: NDArray[np.integer], names: Sequence[str]
    ) -> Mapping[int, "TrainedRun"]:
        """Return the run as it reads each language of some documents; as it is where all share a
        threshold.

        Args:
            languages: [documents], an index into `names`.

        Raises:
            InputError: one of the languages has no threshold.
        """
        patching, found = self.spec.patching, {}
        for number in np.unique(languages).tolist():
            apart = patching is not None and patching.thresholds
            found[number] = self.in_language(names[number]) if apart else self
        return found


def open_run(folder: Path, device: torch.device | None = None) -> TrainedRun:
    """Open the folder of a trained run.

    Raises:
        InputError: it is none, the run has not ended, or something in it is not what the
            specification names: weights, tokenizer, entropy model.
    """
    if not (folder / SPEC).is_file():
        raise InputError(f"{folder}: no {SPEC} in it; name a run's folder, as `train` prints it")
    device = device or torch.device("cpu")
    spec = read_spec(folder / SPEC)
    check_threshold(spec, folder / SPEC)
    tensors = stored_weights(folder, spec)
    model = build_model(spec)
    load_weights(model, tensors, folder / WEIGHTS)
    return TrainedRun(
        folder=folder,
        spec=spec,
        record=read_record(folder),
        model=model.to(device).eval(),
        tokenizer=_tokenizer(folder, spec) if spec.model.family == "subword" else None,
        byte_model=_byte_model(folder, spec, device),
    )


def _tokenizer(folder: Path, spec: RunSpec) -> Tokenizer:
    path = folder / TOKENIZER
    if not is_present(path):
        raise InputError(
            f"{path}: there is no such file; write the tokenizer the run was trained with into it,"
            " as `measure -t` takes it"
        )
    try:
        name = read_bounded(path, _MOST_NAME, "restore it").decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read ({error}); restore it") from error
    there = TokenizerSpec.parse(name).inside(folder)
    if there is None:
        raise InputError(
            f"{path}: {name!r} is neither a tokenizer's name nor a file in the run's folder; copy"
            " the file there and name it here"
        )
    tokenizer = load_tokenizer(str(there))
    if tokenizer.sha256 != spec.tokenizer:
        raise InputError(
            f"{path}: the tokenizer has changed since the run was trained (SHA-256"
            f" {tokenizer.sha256[:12]}, was {spec.tokenizer[:12]}); restore the one it had"
        )
    if tokenizer.vocabulary_size != spec.model.vocabulary_size:
        raise InputError(
            f"{path}: {tokenizer.vocabulary_size:,} ids, where the model has"
            f" {spec.model.vocabulary_size:,}; restore the tokenizer it had"
        )
    return tokenizer


def _byte_model(folder: Path, spec: RunSpec, device: torch.device) -> ByteModel | None:
    patching = spec.patching
    if patching is None or patching.kind not in ENTROPY_KINDS:
        return None
    inner = folder / ENTROPY_MODEL
    found = open_byte_model(inner, device)
    if found.sha256 != patching.entropy_model:
        raise InputError(
            f"{inner}: the entropy model has changed since the run was trained (SHA-256"
            f" {found.sha256[:12]}, was {patching.entropy_model[:12]}); restore the one it had"
        )
    found.model.eval()
    return found
