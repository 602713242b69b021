"""Every law, declared once: what it says, needs, may be told, predicts, and who fits it.

To add a law: write its formula and quantities in `scaling.laws`, its fit in `scaling.fits`, and its
entry here. The command's help, its options and its messages follow from the entry. This module is
read for help alone, so it names what is heavy as `module:name` instead of importing it.
"""

from importlib import import_module
from typing import Any

from corpora.arguments import text
from corpora.errors import InputError, did_you_mean
from scaling.laws.declared import (
    BITS,
    DEFAULTS,
    MINIMA,
    NATS,
    Law,
    Options,
    Quantities,
    Quantity,
)

__all__ = ["BITS", "DEFAULTS", "LAWS", "MINIMA", "NATS", "Law", "Options", "Quantities", "Quantity"]

ABOUT_LATENT = (
    "`latent_flops` are those of the latent module alone, 6 N B / T (from a whole budget, `advise`"
    " gives N* and B*)"
)

_ISOFLOP = ("compute_flops", "params", "train_bytes", "bits_per_byte")
_RATES = ("compute_flops", "compression_rate", "bits_per_byte")
_OF_A_BOWL = {
    "compression_rate_opt": "bytes per token",
    "bytes_per_param_opt": "bytes per parameter",
    "bits_per_byte_opt": BITS,
}
_JOINT = ("E", "L0", "gamma", "rho0")
_CHINCHILLA = ("E", "A", "B", "alpha", "beta")
_CHARGES = ("log-huber", "log-lad", "log-l2", "l2", "lower-edge")  # of a residual
_VOCABULARY = ("E", "A1", "A2", "B", "alpha2", "beta")

