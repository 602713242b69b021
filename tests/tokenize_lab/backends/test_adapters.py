"""Every tokenizer: bytes of tokens are bytes of text, counts are the library's own."""

import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenize_lab.texts import (
    HARD,
    SPECIAL_LOOKING,
    assert_lossless,
    embedded_lines,
    ids_of,
    parallel_lines,
)
from tokenize_lab.tokenizer import Tokenizer, TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer

TRAINED = ("bpe", "bpe-unsplit", "unigram-sp", "unigram-hf", "character")
BUILT_IN = (
    "byte", "character",
    "mistral:v1", "mistral:v2", "mistral:v3", "mistral:v7",
    "mistral:tekken", "mistral:tekken-240718",
)  # fmt: skip
LOSSLESS = (*BUILT_IN, "tiktoken-file", *(f"trained {name}" for name in TRAINED))

_loaded: dict[str, Tokenizer] = {}


@pytest.fixture(params=LOSSLESS)
def tokenizer(
    request: pytest.FixtureRequest, trained: dict[str, Path], tiktoken_file: Path
) -> Tokenizer:
    """Each lossless tokenizer, loaded once."""
    name: str = request.param
    if name not in _loaded:
        spec = str(trained[name.removeprefix("trained ")]) if name.startswith("trained") else name
        _loaded[name] = load_tokenizer(str(tiktoken_file) if name == "tiktoken-file" else spec)
    return _loaded[name]


def test_declares_itself(tokenizer: Tokenizer) -> None:
    assert tokenizer.lossless and not tokenizer.lossy_reason
    assert len(tokenizer.token_bytes) == tokenizer.vocabulary_size
    assert len(tokenizer.sha256) == 64 and tokenizer.engine and tokenizer.name and tokenizer.spec


def test_bytes_survive_hard_texts(tokenizer: Tokenizer) -> None:
    assert_lossless(tokenizer, [*HARD, *SPECIAL_LOOKING])


def test_bytes_survive_the_embedded_corpus(tokenizer: Tokenizer) -> None:
    assert_lossless(tokenizer, list(embedded_lines()))


def test_bytes_survive_every_language(tokenizer: Tokenizer, shared: Path) -> None:
    languages = dict(parallel_lines(shared / "data" / "parallel", step=80))
    assert len(languages) == 38
    for lines in languages.values():
        assert_lossless(tokenizer, lines)


_SLOW = [pytest.param(unit, marks=pytest.mark.slow) for unit in ("x", "👩‍🚀", "\n")]


