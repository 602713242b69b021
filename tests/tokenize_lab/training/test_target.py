"""A vocabulary to a target: what one training gives is what training at that size would."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from corpora.corpus import Corpus, DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from tokenize_lab.cli.tokenizers import app
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import SEARCHED_SIZE, TrainSettings
from tokenize_lab.training.train import Trained, train_tokenizer


def _english() -> Corpus:
    return open_corpus("embedded:eng_Latn,fra_Latn")


def _to(target: float, out: Path, **more: Any) -> Trained:
    settings = {"kind": "bpe", "vocab_size": 2000, "target_compression": target, **more}
    return train_tokenizer(_english(), TrainSettings(**settings), out)


@pytest.mark.parametrize(("kind", "target"), [("bpe", 1.5), ("bpe", 2.75), ("superbpe", 2.5)])
def test_the_target_is_met_and_the_size_is_the_nearest(
    kind: str, target: float, tmp_path: Path
) -> None:
    path, card = _to(target, tmp_path / "to", kind=kind)
    assert card.bytes_per_token == pytest.approx(target, rel=0.01)
    found = card.settings
    assert card.vocabulary_size == found.vocab_size < 2000 and not card.warnings
    assert (
        json.loads((tmp_path / "to" / "card.json").read_text())["settings"]["target_compression"]
        == target
    )
    plain = TrainSettings(
        kind, found.vocab_size, stage_split=found.stage_split, superword_words=found.superword_words
    )
    again = train_tokenizer(_english(), plain, tmp_path / "again")
    assert again.path.read_bytes() == path.read_bytes()
    texts = [text for batch in _english().batches() for text in batch.texts]
    size = sum(len(text.encode()) for text in texts)
    missed = []
    for near in (found.vocab_size - 1, found.vocab_size, found.vocab_size + 1):
        if near == found.vocab_size + 1:
            beside = train_tokenizer(
                _english(),
                TrainSettings(kind, near, stage_split=found.stage_split),
                tmp_path / "beside",
            ).path
            tokenizer = load_tokenizer(str(beside))
        else:
            tokenizer = load_tokenizer(f"truncated:{near}:{path}")
        missed.append(abs(size / len(tokenizer.encode_batch(texts).ids) - target))
    assert missed[1] == min(missed)


def test_superbpe_finds_its_stage_split(tmp_path: Path) -> None:
    _, card = _to(2.75, tmp_path / "super", kind="superbpe")
    first = train_tokenizer(
        _english(), TrainSettings("bpe", int(card.settings.stage_split)), tmp_path / "first"
    ).card
    assert first.bytes_per_token == pytest.approx(0.75 * 2.75, rel=0.01)
    assert card.settings.vocab_size > card.settings.stage_split > 257
    given = _to(2.75, tmp_path / "given", kind="superbpe", stage_split=300).card
    assert given.settings.stage_split == 300
    bpe = _to(2.75, tmp_path / "bpe").card
    assert card.vocabulary_size < bpe.vocabulary_size


def test_parity_aware_merges_to_a_target(tmp_path: Path) -> None:
    _, card = _to(2, tmp_path, kind="parity-bpe", vocab_size=700)
    assert card.bytes_per_token == pytest.approx(2, rel=0.01)
    assert card.parity is not None and card.parity.spread() < card.parity.spread(plain=True)


def test_a_target_out_of_reach_is_refused_with_what_can_be_had(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^`target_compression` 9: out of reach on .*from 1\.0"
    ) as no:
        _to(9, tmp_path)
    assert "(257 ids) to" in str(no.value) and "(2000 ids) can be had" in str(no.value)
    with pytest.raises(InputError, match=r"from 2\.\d+ bytes per token \(601 ids\)"):
        _to(1.01, tmp_path, kind="superbpe", stage_split=600)
    repeated = DocumentCorpus("own", [Document("ab" * 500)])
    with pytest.raises(
        InputError, match=r"257 ids give 2\.000 .* and 258 give 4\.000; ask for one"
    ):
        train_tokenizer(
            repeated, TrainSettings("bpe", 300, pattern="none", target_compression=3), tmp_path
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"target_compression": 1}, "`target_compression` 1: must be over 1"),
        ({"target_compression": -3}, "must be over 1"),
        ({"target_compression": float("nan")}, "must be over 1"),
        ({"target_compression": float("inf")}, "must be over 1"),
        ({"kind": "unigram"}, "only a BPE can be cut to a size .* not unigram; give `vocab_size`"),
        ({"kind": "superbpe", "stage_split": 0.5}, "`stage_split` 0.5: must be a number of ids"),
        ({"kind": "superbpe", "stage_split": SEARCHED_SIZE}, "must be below the vocabulary's size"),
    ],
)
def test_targets_that_cannot_be(more: dict[str, Any], says: str) -> None:
    settings = {"kind": "bpe", "vocab_size": SEARCHED_SIZE, "target_compression": 4, **more}
    with pytest.raises(InputError, match=says):
        TrainSettings(**settings)


def test_the_command(tmp_path: Path) -> None:
    corpus = ["train", "embedded:eng_Latn,fra_Latn", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, [*corpus, "--kind", "bpe", "--target-compression", "2.5"])
    assert done.exit_code == 0 and " ids, 2.50" in done.stdout
    for sizes, says in (
        ([], "neither was given"),
        (["--vocab-size", "300", "--target-compression", "2"], "both were given"),
        (["--target-compression", "0"], "must be over 1"),
    ):
        done = CliRunner().invoke(app, [*corpus, "--kind", "bpe", *sizes])
        assert isinstance(done.exception, InputError) and says in str(done.exception)
