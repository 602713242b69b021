"""The columns of a runs table: names, units, the key that may not repeat."""

from collections.abc import Mapping

# Positive numbers, by unit. A table need not have them all; a law says which it needs.
NUMBERS: Mapping[str, str] = {
    "compute_flops": "training FLOPs",
    "compression_rate": "bytes per token",
    "train_bytes": "bytes",
    "train_tokens": "tokens",
    "unique_bytes": "bytes, each counted once however often it was trained on",
    "unique_tokens": "tokens, each counted once however often it was trained on",
    "train_characters": "characters",
    "bits_per_byte": "bits per byte",
    "nats_per_token": "nats per token",
    "vocabulary_size": "ids",
    "embedding_dim": "channels",
    "global_params": "parameters of the global (latent) module",
    "total_params": "all parameters",
    "params": "parameters, by a convention the table does not name",
    "nonembedding_params": "parameters without embedding and head",
    "vocabulary_params": "parameters of embedding and head",
    "steps": "optimiser steps",
}

# Parameter counts, in the order in which one is chosen when the user names none.
PARAMS = ("global_params", "total_params", "nonembedding_params", "params")

# Whatever a law may be fitted to.
LOSSES = ("bits_per_byte", "nats_per_token", "unigram_normalized_loss")

LARGEST = 1e100  # of any number: beyond it, squares are no longer numbers

# Losses that may be nought or negative.
SIGNED: Mapping[str, str] = {
    "unigram_normalized_loss": "nats per token, less those of a unigram model",
}

TEXTS = ("tokenization", "language", "flops_convention", "dataset", "run_id", "status", "reason")

# Two rows that agree in all of these (where the table has them) are the same run twice.
KEY = (
    "tokenization",
    "language",
    "dataset",
    "compute_flops",
    "compression_rate",
    *PARAMS,
    "train_bytes",
    "train_tokens",
    "unique_tokens",
    "unique_bytes",
    "train_characters",
    "vocabulary_size",
    "seed",
    "run_id",
)

# What other projects call the same things.
ALIASES: Mapping[str, str] = {
    "C": "compute_flops",
    "flops": "compute_flops",
    "FLOPs": "compute_flops",
    "N": "params",
    "n": "params",
    "D": "train_tokens",
    "tokens": "train_tokens",
    "B": "train_bytes",
    "bytes": "train_bytes",
    "T": "compression_rate",
    "bytes_per_token": "compression_rate",
    "bpb": "bits_per_byte",
    "loss": "nats_per_token",
    "L": "nats_per_token",
}

FINISHED = ("", "finished", "done", "completed", "ok")
FEWEST_STEPS = 300  # shorter runs are left out unless asked for: warm-up and decay fill them