LAWS: dict[str, Law] = {
    "isoflop": Law(
        "a parabola in ln B (or ln D) for every budget and rate",
        "scaling.fits.isoflop:fit_parabolas",
        "scaling.laws.optimum:PARABOLA",
        ("compute_flops", "params"),
        resampling="residuals",
        by_budget=True,
        units={
            **_OF_A_BOWL,
            "train_bytes_opt": "bytes",
            "params_opt": "parameters",
            "curvature": "loss per squared ln",
            "train_tokens_opt": "tokens",
            "tokens_per_param_opt": "tokens per parameter",
            "nats_per_token_opt": NATS,
        },
    ),
    "isoflop-surface": Law(
        "a paraboloid in ln T and ln rho per budget",
        "scaling.fits.isoflop:fit_surfaces",
        "scaling.laws.optimum:SURFACE",
        ("compression_rate", "train_bytes", "params", "bits_per_byte", "compute_flops"),
        by_budget=True,
        units=_OF_A_BOWL,
    ),
    "law1": Law(
        "B*, N* and rho* as powers of compute and rate",
        "scaling.fits.law1:fit_law1",
        "scaling.laws.optimum:LAW1",
        (*_ISOFLOP, "compression_rate"),
        resampling="residuals",
        by_budget=True,
        units={"residuals": "ln bytes", "B0": "bytes", "N0": "parameters"},
    ),
    "law2": Law(
        "the price of a compression rate, and T*(C)",
        "scaling.fits.law2:fit_law2",
        "scaling.laws.optimum:LAW2",
        _RATES,
        forms={
            "mean": ("gamma", "L0", "E"),
            "constant": ("gamma", "L0", "E", "F", "T0"),
            "compute-dependent": ("gamma", "L0", "E", "F", "T0", "delta"),
            # The bowl shrinks with what is left to learn, or by a power of its own.
            "proportional": ("gamma", "L0", "E", "K", "T0", "delta"),
            "shrinking": ("gamma", "L0", "E", "F", "T0", "delta", "phi"),
        },
        default="compute-dependent",  # or one of the two below it, where that predicts better
        takes=("minima",),
        resampling="residuals",
        one_stage=True,
        by_budget=True,
        units={"residuals": BITS, "F": BITS, "E": BITS},
    ),
    "chinchilla": Law(
        "L = E + A / N^alpha + B / D^beta",
        "scaling.fits.chinchilla:fit_chinchilla",
        "scaling.laws.chinchilla:TOKENS",
        ("params",),
        forms=dict.fromkeys(_CHARGES, _CHINCHILLA),
        default="log-huber",
        one_stage=True,
    ),
    "coupled": Law(
        "L = E + (A N^(-alpha/k) + B D^(-beta/k))^k",
        "scaling.fits.chinchilla:fit_coupled",
        "scaling.laws.coupled:TOKENS",
        ("params",),
        forms=dict.fromkeys(_CHARGES, (*_CHINCHILLA, "k")),
        default="log-huber",
        one_stage=True,
    ),
    "approach1": Law(
        "N* and D* along the envelope of losses",
        "scaling.fits.powers:fit_approach1",
        "scaling.laws.optimum:POWERS",
        ("compute_flops", "params"),
        units={"residuals": "ln parameters"},
    ),
    "approach2": Law(
        "N* and D* through the isoFLOP minima",
        "scaling.fits.powers:fit_approach2",
        "scaling.laws.optimum:POWERS",
        ("compute_flops", "params"),
        resampling="residuals",
        by_budget=True,
        units={"residuals": "ln parameters"},
    ),
    "envelope": Law(
        "L* = E + A C^-alpha with E given",
        "scaling.fits.powers:fit_envelope",
        "scaling.laws.optimum:ENVELOPE",
        ("compute_flops",),
        takes=("irreducible",),
        resampling="residuals",
        units={"residuals": "as the loss"},
    ),
    "overtraining": Law(
        "one exponent for size and data",
        "scaling.fits.other_laws:fit_overtraining",
        "scaling.laws.chinchilla:PARALLEL",
        ("params", "train_tokens", "nats_per_token"),
        one_stage=True,
        units={"residuals": NATS, "E": NATS},
    ),
    "vocabulary": Law(
        "loss by vocabulary size",
        "scaling.fits.other_laws:fit_vocabulary",
        "scaling.laws.chinchilla:CORRECTED",
        (
            "nonembedding_params",
            "vocabulary_size",
            "embedding_dim",
            "train_characters",
            "unigram_normalized_loss",
        ),
        forms=dict.fromkeys(("published", "corrected"), _VOCABULARY),
        default="corrected",
        one_stage=True,
        units={"residuals": NATS, "params": "millions inside the formula"},
    ),
    "repeated": Law(
        "what an epoch more is worth",
        "scaling.fits.other_laws:fit_repeated",
        "scaling.laws.chinchilla:REPEATED",
        ("params", "train_tokens", "unique_tokens", "nats_per_token"),
        takes=("base",),
        one_stage=True,
        units={"residuals": NATS, "R_D": "epochs", "R_N": "multiples of U_N"},
    ),
    "overfitting": Law(
        "what repeating costs a model large for its text",
        "scaling.fits.overfitting:fit_overfitting",
        "scaling.laws.overfitting:OVERFITTING",
        ("params", "train_tokens", "unique_tokens", "nats_per_token"),
        forms={
            # Both exponents held at 1: a price of repeating, to compare training recipes by.
            "one-coefficient": ("P",),
            "powers": ("P", "delta", "kappa"),
        },
        default="one-coefficient",
        takes=("base",),
        one_stage=True,
        units={"residuals": NATS, "P": NATS},
    ),
    "arms": Law(
        "one law for several tokenizers, a factor for each",
        "scaling.fits.arms:fit_arms",
        "scaling.laws.arms:ARMS",
        ("compute_flops", "params", "bits_per_byte"),
        across=("tokenization",),
        one_stage=True,
        units={"residuals": BITS, "E": BITS},
    ),
    "languages": Law(
        "T*, rho* and loss of all languages by parity, with an effect of each",
        "scaling.fits.languages:fit_languages",
        "scaling.laws.languages:LANGUAGES",
        _RATES,
        takes=("parity",),
        across=("language", "dataset"),
    ),
    "downstream": Law(
        "task error by loss",
        "scaling.fits.downstream:fit_downstream",
        "scaling.laws.downstream:DOWNSTREAM",
        ("error",),
        takes=("chance",),
        one_stage=True,
        units={"residuals": "share of answers"},
    ),
    "joint": Law(
        "every run in one formula",
        "scaling.fits.joint:fit_joint",
        "scaling.laws.joint:MULTIPLIED",
        ("compute_flops", "compression_rate", "train_bytes", "bits_per_byte"),
        forms={
            # Chinchilla with one exponent, in effective parameters; T matters through D alone.
            "chinchilla": _JOINT,
            # Two sums of powers, each with its own exponent.
            "chinchilla-two": (*_JOINT, "epsilon"),
            # The project's choice: fewest coefficients, lowest hold-out error.
            "one-exponent": (*_JOINT, "F", "T0", "g", "kappa"),
            # T* drifts with compute.
            "drift": (*_JOINT, "F", "T0", "g", "kappa", "delta"),
            # rho* drifts with compute: size and data have exponents of their own.
            "two-exponents": (*_JOINT, "F", "T0", "g", "kappa", "epsilon"),
            # The valley widens with compute; and rho* drifts besides, or it also steepens with T.
            "widening": (*_JOINT, "F", "T0", "g", "kappa", "omega"),
            "widening-two-exponents": (*_JOINT, "F", "T0", "g", "kappa", "omega", "epsilon"),
            "widening-by-rate": (*_JOINT, "F", "T0", "g", "kappa", "omega", "chi"),
            # The bowl shrinks by a power of its own besides; with a drift of T*; with both drifts.
            "shrinking": (*_JOINT, "F", "T0", "g", "kappa", "phi"),
            "shrinking-drift": (*_JOINT, "F", "T0", "g", "kappa", "delta", "phi"),
            "free": (*_JOINT, "F", "T0", "g", "kappa", "delta", "epsilon", "phi"),
            # Law II's own bowl, added instead of multiplied, with its drift of T*.
            "additive": (*_JOINT, "F", "T0", "g", "kappa", "delta"),
            "additive-shrinking": (*_JOINT, "F", "T0", "g", "kappa", "delta", "phi"),
        },
        default="one-exponent",
        one_stage=True,
        units={"residuals": BITS, "E": BITS, "rho0": "bytes per parameter"},
    ),
    "mixture": Law(
        "loss over the shares of texts, and the best mixture",
        "scaling.mixtures.fit:fit_mixture",
        "scaling.mixtures.fit:QUANTITIES",
        ("share:TEXT", "bits_per_byte:LANGUAGE"),
        forms={"linear": ("b",), "exponential": ("c", "k", "a"), "gp": ("length", "noise")},
        default="exponential",  # or the one of the lowest leave-one-out error
        takes=("target",),
        across=("tokenization", "language", "dataset"),
    ),
    "joint-terms": Law(
        "its rival of nine coefficients",
        "scaling.fits.joint:fit_joint_terms",
        "scaling.laws.joint:SUM_OF_POWERS",
        ("params", "train_bytes", "compression_rate", "bits_per_byte"),
        one_stage=True,
        units={"residuals": BITS, "E": BITS},
    ),
}

