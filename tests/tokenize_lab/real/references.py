"""Each library's own way from text to ids and back, beside which ours is set."""

import base64
import json
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from tests.tokenize_lab.real.vocabularies import Vocabulary


class Reference(Protocol):
    """What the library itself does, text that looks special being plain text."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""
        ...

    def gives_back(self, text: str, ids: list[int]) -> bool:
        """Whether the text comes back from its ids."""
        ...

    def between(self, ids: Sequence[int]) -> list[str | bytes] | None:
        """Return what each id decodes to between two letters `a`; None where there is none."""
        ...


class HuggingFace:
    def __init__(self, path: Path) -> None:
        import tokenizers

        self.engine = tokenizers.Tokenizer.from_str(path.read_text("utf-8-sig"))
        self.engine.encode_special_tokens = True
        self.engine.no_truncation()
        self.engine.no_padding()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        # A few at a time: the library keeps much of each text of a call.
        chunks = (list(texts[start : start + 64]) for start in range(0, len(texts), 64))
        encode = self.engine.encode_batch_fast
        return [e.ids for chunk in chunks for e in encode(chunk, add_special_tokens=False)]

    def gives_back(self, text: str, ids: list[int]) -> bool:
        return bool(self.engine.decode(ids, skip_special_tokens=False) == text)

    def between(self, ids: Sequence[int]) -> list[str | bytes] | None:
        a = self.engine.token_to_id("a")
        if a is None:
            return None
        triples = [[a, token_id, a] for token_id in ids]
        return list(self.engine.decode_batch(triples, skip_special_tokens=False))


class Tiktoken:
    """tiktoken, with the pattern and special tokens that OpenAI or the package itself gives."""

    def __init__(self, path: Path, pattern: str) -> None:
        import tiktoken
        from tiktoken_ext import openai_public

        if path.suffix == ".json":
            ranks, pattern = _ranks_of_javascript(json.loads(path.read_bytes()))
        else:
            lines = [line.split() for line in path.read_bytes().splitlines() if line]
            # Whisper's files give a rank to no bytes at all.
            ranks = {base64.b64decode(token): int(rank) for token, rank in lines if token != b"="}
        if pattern in openai_public.ENCODING_CONSTRUCTORS:
            pattern = _official_pattern(pattern)
        self.engine = tiktoken.Encoding(
            path.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
        )

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.engine.encode_ordinary(text) for text in texts]

    def gives_back(self, text: str, ids: list[int]) -> bool:
        return self.engine.decode_bytes(ids) == text.encode("utf-8")

    def between(self, ids: Sequence[int]) -> list[str | bytes] | None:
        return [b"a" + self.engine.decode_single_token_bytes(i) + b"a" for i in ids]


class Tekken(Tiktoken):
    """Mistral's own loader of a tekken.json."""

    def __init__(self, path: Path, pattern: str) -> None:
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        self.loaded: Any = Tekkenizer.from_file(path)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.loaded.encode(text, bos=False, eos=False) for text in texts]

    def gives_back(self, text: str, ids: list[int]) -> bool:
        return b"".join(map(self.loaded.id_to_byte_piece, ids)) == text.encode("utf-8")

    def between(self, ids: Sequence[int]) -> list[str | bytes] | None:
        return [b"a" + self.loaded.id_to_byte_piece(i) + b"a" for i in ids]


class SentencePiece:
    def __init__(self, path: Path) -> None:
        import sentencepiece

        self.engine = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.engine.EncodeAsIds(text) for text in texts]

    def gives_back(self, text: str, ids: list[int]) -> bool:
        return bool(self.engine.DecodeIds(ids) == text)

    def between(self, ids: Sequence[int]) -> list[str | bytes] | None:
        a = self.engine.PieceToId("a")
        return [self.engine.DecodeIds([a, token_id, a]) for token_id in ids]


class Trie:
    """RWKV's: the longest token that the text goes on with, again and again."""

    def __init__(self, path: Path) -> None:
        from ast import literal_eval

        self.ids: dict[bytes, int] = {}
        for line in path.read_text("utf-8").splitlines():
            number, rest = line.split(" ", 1)
            token = literal_eval(rest[: rest.rindex(" ")])
            self.ids[token.encode("utf-8") if isinstance(token, str) else token] = int(number)
        self.pieces = {number: token for token, number in self.ids.items()}
        self.longest = max(map(len, self.ids))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._encode(text.encode("utf-8")) for text in texts]

    def _encode(self, text: bytes) -> list[int]:
        ids, at = [], 0
        while at < len(text):
            ends = range(min(len(text), at + self.longest), at, -1)
            end = next(end for end in ends if text[at:end] in self.ids)
            ids.append(self.ids[text[at:end]])
            at = end
        return ids

    def gives_back(self, text: str, ids: list[int]) -> bool:
        return b"".join(map(self.pieces.__getitem__, ids)) == text.encode("utf-8")

    def between(self, ids: Sequence[int]) -> list[str | bytes] | None:
        return [b"a" + self.pieces[i] + b"a" for i in ids]


