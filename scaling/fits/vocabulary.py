"""Fitting the vocabulary-aware law as its authors do: Huber of the loss, delta 1e-3."""

import numpy as np

from corpora.errors import InputError, did_you_mean
from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import Array, Loss, Model
from scaling.engine.problem import Problem, grid, search
from scaling.fits.single_stage import Stage, fit_stage, need
from scaling.laws import vocabulary as law
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "vocabulary"
HUBER = Loss(1e-3)
EXPONENTS = np.linspace(0.1, 1.0, 16)
ANNEALED = (1e-1, 1e-2)


def fit_vocabulary(runs: Runs, form: str = "corrected", bootstrap: Bootstrap = CASES) -> FitResult:
    """Fit one of the two forms.

    Raises:
        InputError: form unknown, a column missing, or fewer than three vocabularies or sizes.
    """
    if form not in law.FORMS:
        raise InputError(f"{LAW} has no form {form!r}{did_you_mean(form, law.FORMS)}")
    params = runs.column("nonembedding_params", LAW)
    size = runs.column("vocabulary_size", LAW)
    width = runs.column("embedding_dim", LAW)
    characters = runs.column("train_characters", LAW)
    loss = runs.column("unigram_normalized_loss", LAW)
    need(
        runs,
        LAW,
        (len(np.unique(params)), 3, "model sizes"),
        (len(np.unique(size)), 3, "vocabulary sizes"),
        (len(loss), len(law.NAMES) + 3, "runs"),
    )
    billions = law.tokens_in_billions(form, characters, size)
    problem, starts = make_problem(params, size * width, billions, loss)
    formula = law.loss_published if form == "published" else law.loss_corrected
    stage = Stage(
        law=LAW if form == "corrected" else f"{LAW}-published",
        form=form,
        method="Huber of L_u, delta 1e-3, summed; grid over the exponents, then Newton",
        problem=problem,
        starts=starts,
        formula=lambda p: formula(p, params, size, width, characters),
        observed=loss,
        inputs={
            "params": params,
            "vocabulary_size": size,
            "embedding_dim": width,
            "characters": characters,
        },
        units={"residuals": "nats per token", "params": "millions inside the formula"},
        conventions={"loss": "unigram-normalised", "params": "without the vocabulary"},
        annealed=ANNEALED,
    )
    return fit_stage(stage, runs, bootstrap)


def make_problem(
    params: Array, vocabulary_params: Array, billions: Array, loss: Array
) -> tuple[Problem, Array]:
    """Return the engine's problem in theta = (-E, A1', A2', B', alpha2, beta) and its starts."""
    logs = (np.log(params / law.MILLION), np.log(vocabulary_params / law.MILLION), np.log(billions))
    middle = [float(one.mean()) for one in logs]
    n, v, d = (one - centre for one, centre in zip(logs, middle, strict=True))

    def design(exponents: Array) -> Array:
        alpha2, beta = exponents[:, :1], exponents[:, 1:]
        columns = (np.exp(-beta * n), np.exp(-alpha2 * v), np.exp(-beta * d))
        return np.stack([np.ones_like(columns[0]), *columns], axis=-1)

    def value(theta: Array) -> Array:
        return np.asarray(np.einsum("rnk,rk->rn", design(theta[:, 4:]), theta[:, :4]))

    def jacobian(theta: Array) -> Array:
        columns = design(theta[:, 4:])
        one, two, three = (theta[:, [i]] * columns[..., i] for i in (1, 2, 3))
        slopes = np.stack([-v * two, -n * one - d * three], axis=-1)
        return np.concatenate([columns, slopes], axis=-1)

    def public(theta: Array) -> dict[str, Array]:
        floor, one, two, three, alpha2, beta = theta.T
        return {
            "E": -floor,
            "A1": one * np.exp(beta * middle[0]),
            "A2": two * np.exp(alpha2 * middle[1]),
            "B": three * np.exp(beta * middle[2]),
            "alpha2": alpha2,
            "beta": beta,
        }

    nodes = search(design, loss, np.ones(len(loss)), grid([EXPONENTS, EXPONENTS]), HUBER, keep=8)
    starts = np.concatenate([nodes.linear, nodes.exponents], axis=1)
    return Problem(Model(value, jacobian), loss, HUBER, law.NAMES, public), starts
