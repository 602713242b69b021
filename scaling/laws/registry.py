"""Which quantities each law predicts, from which inputs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from corpora.errors import InputError, did_you_mean
from scaling.laws import (
    chinchilla,
    isoflop,
    joint,
    joint_terms,
    kaplan,
    law1,
    law2,
    overtraining,
    power,
    repeated,
    vocabulary,
)


class Quantity(NamedTuple):
    """One thing a law can tell.

    Attributes:
        inputs: names of its inputs, all of them required.
        unit: of the answer.
        formula: (coefficients by name, **inputs) -> the answer; everything broadcasts.
    """

    inputs: tuple[str, ...]
    unit: str
    formula: Callable[..., Any]


BITS = "bits per byte"
NATS = "nats per token"
_C, _CT = ("compute_flops",), ("compute_flops", "compression_rate")
_CTB = (*_CT, "train_bytes")
_LATENT = ("latent_flops", "compression_rate")
_VOCABULARY = ("params", "vocabulary_size", "embedding_dim", "characters")
_ND, _NB = ("params", "tokens"), ("params", "bytes")

QUANTITIES: Mapping[str, Mapping[str, Quantity]] = {
    "isoflop": {"bits_per_byte": Quantity(("train_bytes",), BITS, isoflop.parabola)},
    "isoflop-surface": {
        "bits_per_byte": Quantity(("compression_rate", "bytes_per_param"), BITS, isoflop.surface)
    },
    "law1": {
        "train_bytes_opt": Quantity(_LATENT, "bytes", law1.train_bytes),
        "params_opt": Quantity(_LATENT, "parameters", law1.params),
        "bytes_per_param_opt": Quantity(_LATENT, "bytes per parameter", law1.bytes_per_param),
    },
    "law2": {
        "bits_per_byte": Quantity(_CT, BITS, law2.loss),
        "bits_per_byte_opt": Quantity(_C, BITS, law2.best_loss),
        "compression_rate_opt": Quantity(_C, "bytes per token", law2.best_rate),
        "price_bits_per_byte": Quantity(_CT, BITS, law2.price),
    },
    "chinchilla": {
        "loss": Quantity(_ND, NATS, chinchilla.loss),
        "params_opt": Quantity(_C, "parameters", chinchilla.best_params),
        "tokens_opt": Quantity(_C, "tokens", chinchilla.best_tokens),
        "params_exponent": Quantity((), "", chinchilla.params_exponent),
    },
    "chinchilla-bytes": {"loss": Quantity(_NB, BITS, chinchilla.loss_in_bytes)},
    "joint": {
        "bits_per_byte": Quantity(_CTB, BITS, joint.loss),
        "bits_per_byte_opt": Quantity(_CT, BITS, joint.best_loss),
        "compression_rate_opt": Quantity(_C, "bytes per token", joint.best_rate),
        "train_bytes_opt": Quantity(_CT, "bytes", joint.best_bytes),
        "bytes_per_param_opt": Quantity(_CT, "bytes per effective parameter", joint.best_ratio),
    },
    "joint-additive": {
        "bits_per_byte": Quantity(_CTB, BITS, joint.loss_additive),
        "bits_per_byte_opt": Quantity(_CT, BITS, joint.best_loss_additive),
        "compression_rate_opt": Quantity(_C, "bytes per token", joint.best_rate),
        "train_bytes_opt": Quantity(_CT, "bytes", joint.best_bytes),
        "bytes_per_param_opt": Quantity(_CT, "bytes per effective parameter", joint.best_ratio),
    },
    "joint-terms": {
        "bits_per_byte": Quantity(
            ("params", "train_bytes", "compression_rate"), BITS, joint_terms.loss
        )
    },
    "kaplan": {"loss": Quantity(_ND, NATS, kaplan.loss)},
    "repeated": {"loss": Quantity(("params", "tokens", "unique_tokens"), NATS, repeated.loss)},
    "vocabulary": {
        "loss": Quantity(_VOCABULARY, "nats per token", vocabulary.loss_corrected),
        "vocabulary_size_opt": Quantity(
            ("params", "embedding_dim", "compute_flops"), "ids", vocabulary.best_vocabulary
        ),
    },
    "vocabulary-published": {
        "loss": Quantity(_VOCABULARY, "nats per token", vocabulary.loss_published),
        "vocabulary_size_opt": Quantity(
            ("params", "embedding_dim", "compute_flops"), "ids", vocabulary.best_vocabulary
        ),
    },
    "overtraining": {"loss": Quantity(("params", "tokens_per_param"), NATS, overtraining.loss)},
    "approach1": {
        "params_opt": Quantity(_C, "parameters", power.params),
        "tokens_opt": Quantity(_C, "tokens", power.tokens),
    },
    "approach2": {
        "params_opt": Quantity(_C, "parameters", power.params),
        "tokens_opt": Quantity(_C, "tokens", power.tokens),
    },
    "envelope": {"loss": Quantity(_C, NATS, power.envelope)},
}


def quantity(law: str, form: str, name: str, given: tuple[str, ...]) -> Quantity:
    """Return the law's quantity of that name, after checking the inputs given for it.

    Raises:
        InputError: law or quantity unknown, or inputs missing or not among its own.
    """
    if law not in QUANTITIES:
        raise InputError(f"law {law!r} is unknown{did_you_mean(law, QUANTITIES)}")
    known = QUANTITIES[law]
    if name not in known:
        raise InputError(
            f"law {law!r} ({form}) does not predict {name!r}: it predicts {', '.join(known)}"
        )
    asked = known[name]
    if set(given) != set(asked.inputs):
        wanted = ", ".join(asked.inputs) or "no input"
        raise InputError(f"{law} {name} needs {wanted}; it was given {', '.join(given) or 'none'}")
    return asked
