"""The tokenizer that is to be extended or pruned, as a tokenizer.json with merges in order."""

import json
from typing import Any, NamedTuple

from corpora.errors import InputError
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.ranks_json import as_tokenizer_json
from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer, model_settings
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.merges.read import bpe_model, merges_of
from tokenize_lab.tokenizer import Tokenizer


class MergeSource(NamedTuple):
    """A BPE to be changed.

    Attributes:
        tokenizer: as a tokenizer.json has it; ids are those of what was given.
        content: its file's content, parsed.
        merges: its own.
        of_ranks: whether they were made from ranks, so that each of them fires in some text.
    """

    tokenizer: HuggingFaceTokenizer
    content: dict[str, Any]
    merges: Merges
    of_ranks: bool

    @property
    def model(self) -> dict[str, Any]:
        """The model of the content."""
        model: dict[str, Any] = self.content["model"]
        return model

    @property
    def specials(self) -> dict[str, int]:
        """Special and other added tokens, by what they are called."""
        return {token["content"]: token["id"] for token in self.content.get("added_tokens") or ()}


def merge_source(tokenizer: Tokenizer) -> MergeSource:
    """Return a BPE ready to be changed; ranks (tiktoken, tekken) become a tokenizer.json.

    Raises:
        InputError: it is no BPE, or its merges are not to be had: with what can be done instead.
    """
    of_ranks = isinstance(tokenizer, TiktokenTokenizer)
    if isinstance(tokenizer, TiktokenTokenizer):
        tokenizer = as_tokenizer_json(tokenizer)
    if not isinstance(tokenizer, HuggingFaceTokenizer):
        raise InputError(_refusal(tokenizer))
    content = json.loads(tokenizer.serialized)
    kind = content["model"].get("type") or ("BPE" if "merges" in content["model"] else "")
    if kind != "BPE":
        raise InputError(_no_merges(tokenizer.spec, kind or "no BPE"))
    bpe_model(content, tokenizer.spec)
    return MergeSource(tokenizer, content, merges_of(tokenizer), of_ranks)


def _refusal(tokenizer: Tokenizer) -> str:
    if isinstance(tokenizer, SentencePieceTokenizer):
        if model_settings(tokenizer.serialized).model_type == "bpe":
            return (
                f"{tokenizer.spec}: a SentencePiece model keeps scores and no merges; give the "
                "tokenizer.json that its model is published with instead"
            )
        return _no_merges(tokenizer.spec, "Unigram")
    return (
        f"{tokenizer.spec}: has no merges of its own to be changed; give a BPE: a tokenizer.json, "
        "a tiktoken encoding or mistral:tekken"
    )


def _no_merges(spec: str, kind: str) -> str:
    trained = {"Unigram": "unigram", "WordPiece": "wordpiece"}.get(kind, "bpe")
    return (
        f"{spec}: is {kind}, which has no merges to go on from; train one on the old and the new "
        f"text together instead: tokenize-lab tokenizers train --kind {trained}"
    )
