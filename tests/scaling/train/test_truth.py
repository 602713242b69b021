"""Models trained on text of known entropy reach it, and are never below it.

The text is scored by its own source as well: its exact probability is what no model surpasses but
by learning the held-out text itself. That takes the chance of the sample out of the comparison.
"""

from pathlib import Path

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.synthetic import MarkovSource, ZipfSource
from tests.scaling.train.truth import markov_bits, trained, write_jsonl, zipf_bits
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

MARKOV = MarkovSource(order=1, alphabet="abcdefgh", concentration=0.5, document_bytes=2000)
MARKOV_2 = MarkovSource(order=2, alphabet="abcd", concentration=0.5, document_bytes=2000)
ZIPF = ZipfSource(vocabulary=40, document_words=500)
# A document's beginning, and that of each window, is harder to guess than its middle; and a model
# that has learnt is no exact one. What is below the truth is so by chance: by no more than this.
ABOVE, BELOW = 0.03, 0.002

BLT = 'family = "blt"\nlayers = 1\ndim = 32\nlocal_layers = 1\nlocal_dim = 32\ncross_factor = 1'
SUBWORD = 'family = "subword"\nlayers = 1\ndim = 32'


def static(rate: float) -> str:
    return f'[model]\n{BLT}\n[patching]\nkind = "static"\ncompression_rate = {rate}\n'


def data(tokenizer: str = "", window: int = 32) -> str:
    more = f'tokenizer = "{tokenizer}"' if tokenizer else f"window_bytes = {window}"
    return '[data]\ncorpus = ["text.jsonl"]\nheld_out_bytes = 40000\ncontext_bytes = 256\n' + more


def training(steps: int, rate: float = 0.01) -> str:
    return f"\n[training]\nsteps = {steps}\nbatch_bytes = 1024\nlearning_rate = {rate}\n"


def check(folder: Path, toml: str, source: MarkovSource | ZipfSource, documents: int = 150) -> None:
    """Train on the source's text and compare the score with the source's own."""
    write_jsonl(folder / "text.jsonl", source.texts(documents))
    record, held_out = trained(folder, toml)
    assert record.status == "finished", record.reason
    size = sum(map(len, held_out))
    assert record.validation_bytes == size >= 40_000
    if isinstance(source, MarkovSource):
        truth = markov_bits(source, held_out) / size
    else:
        truth = zipf_bits(source, held_out) / size
    # The reference itself is right: over so much text it is near to the rate.
    assert truth == pytest.approx(source.entropy_rate, rel=0.02)
    reached = record.bits_per_byte
    assert reached is not None
    assert truth * (1 - BELOW) < reached < truth * (1 + ABOVE), f"{reached / truth - 1:+.2%}"
    assert record.validation_interval is not None
    low, high = record.validation_interval
    assert low < reached < high


def test_patches_of_four_bytes(tmp_path: Path) -> None:
    check(tmp_path, static(4) + data() + training(150), MARKOV)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1.0, 2.0, 3.5, 8.0])
def test_static_patches(tmp_path: Path, rate: float) -> None:
    check(tmp_path, static(rate) + data() + training(200), MARKOV)


@pytest.mark.slow
def test_an_order_more(tmp_path: Path) -> None:
    check(tmp_path, static(2) + data() + training(600), MARKOV_2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["entropy", "entropy-monotonic"])
def test_patches_where_it_is_hard_to_guess(tmp_path: Path, kind: str) -> None:
    byte_model = tmp_path / "byte_model"
    byte_model.mkdir()
    check(byte_model, f"[model]\n{SUBWORD}\n" + data("byte") + training(200), MARKOV)
    (folder,) = (byte_model / "runs").iterdir()
    patching = f'[patching]\nkind = "{kind}"\ncompression_rate = 2.5\nentropy_model = "{folder}"\n'
    check(tmp_path, f"[model]\n{BLT}\n{patching}" + data() + training(300), MARKOV)


@pytest.mark.slow
def test_patches_of_words(tmp_path: Path) -> None:
    toml = f'[model]\n{BLT}\n[patching]\nkind = "space"\n' + data() + training(800)
    check(tmp_path, toml, ZIPF)


@pytest.mark.slow
def test_bytes_as_tokens(tmp_path: Path) -> None:
    check(tmp_path, f"[model]\n{SUBWORD}\n" + data("byte") + training(200), MARKOV)


RECIPES = {
    "bpe": TrainSettings("bpe", 300),
    "unigram": TrainSettings("unigram", 300, "huggingface"),
    "sentencepiece": TrainSettings("unigram", 300, "sentencepiece"),
    "character": TrainSettings("character", 300),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("source", [MARKOV, ZIPF], ids=["markov", "zipf"])
def test_trained_tokens(tmp_path: Path, name: str, source: MarkovSource | ZipfSource) -> None:
    documents = [Document(text) for text in source.texts(60, 7)]
    corpus = DocumentCorpus("own", documents)
    file = train_tokenizer(corpus, RECIPES[name], tmp_path / "tokenizer").path
    toml = f"[model]\n{SUBWORD}\n" + data(f"tokenizer/{file.name}") + training(800)
    check(tmp_path, toml, source)
