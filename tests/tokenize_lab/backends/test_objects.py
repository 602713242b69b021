"""Objects of other libraries, and of one's own, as tokenizers."""

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import pytest

from corpora.corpus import corpus_of
from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD
from tokenize_lab.backends.objects import tokenizer_of
from tokenize_lab.measurement import measure
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer, load_tokenizers


class Pairs:
    """Two bytes to a token where they go, with an id beyond them that nothing has."""

    token_bytes = [bytes([b]) for b in range(256)] + [b"ab", b""]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [
            [i for part in text.encode().split(b"ab") for i in (*part, 256)][:-1] for text in texts
        ]


def same(one: Tokenizer, other: Tokenizer) -> bool:
    first, second = one.encode_batch(HARD), other.encode_batch(HARD)
    table = [one.token_bytes[i] == other.token_bytes[i] for i in range(len(one.token_bytes))]
    return first.ids.tolist() == second.ids.tolist() and all(table) and one.sha256 == other.sha256


def test_a_librarys_object_is_its_file(trained: dict[str, Path], tiktoken_file: Path) -> None:
    import sentencepiece
    import tokenizers

    from tokenize_lab.backends.encodings import ENCODINGS
    from tokenize_lab.backends.tiktoken import read_ranks

    path = trained["bpe"] / "tokenizer.json"
    loaded = tokenizers.Tokenizer.from_file(str(path))
    object_bpe = tokenizer_of(loaded, "mine")
    of_file = load_tokenizer(str(path))
    assert object_bpe.name == "mine" and object_bpe.lossless
    assert (
        object_bpe.encode_batch(HARD).ids.tolist() == of_file.encode_batch(HARD).ids.tolist()
        and object_bpe.token_bytes.data == of_file.token_bytes.data
    )

    model = trained["unigram-sp"] / "tokenizer.model"
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    assert same(tokenizer_of(processor), load_tokenizer(str(model)))

    import tiktoken

    ranks = read_ranks(tiktoken_file, tiktoken_file.read_bytes())
    encoding = tiktoken.Encoding(
        "own", pat_str=ENCODINGS["gpt2"].pattern, mergeable_ranks=ranks, special_tokens={}
    )
    assert tokenizer_of(encoding).name == "own"
    assert same(tokenizer_of(encoding), load_tokenizer(f"tiktoken:{tiktoken_file}@gpt2"))


def test_an_object_of_ones_own() -> None:
    tokenizer = tokenizer_of(Pairs())
    assert (tokenizer.name, tokenizer.vocabulary_size, tokenizer.lossless) == ("Pairs", 258, True)
    assert tokenizer.encode_batch(["abc", ""]).lengths.tolist() == [2, 0]
    assert tokenizer.pretoken_count("a b") is None
    # Nothing says that two such objects are the same, so neither takes the other's counts.
    assert tokenizer.sha256 != tokenizer_of(Pairs()).sha256
    ours = load_tokenizer("byte")
    assert tokenizer_of(ours) == ours and tokenizer_of(ours, "mine").name == "mine"


def test_an_object_that_loses_text_is_found_out() -> None:
    class Loses(Pairs):
        def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
            return super().encode_batch([text.lower() for text in texts])

    tokenizer = tokenizer_of(Loses())
    assert not tokenizer.lossless and "bytes of its tokens differ" in tokenizer.lossy_reason


def test_objects_of_one_name_are_told_apart() -> None:
    loaded = load_tokenizers(["byte", Pairs(), Pairs()])
    assert len({t.name for t in loaded}) == 3
    assert all(t.name.startswith("Pairs ") for t in loaded[1:])


def test_what_is_no_tokenizer() -> None:
    class Few(Pairs):
        def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
            return []

    class Beyond(Pairs):
        def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
            return [[999] for _ in texts]

    class Fractions(Pairs):
        def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
            return [[1.5] for _ in texts]  # type: ignore[list-item]

    class Endless(Pairs):
        def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
            return repeat([0])  # type: ignore[return-value]

    class Far(Pairs):
        token_bytes = {10**9: b"a"}  # type: ignore[assignment]  # noqa: RUF012

    class Raw(Pairs):
        name = "bad\udcff"

    class Strings(Pairs):
        token_bytes = ["a"]  # type: ignore[list-item]  # noqa: RUF012

    for source, said in (
        (object(), "not a tokenizer; it needs encode_batch"),
        (Few(), "one list for each text was wanted"),
        (Beyond(), "the largest id 999"),
        (Fractions(), "no lists of ids"),
        (Endless(), "one list for each text was wanted"),
        (Far(), "must be at most 16,777,215"),
        (Raw(), "must be valid UTF-8"),
        (Strings(), "token_bytes must be the bytes of each id"),
    ):
        with pytest.raises(InputError, match=said):
            tokenizer_of(source)


def test_it_is_measured_as_any_other() -> None:
    corpus = corpus_of({"eng_Latn": ["ab", "abab"], "deu_Latn": ["xy", "z"]})
    found = measure([corpus], ["byte", Pairs()])
    rows = {(row["tokenizer"], row["language"]): row["tokens"] for row in found.rows()}
    assert rows["Pairs", "eng_Latn"] == 3 and rows["byte", "eng_Latn"] == 6


def test_tokenizers_of_this_library_stay_what_they_are() -> None:
    for spec in ("byte", "character", "mistral:tekken", "truncated:2000:mistral:tekken"):
        loaded = load_tokenizer(spec)
        assert type(tokenizer_of(loaded)) is type(loaded)
        assert tokenizer_of(loaded, "mine").spec == loaded.spec