@pytest.mark.parametrize("unit", ["ab漢", " ", *_SLOW])
def test_bytes_survive_a_megabyte_without_a_break(tokenizer: Tokenizer, unit: str) -> None:
    assert_lossless(tokenizer, ["short", unit * (1_000_000 // len(unit.encode())), "after"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"))))
@pytest.mark.parametrize("spec", ["byte", "character", "mistral:v3", "mistral:tekken"])
def test_bytes_survive_any_text(spec: str, texts: list[str]) -> None:
    if spec not in _loaded:
        _loaded[spec] = load_tokenizer(spec)
    assert_lossless(_loaded[spec], texts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"))))
@pytest.mark.parametrize("name", TRAINED)
def test_bytes_of_trained_tokenizers_survive_any_text(
    name: str, trained: dict[str, Path], texts: list[str]
) -> None:
    key = f"trained {name}"
    if key not in _loaded:
        _loaded[key] = load_tokenizer(str(trained[name]))
    assert_lossless(_loaded[key], texts)


def test_batches_and_single_texts_agree(tokenizer: Tokenizer) -> None:
    texts = [*HARD, *list(embedded_lines())[::40]]
    together = ids_of(tokenizer.encode_batch(texts))
    alone = [tokenizer.encode_batch([text]).ids.tolist() for text in texts]
    assert together == alone
    empty = tokenizer.encode_batch([])
    assert len(empty.ids) == 0 and len(empty.lengths) == 0
    assert empty.ids.dtype == np.uint32 and empty.lengths.dtype == np.int64


def test_a_copy_sent_to_a_worker_gives_the_same_ids(tokenizer: Tokenizer) -> None:
    texts = [*HARD, *SPECIAL_LOOKING, *list(embedded_lines())[::10]]
    copy: Tokenizer = pickle.loads(pickle.dumps(tokenizer))
    assert ids_of(copy.encode_batch(texts)) == ids_of(tokenizer.encode_batch(texts))
    assert copy.sha256 == tokenizer.sha256
    assert copy.token_bytes.data == tokenizer.token_bytes.data


def test_text_like_a_special_token_is_ordinary_text(tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode_batch(SPECIAL_LOOKING)
    kinds = tokenizer.token_bytes.kinds[encoding.ids]
    assert not (kinds == TokenKind.SPECIAL).any()
    assert not (kinds == TokenKind.UNKNOWN).any()


def test_sentencepiece_cannot_tell_its_own_space_mark_from_a_space() -> None:
    tokenizer = load_tokenizer("mistral:v3")
    encoding = tokenizer.encode_batch(["a▁b", "a b"])
    assert ids_of(encoding)[0] == ids_of(encoding)[1]


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v7", "tekken"])
def test_ids_are_mistral_commons_own(version: str) -> None:
    texts = [*HARD, *SPECIAL_LOOKING, *embedded_lines()]
    own = _mistral_common(version)
    assert ids_of(load_tokenizer(f"mistral:{version}").encode_batch(texts)) == [
        own.encode(text, bos=False, eos=False) for text in texts
    ]


@pytest.mark.parametrize("version", ["v1", "v3", "tekken"])
def test_counts_are_mistral_commons_own_on_every_language(version: str, shared: Path) -> None:
    tokenizer, own = load_tokenizer(f"mistral:{version}"), _mistral_common(version)
    for language, lines in parallel_lines(shared / "data" / "parallel", step=1):
        counted = tokenizer.encode_batch(lines).lengths.tolist()
        assert counted == [len(own.encode(line, bos=False, eos=False)) for line in lines], language


@cache
def _mistral_common(version: str) -> Any:
    """Return mistral-common's own tokenizer."""
    import mistral_common
    from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    from tokenize_lab.backends.mistral import SENTENCEPIECE_FILES

    data = Path(mistral_common.__file__).parent / "data"
    if version == "tekken":
        return Tekkenizer.from_file(max(data.glob("tekken_*.json")))
    return SentencePieceTokenizer(data / SENTENCEPIECE_FILES[version])


def test_counts_are_sentencepieces_own(trained: dict[str, Path]) -> None:
    import sentencepiece

    file = trained["unigram-sp"] / "tokenizer.model"
    own = sentencepiece.SentencePieceProcessor(model_file=str(file))
    texts = [*HARD, *SPECIAL_LOOKING, *embedded_lines()]
    assert ids_of(load_tokenizer(f"sp:{file}").encode_batch(texts)) == own.encode(texts)


@pytest.mark.parametrize("name", ["bpe", "bpe-unsplit", "unigram-hf", "character", "wordpiece"])
def test_counts_are_hugging_faces_own(name: str, trained: dict[str, Path]) -> None:
    import tokenizers

    file = trained[name] / "tokenizer.json"
    own = tokenizers.Tokenizer.from_file(str(file))
    texts = [*HARD, *embedded_lines()]
    assert ids_of(load_tokenizer(f"hf:{file}").encode_batch(texts)) == [
        own.encode(text, add_special_tokens=False).ids for text in texts
    ]


def test_counts_are_tiktokens_own(tiktoken_file: Path) -> None:
    import tiktoken

    from tokenize_lab.patterns import GPT4O

    tokenizer = load_tokenizer(f"tiktoken:{tiktoken_file}@o200k_base")
    table = tokenizer.token_bytes
    own = tiktoken.Encoding(
        "own",
        pat_str=GPT4O,
        mergeable_ranks={table[i]: i for i in range(len(table))},
        special_tokens={},
    )
    texts = [*HARD, *SPECIAL_LOOKING, *embedded_lines()]
    expected = [own.encode(text, disallowed_special=()) for text in texts]
    assert ids_of(tokenizer.encode_batch(texts)) == expected


def test_long_blanks_are_encoded_as_the_engine_would(tiktoken_file: Path) -> None:
    from tokenize_lab.backends.tiktoken import LONG_BLANK

    tokenizer = load_tokenizer(str(tiktoken_file))
    text = "Hello  world\n\n  'tis 1234 " + " " * LONG_BLANK + "\n end"
    import tiktoken

    table = tokenizer.token_bytes
    own = tiktoken.Encoding(
        "own",
        pat_str=getattr(tokenizer, "pattern"),  # noqa: B009 - not part of the protocol
        mergeable_ranks={table[i]: i for i in range(len(table))},
        special_tokens={},
    )
    assert tokenizer.encode_batch([text]).ids.tolist() == own.encode_ordinary(text)
