"""From the string a person types to a tokenizer."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpora.errors import InputError, did_you_mean, is_file, is_folder
from tokenize_lab.tokenizer import Tokenizer

PREFIXES = ("hf:", "sp:", "tiktoken:", "mistral:")
NAMES = (
    "byte", "character",
    "mistral:v1", "mistral:v2", "mistral:v3", "mistral:v7", "mistral:tekken",
    "tiktoken:gpt2", "tiktoken:r50k_base", "tiktoken:p50k_base", "tiktoken:cl100k_base",
    "tiktoken:o200k_base",
)  # fmt: skip
FORMS = (
    "byte, character, mistral:v3, tiktoken:cl100k_base, hf:NAME, or a tokenizer's file or folder"
)
# What may stand before any BPE's spec, once or more: `truncated:4096:SPEC`, `masked:.75:SPEC`,
# `dropout:.1:SPEC`.
_CUTS = re.compile(r"(?:(?:truncated|masked|dropout):[^:]*:)*")


def load_tokenizers(specs: Sequence[str]) -> list[Tokenizer]:
    """Load the tokenizers that `specs` name, in order, so that no two have the same name.

    A tokenizer keeps its short name where that is its own alone; those that would share one are
    named by the specs that asked for them.

    Raises:
        InputError: a spec is given twice, or one of them cannot be loaded.
    """
    for spec, times in Counter(specs).items():
        if times > 1:
            raise InputError(f"{spec}: given twice; give each once")
    loaded = [load_tokenizer(spec) for spec in specs]
    # A spec taken for a name can be the short name of a third one, hence again until all differ.
    while twins := {n for n, times in Counter(t.name for t in loaded).items() if times > 1}:
        loaded = [
            _renamed(tokenizer, spec) if tokenizer.name in twins else tokenizer
            for spec, tokenizer in zip(specs, loaded, strict=True)
        ]
    return loaded


def _renamed(tokenizer: Any, name: str) -> Tokenizer:
    renamed: Tokenizer = dataclasses.replace(tokenizer, name=name)  # all adapters are dataclasses
    return renamed


def load_tokenizer(spec: str) -> Tokenizer:
    """Load the tokenizer that `spec` names.

    `byte`; `character`; `hf:` a tokenizer.json, a folder with one, or a hub name; `sp:` a
    SentencePiece .model; `tiktoken:` an encoding's name or a .tiktoken file (`FILE@NAME` takes the
    pattern of the encoding NAME); `mistral:` v1, v2, v3, v7 or tekken. Without a prefix the file
    says which it is. No code of a tokenizer's is ever run.

    `truncated:V:SPEC` is a BPE of SPEC's first merges, V ids in all; `masked:SHARE:SPEC` leaves
    that share of its ids unused and declares them all the same; `dropout:P:SPEC` leaves out each
    merge with probability P, by draws that follow from the text and a seed (`dropout:P@SEED:SPEC`).

    Raises:
        InputError: the spec is unknown, or its file is missing, torn, or no way back to bytes.
    """
    prefix, colon, rest = spec.partition(":")
    if colon and not rest and f"{prefix}:" in PREFIXES:
        raise InputError(f"{spec}: names no tokenizer after the colon (try {FORMS})")
    match prefix + colon:
        case "truncated:" | "masked:" | "dropout:":
            return _cut(prefix, rest, spec)
        case "byte":
            from tokenize_lab.backends.simple import ByteTokenizer

            return ByteTokenizer()
        case "character" | "char":
            from tokenize_lab.backends.simple import CharacterTokenizer

            return CharacterTokenizer(spec)
        case "hf:":
            from tokenize_lab.backends.huggingface import load_huggingface

            return load_huggingface(rest, spec)
        case "sp:":
            from tokenize_lab.backends.sentencepiece import load_sentencepiece

            return load_sentencepiece(Path(rest), spec)
        case "tiktoken:":
            from tokenize_lab.backends.tiktoken import load_tiktoken

            return load_tiktoken(rest, spec)
        case "mistral:":
            from tokenize_lab.backends.mistral import load_mistral

            return load_mistral(rest, spec)
    path = Path(spec)
    if path.name.startswith("tekken") and path.suffix == ".json" and is_file(path):
        from tokenize_lab.backends.mistral import load_tekken

        return load_tekken(path, spec, path.stem)
    return load_tokenizer(f"{_prefix_of_file(path, spec)}{spec}")


def cuts_of(spec: str) -> tuple[str, str]:
    """Return what cuts a tokenizer down, `masked:.75:` or nothing, and the spec of the whole."""
    match = _CUTS.match(spec)
    assert match is not None
    return match[0], spec[match.end() :]


def _cut(how: str, rest: str, spec: str) -> Tokenizer:
    """Return a tokenizer that does not use all its merges."""
    number, colon, inner = rest.partition(":")
    whole = inner or "SPEC"
    example = f"truncated:4096:{whole}, masked:.75:{whole}, dropout:.1:{whole}"
    if not colon or not inner:
        raise InputError(f"{spec}: a number, then a tokenizer: {example}")
    from tokenize_lab.merges.dropout import with_dropout
    from tokenize_lab.merges.truncate import masked, truncated

    try:
        if how == "dropout":
            share, _, seed = number.partition("@")
            return with_dropout(load_tokenizer(inner), float(share), int(seed or 0))
        if how == "truncated":
            return truncated(load_tokenizer(inner), int(number))
        return masked(load_tokenizer(inner), float(number))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{spec}: {number!r} is no number; such as {example}") from error


def _prefix_of_file(path: Path, spec: str) -> str:
    """Return the prefix that a file's or folder's name calls for."""
    if is_folder(path):
        if is_file(path / "tokenizer.json"):
            return "hf:"
        if is_file(path / "tokenizer.model"):
            return "sp:"
        raise InputError(f"{path}: no tokenizer.json or tokenizer.model in this folder")
    if not is_file(path):
        if "/" in spec or path.suffix in (".json", ".model", ".tiktoken"):
            raise InputError(f"{spec}: no such file or folder (a name on the hub is hf:{spec})")
        if near := did_you_mean(spec, (*NAMES, *PREFIXES)):
            raise InputError(f"{spec}: no such tokenizer{near}")
        raise InputError(f"{spec}: no such tokenizer (try {FORMS})")
    if path.suffix == ".json":
        return "hf:"
    if ".model" in path.name:  # tokenizer.model, tokenizer.model.v3
        return "sp:"
    if path.suffix == ".tiktoken":
        return "tiktoken:"
    raise InputError(
        f"{path}: its name does not say what it is; put {', '.join(PREFIXES)} before it"
    )
