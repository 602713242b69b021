"""A BPE's tokenizer.json with some of its ids and merges, renumbered."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.backends.huggingface_json import parts_of, written_merges
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.tokenizer import BoolArray, IntArray

TokenizerJson = dict[str, Any]


def cut_json(
    content: TokenizerJson, merges: Merges, kept: IntArray, applies: BoolArray
) -> TokenizerJson:
    """Return a tokenizer.json of some of the ids, which close ranks in their order.

    Args:
        content: of a BPE, parsed; it is not changed.
        merges: its own.
        kept: [kept] ids, ascending; those of added tokens among them.
        applies: [R] which merges stay; of these, those whose parts and result are kept.
    """
    cut: TokenizerJson = json.loads(json.dumps(content))
    model = cut["model"]
    place = np.full(merges.vocabulary_size, -1)
    place[kept] = np.arange(len(kept))
    whole = (place[merges.left] >= 0) & (place[merges.right] >= 0) & (place[merges.made] >= 0)
    written = written_merges(model)
    model["merges"] = [list(written[i]) for i in np.flatnonzero(applies & whole).tolist()]
    model["vocab"] = {
        piece: int(place[token_id])
        for piece, token_id in model["vocab"].items()
        if place[token_id] >= 0
    }
    for token in cut.get("added_tokens") or ():
        token["id"] = int(place[token["id"]])
    cut["post_processor"] = _renumbered(cut.get("post_processor"), place)
    return cut


def _renumbered(processor: TokenizerJson | None, place: NDArray[np.int64]) -> TokenizerJson | None:
    """Return what puts special tokens around a text, with their new ids; None where one is gone."""
    for part in _processors(processor):
        for token in part.get("special_tokens", {}).values():  # TemplateProcessing
            token["ids"] = [int(place[i]) for i in token["ids"]]
            if -1 in token["ids"]:
                return None
        for name in ("sep", "cls"):  # BertProcessing and RobertaProcessing
            if name in part:
                part[name][1] = int(place[part[name][1]])
                if part[name][1] < 0:
                    return None
    return processor


def _processors(processor: TokenizerJson | None) -> list[TokenizerJson]:
    if processor is not None and processor.get("type") == "Sequence":
        return [part for inner in processor["processors"] for part in _processors(inner)]
    return list(parts_of(processor))
