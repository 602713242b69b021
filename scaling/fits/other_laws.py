"""Fitting the other published laws of tokens: over-training, vocabulary, repeated data."""

from collections.abc import Mapping

import numpy as np

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import SQUARES, Array, Loss, Predictor
from scaling.engine.problem import Problem, grid
from scaling.fits.assemble import columns, need
from scaling.fits.findings import Limit
from scaling.fits.single_stage import OneStage, fit_stage
from scaling.laws import chinchilla as laws
from scaling.laws.registry import DEFAULTS, LAWS, Options, form_of
from scaling.result import FitResult
from scaling.runs import Runs

HUBER = Loss(1e-3)
ANNEALED = (1e-1, 1e-2)
BASE = ("E", "A", "B", "alpha", "beta")
# Epochs, and excess sizes, to start from; what is still as good at FRESH times the most repeated of
# the runs does not decay within them.
HALF_LIVES = np.array([0.5, 2.0, 6.0, 16.0, 50.0, 200.0])
VOCABULARY_STARTS = 24  # its valleys are long: the best nodes lie in one, the optimum in another
FRESH, SHORTEST = 1e4, 1e-3
_MORE_REPEATED = (
    "runs that pass over the same text far more than {:.3g} times",
    "runs of models far more than {:.3g} times as large as their text deserves",
)