# Laws that a result may be of besides those: forms whose formula differs, one only published.
_VARIANTS = {
    "chinchilla-bytes": "scaling.laws.chinchilla:BYTES",
    "coupled-bytes": "scaling.laws.coupled:BYTES",
    "isoflop-tokens": "scaling.laws.optimum:TOKEN_PARABOLA",
    "vocabulary-published": "scaling.laws.chinchilla:PUBLISHED",
    "joint-additive": "scaling.laws.joint:ADDITIVE",
    "kaplan": "scaling.laws.chinchilla:KAPLAN",
}


def asked_as(law: str) -> str:
    """Return the name a law is asked by: `chinchilla` of `chinchilla-bytes`."""
    whole = law.rpartition("-")[0]
    return whole if law not in LAWS and whole in LAWS else law


def load(reference: str) -> Any:
    """Return what a `module:name` names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def law_named(name: str) -> Law:
    """Return the law of that name.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str) or name not in LAWS:
        raise InputError(f"law {name!r} is unknown{did_you_mean(name, LAWS)} ({', '.join(LAWS)})")
    return LAWS[name]


def form_of(law: str, form: str) -> str:
    """Return the form asked for, or the law's default where none is.

    Raises:
        InputError: the law has no such form.
    """
    forms = LAWS[law].forms
    if text("form", form) and form not in forms:
        has = ", ".join(forms) or "none"
        raise InputError(f"{law} has no form {form!r}{did_you_mean(form, forms)} ({has})")
    return form or LAWS[law].default


def quantities(law: str) -> Quantities:
    """Return what a law, or the law of a published or written fit, predicts.

    Raises:
        InputError: the law is unknown.
    """
    reference = LAWS[law].quantities if law in LAWS else _VARIANTS.get(law)
    if reference is None:
        raise InputError(f"law {law!r} is unknown{did_you_mean(law, (*LAWS, *_VARIANTS))}")
    found: Quantities = load(reference)
    return found


def quantity(law: str, form: str, name: str, given: tuple[str, ...]) -> Quantity:
    """Return the law's quantity of that name, after checking the inputs given for it.

    Raises:
        InputError: law or quantity unknown, or inputs missing or not among its own.
    """
    known = quantities(law)
    if not isinstance(name, str) or name not in known:
        raise InputError(
            f"law {asked_as(law)!r} ({form}) does not predict {name!r}: it predicts"
            f" {', '.join(known)}{did_you_mean(name, known)}"
        )
    asked = known[name]
    if set(given) != set(asked.inputs):
        wanted = ", ".join(asked.inputs) or "no input"
        near = "".join(did_you_mean(n, asked.inputs) for n in given if n not in asked.inputs)
        about = f"; {ABOUT_LATENT}" if "latent_flops" in set(asked.inputs) - set(given) else ""
        raise InputError(
            f"{asked_as(law)} {name} needs {wanted}; it was given"
            f" {', '.join(given) or 'none'}{near}{about}"
        )
    return asked
