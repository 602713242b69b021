"""From the string a person types to a tokenizer."""

from pathlib import Path

from corpora.errors import InputError, did_you_mean
from tokenize_lab.tokenizer import Tokenizer

PREFIXES = ("hf:", "sp:", "tiktoken:", "mistral:")
EXAMPLES = (
    "byte, character, mistral:v3, mistral:tekken, hf:PATH or hub name, sp:PATH, tiktoken:NAME"
)


def load_tokenizer(spec: str) -> Tokenizer:
    """Load the tokenizer that `spec` names.

    `byte`; `character`; `hf:` a tokenizer.json, a folder with one, or a hub name; `sp:` a
    SentencePiece .model; `tiktoken:` an encoding's name or a .tiktoken file; `mistral:` v1, v2, v3,
    v7 or tekken. Without a prefix the file says which it is. No code of a tokenizer's is run.

    Raises:
        InputError: the spec is unknown, or its file is missing, torn, or no way back to bytes.
    """
    prefix, colon, rest = spec.partition(":")
    match prefix if colon else spec:
        case "byte" if not colon:
            from tokenize_lab.tokenizers.byte import ByteTokenizer

            return ByteTokenizer()
        case "character" | "char" if not colon:
            from tokenize_lab.tokenizers.character import CharacterTokenizer

            return CharacterTokenizer(spec)
        case "mistral" if colon:
            from tokenize_lab.tokenizers.mistral import load_mistral

            return load_mistral(rest, spec)
        case "sp" if colon:
            from tokenize_lab.tokenizers.sentencepiece import load_sentencepiece

            return load_sentencepiece(Path(rest), spec)
        case "hf" if colon:
            from tokenize_lab.tokenizers.huggingface import load_huggingface

            return load_huggingface(rest, spec)
    raise InputError(f"{spec}: no such tokenizer{did_you_mean(spec, PREFIXES)} (try {EXAMPLES})")