def fit_overtraining(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit `L = E + a N^eta + b 6^(eta/2) D^eta` by least squares.

    Raises:
        InputError: fewer than five runs, two sizes, or two ratios of tokens to parameters.
    """
    law = "overtraining"
    params, tokens, loss = columns(runs, law)
    ratio = tokens / params
    need(
        runs,
        law,
        (params, 2, "model sizes"),
        (np.round(ratio, 6), 2, "ratios of tokens to parameters"),
        (len(loss), 5, "runs"),
    )
    problem, starts = overtraining_problem(params, tokens, loss)
    stage = OneStage(
        law=law,
        form="one exponent",
        method="least squares of L; grid over the exponent with the rest solved, then Newton",
        problem=problem,
        starts=starts,
        formula=lambda p: laws.overtraining_loss(p, params, ratio),
        observed=loss,
        inputs={"params": params, "tokens_per_param": ratio},
        units=LAWS[law].units,
        conventions={"loss": "nats per token"},
        exponents={"eta": ("a", "b", "E")},
    )
    return fit_stage(stage, runs, bootstrap)


def overtraining_problem(params: Array, tokens: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the engine's problem and its starts; N, D and L are [n]."""
    return laws.OVERTRAINING.problem({"N": params, "D": np.sqrt(6) * tokens}, loss, SQUARES, 4)


def fit_vocabulary(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit one of the two forms as their authors do: Huber of the loss, delta 1e-3.

    Raises:
        InputError: form unknown, a column missing, or fewer than three vocabularies or sizes.
    """
    law, form = "vocabulary", form_of("vocabulary", options.form)
    params, size, width, characters, loss = columns(runs, law)
    need(
        runs,
        law,
        (params, 3, "model sizes"),
        (size, 3, "vocabulary sizes"),
        (len(loss), len(laws.VOCABULARY.names) + 3, "runs"),
    )
    billions = laws.tokens_in_billions(form, characters, size)
    problem, starts = vocabulary_problem(params, size * width, billions, loss)
    stage = OneStage(
        law=law if form == "corrected" else f"{law}-{form}",
        form=form,
        method="Huber of L_u, delta 1e-3, summed; grid over the exponents, then Newton",
        problem=problem,
        starts=starts,
        formula=lambda p: laws.vocabulary_loss(form, p, params, size, width, characters),
        observed=loss,
        inputs={
            "params": params,
            "vocabulary_size": size,
            "embedding_dim": width,
            "characters": characters,
        },
        units=LAWS[law].units,
        conventions={"loss": "unigram-normalised", "params": "without the vocabulary"},
        annealed=ANNEALED,
        exponents={"alpha2": ("A2", "E"), "beta": ("A1", "B", "E")},
    )
    return fit_stage(stage, runs, bootstrap)


def vocabulary_problem(
    params: Array, vocabulary_params: Array, billions: Array, loss: Array
) -> tuple[Problem, Array]:
    """Return the engine's problem and its starts; N_nv, N_v, D and L_u are [n]."""
    scaled = {"N": params / laws.MILLION, "V": vocabulary_params / laws.MILLION, "D": billions}
    return laws.VOCABULARY.problem(scaled, loss, HUBER, VOCABULARY_STARTS)


def given_base(law: str, options: Options) -> Mapping[str, float]:
    """Return the coefficients of the law of one epoch that a law of repeating stands on.

    Raises:
        InputError: none was given.
    """
    if options.base is None:
        raise InputError(
            f"{law} needs a Chinchilla law of one epoch to stand on: give `base`, a fit or its "
            'file, or `base="muennighoff-repeated"` for the published one'
        )
    return options.base


def fit_repeated(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit R_D* and R_N* by Huber of ln L (delta 1e-3), the coefficients of `options.base` held.

    Raises:
        InputError: no base law, a column missing, or fewer than three numbers of epochs.
    """
    law = "repeated"
    base = given_base(law, options)
    params, tokens, unique, loss = columns(runs, law)
    unique = np.minimum(unique, tokens)
    need(
        runs,
        law,
        (np.round(tokens / unique, 3), 3, "numbers of epochs"),
        (len(loss), 5, "runs"),
    )
    held = {name: float(base[name]) for name in BASE}
    problem, limits = repeated_problem(params, tokens, unique, loss, held), {}
    for name, most, more in zip(
        problem.names, most_repeated(params, tokens, unique, held), _MORE_REPEATED, strict=True
    ):
        limits[name] = Limit(more.format(1 + most), FRESH * max(most, 1.0), SHORTEST)
    stage = OneStage(
        law=law,
        form="base law given",
        method="Huber of ln L, delta 1e-3, summed; grid, then Gauss-Newton",
        problem=problem,
        starts=grid([1 / HALF_LIVES, 1 / HALF_LIVES]),
        formula=lambda p: laws.repeated_loss({**held, **p}, params, tokens, unique),
        observed=loss,
        inputs={"params": params, "tokens": tokens, "unique_tokens": unique},
        units=LAWS[law].units,
        conventions={"loss": "nats per token"},
        annealed=ANNEALED,
        limits=limits,
    )
    return with_base(fit_stage(stage, runs, bootstrap), held)


def repeated_problem(
    params: Array, tokens: Array, unique: Array, loss: Array, base: Mapping[str, float]
) -> Problem:
    """Return the engine's problem in theta = (1 / R_D*, 1 / R_N*): at 0 nothing decays."""
    deserved = laws.unique_params(base, params, unique)
    repeats, excess = tokens / unique - 1, params / deserved - 1

    def terms(theta: Array) -> tuple[Array, Array, Array, Array]:
        """Return the two terms of the loss, and the relative slopes of what they are worth."""
        data, data_slope = laws.worth_at_rate(unique, repeats, theta[:, :1])
        size, size_slope = laws.worth_at_rate(deserved, excess, theta[:, 1:])
        return (
            base["A"] * size ** -base["alpha"],
            base["B"] * data ** -base["beta"],
            size_slope / size,
            data_slope / data,
        )

    def value(theta: Array) -> Array:
        size, data, _, _ = terms(theta)
        return np.asarray(np.log(base["E"] + size + data))

    def jacobian(theta: Array) -> Array:
        size, data, size_slope, data_slope = terms(theta)
        total = base["E"] + size + data
        by_data = -base["beta"] * data * data_slope / total
        by_size = -base["alpha"] * size * size_slope / total
        return np.stack([by_data, by_size], axis=-1)

    most = np.array(most_repeated(params, tokens, unique, base))
    least = 1 / (FRESH * np.maximum(most, 1.0))

    def public(theta: Array) -> dict[str, Array]:
        lives = 1 / np.maximum(theta, least)
        return {"R_D": lives[:, 0], "R_N": lives[:, 1]}

    model = Predictor(value, jacobian, None, np.zeros(2), np.full(2, 1 / SHORTEST))
    return Problem(model, np.log(loss), HUBER, ("R_D", "R_N"), public)


def most_repeated(
    params: Array, tokens: Array, unique: Array, base: Mapping[str, float]
) -> tuple[float, float]:
    """Return the most repetitions of data, and the largest excess of size, of any run."""
    deserved = laws.unique_params(base, params, unique)
    return float((tokens / unique).max() - 1), float((params / deserved).max() - 1)


def with_base(fit: FitResult, held: Mapping[str, float]) -> FitResult:
    """Return the result with the given coefficients among its estimates, so that it can predict."""
    given = np.tile(list(held.values()), (len(fit.draws), 1))
    reason = f"{', '.join(held)} are given, not fitted"
    return fit.model_copy(
        update={
            "estimates": {**held, **fit.estimates},
            "intervals": {**dict.fromkeys(held), **fit.intervals},
            "interval_reason": "; ".join(filter(None, (fit.interval_reason, reason))),
            "draws": np.concatenate([given, fit.draws], axis=1) if len(fit.draws) else fit.draws,
        }
    )
