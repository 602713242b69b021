"""Specs: what each names, what is guessed, and one clear line for what cannot be loaded."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from corpora.errors import InputError
from tokenize_lab.tokenizer import describe
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer, load_tokenizers


def test_a_file_or_folder_says_what_it_is(
    trained: dict[str, Path], tiktoken_file: Path, tmp_path: Path
) -> None:
    bpe, unigram = trained["bpe"], trained["unigram-sp"]
    for spec, prefix in (
        (f"{bpe}", "hf:"),
        (f"{bpe / 'tokenizer.json'}", "hf:"),
        (f"{unigram}", "sp:"),
        (f"{unigram / 'tokenizer.model'}", "sp:"),
        (f"{tiktoken_file}", "tiktoken:"),
    ):
        guessed, named = load_tokenizer(spec), load_tokenizer(prefix + spec)
        assert (guessed.sha256, guessed.name) == (named.sha256, named.name)
        assert guessed.spec == prefix + spec
    assert load_tokenizer(str(bpe)).name == "bpe"
    versioned = tmp_path / "own.model.v3"
    shutil.copy(unigram / "tokenizer.model", versioned)
    assert load_tokenizer(str(versioned)).engine.startswith("sentencepiece")


def test_names() -> None:
    assert load_tokenizer("byte").vocabulary_size == 256
    assert load_tokenizer("char").vocabulary_size == load_tokenizer("character").vocabulary_size
    assert load_tokenizer("character").vocabulary_size == 1_114_112
    assert load_tokenizer("mistral:v1").vocabulary_size == 32_000
    assert load_tokenizer("mistral:v3").vocabulary_size == 32_768
    tekken = load_tokenizer("mistral:tekken")
    assert tekken.vocabulary_size == 131_072
    assert tekken.sha256 == load_tokenizer("mistral:tekken-240911").sha256
    assert tekken.sha256 != load_tokenizer("mistral:tekken-240718").sha256


def test_names_are_short_where_they_are_alone(trained: dict[str, Path]) -> None:
    specs = ["byte", "mistral:v3", str(trained["bpe"]), "character"]
    assert [t.name for t in load_tokenizers(specs)] == ["byte", "mistral:v3", "bpe", "character"]
    assert load_tokenizers([]) == []


def test_names_that_two_would_share_have_the_least_of_their_path(
    trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, recipe in (("tkx", "bpe"), ("tky", "bpe-unsplit")):
        (tmp_path / folder).mkdir()
        shutil.copy(trained[recipe] / "tokenizer.json", tmp_path / folder / "m.json")
    shutil.copytree(trained["character"], tmp_path / "out" / "character")
    specs = ["tkx/m.json", "byte", "tky/m.json", "character", "out/character"]
    loaded = load_tokenizers(specs)
    assert [t.name for t in loaded] == ["tkx/m", "byte", "tky/m", "character", "out/character"]
    assert [t.sha256 for t in loaded] == [load_tokenizer(spec).sha256 for spec in specs]
    assert [t.spec for t in loaded] == [load_tokenizer(spec).spec for spec in specs]
    texts = ["", "the rye bread", "☃"]
    for tokenizer, spec in zip(loaded, specs, strict=True):
        ids = tokenizer.encode_batch(texts).ids.tolist()
        assert ids == load_tokenizer(spec).encode_batch(texts).ids.tolist()


def test_one_file_by_two_specs_has_two_names(trained: dict[str, Path]) -> None:
    specs = [str(trained["bpe"]), f"hf:{trained['bpe']}", "char", "character"]
    assert [t.name for t in load_tokenizers(specs)] == specs


def test_a_spec_may_be_the_short_name_of_another(
    trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained["unigram-sp"], "m")
    shutil.copytree(trained["bpe"], "x/sp:m")
    specs = ["sp:m", "m", "x/sp:m"]
    assert [load_tokenizer(spec).name for spec in specs] == ["m", "m", "sp:m"]
    assert [t.name for t in load_tokenizers(specs)] == specs


def test_a_name_of_ones_own(trained: dict[str, Path]) -> None:
    bpe = trained["bpe"]
    specs = [f"mine={bpe}", str(bpe), f"truncated:300:mine={bpe}"]
    named = [load_tokenizer(specs[0]), load_tokenizer(specs[2])]
    assert [t.name for t in named] == ["mine", "truncated:300:mine"]
    assert [t.spec for t in named] == [f"hf:{bpe}", f"truncated:300:hf:{bpe}"]
    assert [t.name for t in load_tokenizers([specs[0], specs[1], "byte"])] == [
        "mine",
        "bpe",
        "byte",
    ]
    # The name one gives stays; what would have had it by itself gives way.
    loaded = load_tokenizers([f"bpe={trained['character']}", str(bpe)])
    assert [t.name for t in loaded] == ["bpe", f"{bpe.parent.name}/bpe"]
    for twins in (["a=byte", "a=character"], ["byte=character", "byte"]):
        with pytest.raises(InputError, match="the name of two tokenizers; give each"):
            load_tokenizers(twins)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("byte", ("", "", "", "byte")),
        ("mine=hf:a/b", ("mine", "", "hf:", "a/b")),
        ("m=truncated:9:sp:x", ("m", "truncated:9:", "sp:", "x")),
        (
            "masked:.5:dropout:.1:m=x.json",
            ("masked:.5:dropout:.1:m", "masked:.5:dropout:.1:", "", "x.json"),
        ),
        ("tiktoken:f@gpt2", ("", "", "tiktoken:", "f@gpt2")),
        ("./a=b.json", ("", "", "", "./a=b.json")),
        ("x=", ("", "", "", "x=")),
    ],
)
def test_a_spec_is_read_once_and_written_as_it_was(text: str, parts: tuple[str, ...]) -> None:
    spec = TokenizerSpec.parse(text)
    assert (spec.name, spec.cuts, spec.prefix, spec.where) == parts
    assert str(spec) == text


def test_a_spec_in_a_file_is_seen_from_its_folder(trained: dict[str, Path], tmp_path: Path) -> None:
    folder = trained["bpe"].parent

    def seen(spec: str) -> str:
        return str(TokenizerSpec.parse(spec).relative_to(folder))

    assert seen("byte") == "byte" and seen("mistral:tekken") == "mistral:tekken"
    assert seen("m=truncated:300:bpe") == f"m=truncated:300:{folder}/bpe"
    assert seen("hf:owner/name") == "hf:owner/name"
    assert seen("none/such.json") == f"{folder}/none/such.json"


def test_a_spec_and_its_file_are_copied(
    trained: dict[str, Path], tiktoken_file: Path, tmp_path: Path
) -> None:
    for form, copied in (
        (f"m={trained['bpe']}", "m=tokenizer.json"),
        (f"masked:.5:hf:{trained['bpe']}/tokenizer.json", "masked:.5:hf:tokenizer.json"),
        (f"sp:{trained['unigram-sp']}", "sp:tokenizer.model"),
        (f"tiktoken:{tiktoken_file}@gpt2", f"tiktoken:own-{tiktoken_file.name}@gpt2"),
    ):
        spec = TokenizerSpec.parse(form).copy_into(tmp_path, [tiktoken_file.name])
        assert str(spec) == copied
        there = spec.inside(tmp_path)
        assert there is not None
        assert load_tokenizer(str(there)).sha256 == load_tokenizer(form).sha256
    assert str(TokenizerSpec.parse("mistral:v3").copy_into(tmp_path)) == "mistral:v3"
    for outside in ("", "hf:", "../x.json", "hf:owner/name", str(trained["bpe"]), "none.json"):
        assert TokenizerSpec.parse(outside).inside(tmp_path) is None


def test_a_tokenizer_given_twice() -> None:
    with pytest.raises(InputError, match=r"^mistral:v3: given twice; give each once$"):
        load_tokenizers(["mistral:v3", "byte", "mistral:v3"])


def test_a_tekken_file_is_known_by_its_name(tmp_path: Path) -> None:
    content = _tekken(300)
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps(content), "utf-8")
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.vocabulary_size == 310
    assert tokenizer.encode_batch(["a"]).ids.tolist() == [10 + ord("a")]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("bytes", "did you mean 'byte'?"),
        ("mistrl:v3", "did you mean 'mistral:v3'?"),
        ("mistral:v4", "known: tekken"),
        ("mistral:tekkn", "did you mean 'tekken'?"),
        ("cl100k_base", "did you mean 'tiktoken:cl100k_base'?"),
        ("tiktoken:cl100k", "did you mean 'cl100k_base'?"),
        ("tiktoken:", "names no tokenizer"),
        ("zzzzzz", "no such tokenizer"),
        ("no/such/tokenizer.json", "no such file or folder"),
        ("hf:no/such/tokenizer.json", "no such file or folder"),
        ("sp:no_such.model", "cannot be read (No such file or directory)"),
        ("tiktoken:no_such.tiktoken", "no such file"),
    ],
)
def test_what_is_not_there(spec: str, says: str) -> None:
    assert says in _refusal(spec)


def test_folders_and_files_of_nothing_known(tmp_path: Path) -> None:
    assert "no tokenizer.json or tokenizer.model" in _refusal(str(tmp_path))
    assert "no tokenizer.json in this folder" in _refusal(f"hf:{tmp_path}")
    strange = tmp_path / "vocabulary.bin"
    strange.write_bytes(b"?")
    assert "of no form that is known here" in _refusal(str(strange))


def test_a_hub_name_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    message = _refusal("hf:nobody/no-such-tokenizer")
    assert "hf:nobody/no-such-tokenizer" in message and "hub" in message


def test_an_encoding_that_cannot_be_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A proxy that refuses connections: the same whether this machine has a network or not.
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    message = _refusal("tiktoken:r50k_base")
    assert "TIKTOKEN_CACHE_DIR" in message and "tiktoken:r50k_base.tiktoken" in message


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": 1}', b"[]", b"\xff\xfe{}", b'{"version": "1.0", "model": {}}']
)
def test_a_torn_tokenizer_json(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    message = _refusal(str(path))
    assert str(path) in message and "not a whole tokenizer.json" in message


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_torn_real_file(share: float, trained: dict[str, Path], tmp_path: Path) -> None:
    for folder, name in (("bpe", "tokenizer.json"), ("unigram-sp", "tokenizer.model")):
        content = (trained[folder] / name).read_bytes()
        path = tmp_path / name
        path.write_bytes(content[: int(len(content) * share)])
        message = _refusal(str(path))
        assert str(path) in message and "not a whole" in message


def test_a_model_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    for content in (b"not a model at all, but text\n" * 50, bytes(range(256)) * 9, b"\n\x00"):
        path.write_bytes(content)
        assert str(path) in _refusal(str(path))


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (3, b"IQ== 0\nIg== 1\nIw=\n"),
        (2, b"IQ== 0\nnot base64! 1\n"),
        (2, b"IQ== 0\nIg== 0\n"),
        (2, b"IQ== 0\nIQ== 1\n"),
        (1, b"IQ== -1\n"),
        (1, b"IQ== 99999999999\n"),
        (2, b"IQ== 0\nIg==\n"),
    ],
)
def test_a_torn_tiktoken_file_names_its_line(line: int, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "own.tiktoken"
    path.write_bytes(content)
    assert f"{path}:{line}:" in _refusal(f"tiktoken:{path}")


def test_a_tiktoken_file_cut_short(tiktoken_file: Path, tmp_path: Path) -> None:
    content = tiktoken_file.read_bytes()
    path = tmp_path / "cut.tiktoken"
    path.write_bytes(content[: content.index(b" 200\n")])
    assert f"{path}:201:" in _refusal(str(path))
    path.write_bytes(content[: content.index(b" 200\n") + 5])
    assert "no token for byte" in _refusal(str(path))


def test_an_encoding_by_name_is_the_librarys_own(
    tiktoken_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tiktoken

    from tokenize_lab.backends.tiktoken import read_ranks

    ranks = read_ranks(tiktoken_file, tiktoken_file.read_bytes())
    own = tiktoken.Encoding(
        "r50k_base", pat_str=r"\s+|\S+", mergeable_ranks=ranks, special_tokens={}
    )
    # The library keeps what it has fetched here.
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "r50k_base", own)
    tokenizer = load_tokenizer("tiktoken:r50k_base")
    assert tokenizer.vocabulary_size == 50257 and tokenizer.pretoken_count("a b") == 3
    text = "the price of 3 things"
    assert tokenizer.encode_batch([text]).ids.tolist() == own.encode(text)


def test_a_tiktoken_file_takes_the_pattern_it_is_told(tiktoken_file: Path) -> None:
    default = load_tokenizer(f"tiktoken:{tiktoken_file}")
    gpt2 = load_tokenizer(f"tiktoken:{tiktoken_file}@gpt2")
    assert default.name == "first5000@cl100k_base" and gpt2.name == "first5000@gpt2"
    assert default.sha256 != gpt2.sha256
    assert default.pretoken_count("12345") == 2 and gpt2.pretoken_count("12345") == 1
    assert "no encoding 'nosuch'" in _refusal(f"tiktoken:{tiktoken_file}@nosuch")


def test_a_pattern_may_be_a_name_or_a_file_and_a_guess_is_told(
    tiktoken_file: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own@work" / "digits.txt"
    own.parent.mkdir()
    own.write_text(r"\p{N}{2}|\p{N}|[^\p{N}]+" + "\n", "utf-8")
    pieces = {
        name: load_tokenizer(f"tiktoken:{tiktoken_file}@{name}").pretoken_count("12345")
        for name in ("qwen2", "llama3", "gpt2", "o200k_harmony", str(own))
    }
    assert list(pieces.values()) == [5, 2, 1, 2, 3]
    told, guessed = (load_tokenizer(f"tiktoken:{tiktoken_file}{t}") for t in ("@qwen2", ""))
    assert describe(told)["remark"] == ""
    assert (
        "does not say how text is split; the pattern of cl100k_base" in describe(guessed)["remark"]
    )
    # A file in a folder whose name has an @, and a pattern beside it, are copied and found again.
    ranks = own.parent / "mine.tiktoken"
    ranks.write_bytes(tiktoken_file.read_bytes())
    spec = TokenizerSpec.parse("tiktoken:mine.tiktoken@digits.txt").relative_to(own.parent)
    there = spec.copy_into(tmp_path).inside(tmp_path)
    assert there is not None
    assert load_tokenizer(str(there)).sha256 == load_tokenizer(str(spec)).sha256
    own.write_text(r"[a-z]+", "utf-8")
    assert not load_tokenizer(f"tiktoken:{ranks}@{own}").lossless
    for wrong in (b"(", b"\xff"):
        own.write_bytes(wrong)
        assert f"{own}: not a regular expression" in _refusal(f"tiktoken:{ranks}@{own}")


def test_an_empty_token_and_ranks_under_another_name(tiktoken_file: Path, tmp_path: Path) -> None:
    lines = tiktoken_file.read_bytes().splitlines(keepends=True)
    path = tmp_path / "multilingual.tiktoken"
    path.write_bytes(b"".join(lines) + b"= 5000\n")
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.vocabulary_size == 5001 and tokenizer.token_bytes[5000] == b""
    assert tokenizer.name == "multilingual@gpt2"
    assert tokenizer.encode_batch(["12345"]).ids.tolist() == (
        load_tokenizer(f"tiktoken:{tiktoken_file}@gpt2").encode_batch(["12345"]).ids.tolist()
    )
    path.write_bytes(b"".join(lines) + b"= 5000\n= 5001\n")
    assert ":5002: rank 5001 or its token comes twice" in _refusal(str(path))


def test_models_of_openai_are_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import tiktoken

    ranks = {bytes([byte]): byte for byte in range(256)}
    for name in ("o200k_base", "o200k_harmony", "p50k_edit"):
        own = tiktoken.Encoding(name, pat_str=r"\s+|\S+", mergeable_ranks=ranks, special_tokens={})
        monkeypatch.setitem(tiktoken.registry.ENCODINGS, name, own)
    for model, size in (
        ("gpt-4o", 200019), ("gpt-4o-mini", 200019), ("gpt-oss-120b", 201088),
        ("o200k_harmony", 201088), ("text-davinci-edit-001", 50284),
    ):  # fmt: skip
        tokenizer = load_tokenizer(f"tiktoken:{model}")
        assert (tokenizer.name, tokenizer.vocabulary_size) == (model, size)
    assert "did you mean 'gpt-4o'?" in _refusal("tiktoken:gpt-4oo")


@pytest.mark.parametrize("change", ["vocab", "config", "rank"])
def test_a_torn_tekken_file(change: str, tmp_path: Path) -> None:
    content = _tekken(300)
    if change == "rank":
        content["vocab"].pop(7)
    else:
        del content[change]
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps(content), "utf-8")
    assert "not a whole tekken.json" in _refusal(str(path))


def _tekken(size: int) -> dict[str, Any]:
    pieces = [bytes([i]) for i in range(256)] + [b"aa%d" % i for i in range(size - 256)]
    return {
        "config": {
            "pattern": r"\s+|\S+",
            "default_vocab_size": size + 10,
            "default_num_special_tokens": 10,
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
            for rank, piece in enumerate(pieces)
        ],
    }


def _refusal(spec: str) -> str:
    with pytest.raises(InputError) as caught:
        load_tokenizer(spec)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    return message