class Clip:
    """CLIP's own way (Radford et al. 2021): letters lowered, spaces folded, `</w>` ends a word."""

    # Without the two special tokens, whose text is plain text here.
    PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

    def __init__(self, path: Path) -> None:
        import gzip

        import regex

        lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
        merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
        kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
        moved = [byte for byte in range(256) if byte not in kept]
        self.letters = {byte: chr(byte) for byte in kept}
        self.letters |= {byte: chr(256 + i) for i, byte in enumerate(moved)}
        singles = list(self.letters.values())
        pieces = [*singles, *(c + "</w>" for c in singles), *("".join(pair) for pair in merges)]
        self.pieces = [*pieces, "<|startoftext|>", "<|endoftext|>"]
        self.ids = {piece: i for i, piece in enumerate(self.pieces)}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.pattern = regex.compile(self.PATTERN, regex.IGNORECASE)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._encode(unicodedata.normalize("NFC", text)) for text in texts]

    def _encode(self, text: str) -> list[int]:
        words = self.pattern.findall(" ".join(text.split()).lower())
        return [self.ids[piece] for word in words for piece in self._merged(word)]

    def _merged(self, word: str) -> tuple[str, ...]:
        *front, last = (self.letters[byte] for byte in word.encode("utf-8"))
        parts = (*front, f"{last}</w>")
        while len(parts) > 1:
            pair = min(pairwise(parts), key=self._rank)
            if pair not in self.ranks:
                break
            out: list[str] = []
            at = 0
            while at < len(parts):
                both = parts[at : at + 2] == pair
                out.append("".join(pair) if both else parts[at])
                at += 1 + both
            parts = tuple(out)
        return parts

    def _rank(self, pair: tuple[str, ...]) -> float:
        return self.ranks.get(pair, float("inf"))

    def _decoded(self, ids: Sequence[int]) -> bytes:
        byte = {letter: value for value, letter in self.letters.items()}
        text = "".join(self.pieces[i].replace("</w>", " ") for i in ids)
        return b"".join(b" " if c == " " else bytes([byte[c]]) for c in text)

    def gives_back(self, text: str, ids: list[int]) -> bool:
        # As transformers decodes: the space after the last word is taken off.
        return self._decoded(ids).removesuffix(b" ") == text.encode("utf-8")

    def between(self, ids: Sequence[int]) -> list[str | bytes] | None:
        a = self.ids["a"]
        return [self._decoded([a, i, a]) for i in ids]


class Pair(HuggingFace):
    """vocab.json and merges.txt, as the library's own reader of the pair takes them."""

    def __init__(self, path: Path) -> None:
        import tokenizers

        merges = path.with_name(
            {"vocab.json": "merges.txt", "encoder.json": "vocab.bpe"}[path.name]
        )
        self.engine = tokenizers.ByteLevelBPETokenizer.from_file(str(path), str(merges))._tokenizer


def reference_of(vocabulary: Vocabulary, path: Path) -> Reference:
    """Return what the vocabulary's own library does with its file."""
    match vocabulary.library:
        case "tokenizers":
            return HuggingFace(path)
        case "tiktoken":
            return Tiktoken(path, vocabulary.pattern)
        case "mistral-common":
            return Tekken(path, "")
        case "sentencepiece":
            return SentencePiece(path)
        case "trie":
            return Trie(path)
        case "clip":
            return Clip(path)
        case "pair":
            return Pair(path)
    raise AssertionError(f"{vocabulary.name}: no library {vocabulary.library!r}")


def _official_pattern(name: str) -> str:
    """Return an encoding's pattern as tiktoken has it, its ranks left where they are."""
    from tiktoken_ext import openai_public

    load, openai_public.load_tiktoken_bpe = openai_public.load_tiktoken_bpe, lambda *a, **k: {}
    try:
        pattern: str = openai_public.ENCODING_CONSTRUCTORS[name]()["pat_str"]
        return pattern
    finally:
        openai_public.load_tiktoken_bpe = load


def _ranks_of_javascript(value: dict[str, Any]) -> tuple[dict[bytes, int], str]:
    """Return ranks and pattern of a JSON file of tiktoken for JavaScript: `! 0 TOKEN TOKEN ...`."""
    ranks: dict[bytes, int] = {}
    for line in value["bpe_ranks"].splitlines():
        _, first, *tokens = line.split()
        ranks |= {base64.b64decode(t): int(first) + i for i, t in enumerate(tokens)}
    return ranks, value["pat_str"]
