"""Tokenizers trained once for all tests."""

from pathlib import Path

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from tests.made import made_once
from tests.tokenize_lab.texts import embedded_lines
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

RECIPES = {
    "bpe": TrainSettings("bpe", 2000),
    "bpe-unsplit": TrainSettings("bpe", 600, pattern="none"),
    "unigram-sp": TrainSettings("unigram", 2000, "sentencepiece"),
    "unigram-hf": TrainSettings("unigram", 1000, "huggingface"),
    "character": TrainSettings("character", 1500),
    "wordpiece": TrainSettings("wordpiece", 3000),
    "superbpe": TrainSettings("superbpe", 2000),
}


@pytest.fixture(scope="session")
def embedded() -> DocumentCorpus:
    """The embedded parallel corpus's lines."""
    return DocumentCorpus("embedded lines", [Document(line) for line in embedded_lines()])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, embedded: DocumentCorpus) -> dict[str, Path]:
    """A folder for each recipe, with its tokenizer and card."""

    def make(folder: Path) -> None:
        for name, recipe in RECIPES.items():
            train_tokenizer(embedded, recipe, folder / name)

    root = made_once("trained", make, tmp_path_factory)
    return {name: root / name for name in RECIPES}


@pytest.fixture(scope="session")
def tiktoken_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.tiktoken` file: the first 5,000 ranks of a real vocabulary."""
    import base64

    from tokenize_lab.tokenizer_spec import load_tokenizer

    table = load_tokenizer("mistral:tekken").token_bytes
    path = tmp_path_factory.mktemp("tiktoken") / "first5000.tiktoken"
    lines = (base64.b64encode(table[1000 + rank]) + b" %d\n" % rank for rank in range(5000))
    path.write_bytes(b"".join(lines))
    return path
