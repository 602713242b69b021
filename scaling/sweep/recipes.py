"""Tokenizers that a sweep trains on its texts, written KIND:SIZE, as bpe:1024."""

import re

from tokenize_lab.load import cuts_of
from tokenize_lab.train.settings import ENGINES, TrainSettings

_RECIPE = re.compile(rf"({'|'.join(ENGINES)}):(\d{{1,20}})")


def recipe_of(spec: str) -> TrainSettings | None:
    """Return how to train the tokenizer of a spec; None where the spec names one that is there.

    Raises:
        InputError: none has so few or so many ids.
    """
    recipe = _RECIPE.fullmatch(cuts_of(spec)[1])
    return TrainSettings(recipe[1], int(recipe[2])) if recipe else None
