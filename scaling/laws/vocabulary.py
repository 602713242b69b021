"""Vocabulary-aware scaling (Tao et al. 2024, arXiv 2407.13623, approach 3).

    L_u = -E + A1 / N_nv^beta + A2 / N_v^alpha2 + B / D^beta

L_u is the loss less that of a unigram model, in nats per token. N_nv are the parameters without
the vocabulary and N_v = V d those of the vocabulary, both in millions; D are training tokens in
billions, got from characters H by D = H f(V), with
f(V) = .00639222 (ln V)^2 - .15811069 ln V + 1.20470122.

The published code has a unit slip: it fits with V in thousands and passes that to f, which was
calibrated for V itself. Form `published` repeats it, so that published coefficients mean what they
meant; form `corrected` passes V.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

NAMES = ("E", "A1", "A2", "B", "alpha2", "beta")
FORMS = ("published", "corrected")
MILLION, BILLION, THOUSAND = 1e6, 1e9, 1e3
LARGEST_CALIBRATED = 200_000  # f was calibrated up to this vocabulary and is held constant beyond
SMALLEST, LARGEST = 1e3, 1e7  # where the best vocabulary is looked for
HALVINGS = 60


def tokens_per_character(vocabulary_size: Array) -> Array:
    """Return f(V) of the paper's equation for compressing text, tokens per character."""
    ln = np.log(np.minimum(vocabulary_size, LARGEST_CALIBRATED))
    return np.asarray(0.00639222 * ln**2 - 0.15811069 * ln + 1.20470122)


def tokens_in_billions(form: str, characters: Array, vocabulary_size: Array) -> Array:
    """Return D as the form counts it."""
    seen = vocabulary_size / THOUSAND if form == "published" else vocabulary_size
    return np.asarray(characters / BILLION * tokens_per_character(seen))


def _loss(p: Point, params: Array, vocabulary_params: Array, billions: Array) -> Array:
    size = p["A1"] * (params / MILLION) ** -p["beta"]
    vocabulary = p["A2"] * (vocabulary_params / MILLION) ** -p["alpha2"]
    return np.asarray(-p["E"] + size + vocabulary + p["B"] * billions ** -p["beta"])


def loss_published(
    p: Point, params: Array, vocabulary_size: Array, embedding_dim: Array, characters: Array
) -> Array:
    """Return L_u with f(V / 1000), as published."""
    billions = tokens_in_billions("published", characters, vocabulary_size)
    return _loss(p, params, vocabulary_size * embedding_dim, billions)


def loss_corrected(
    p: Point, params: Array, vocabulary_size: Array, embedding_dim: Array, characters: Array
) -> Array:
    """Return L_u with f(V)."""
    billions = tokens_in_billions("corrected", characters, vocabulary_size)
    return _loss(p, params, vocabulary_size * embedding_dim, billions)


def best_vocabulary(p: Point, params: Array, embedding_dim: Array, compute_flops: Array) -> Array:
    """Return the V of lowest loss where C = 6 (N_nv + V d) D is to be spent, by bisection on dL/dV.

    Clipped to 10^3 to 10^7.
    """

    def slope(ln_size: Array) -> Array:
        """d L_u / d ln V: what the vocabulary saves against the data it costs."""
        vocabulary = np.exp(ln_size) * embedding_dim
        billions = compute_flops / (6 * (params + vocabulary)) / BILLION
        saved = -p["alpha2"] * p["A2"] * (vocabulary / MILLION) ** -p["alpha2"]
        share = vocabulary / (params + vocabulary)
        return np.asarray(saved + p["beta"] * p["B"] * billions ** -p["beta"] * share)

    shape = np.broadcast_shapes(
        *(np.shape(one) for one in (p["A2"], params, embedding_dim, compute_flops))
    )
    low, high = np.full(shape, np.log(SMALLEST)), np.full(shape, np.log(LARGEST))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rising = slope(middle) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return np.asarray(np.exp((low + high) / 2))
