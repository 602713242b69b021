"""Three regressions of a loss on the shares of texts, each with its leave-one-out predictions.

    linear        L = b + sum_j b_j w_j
    exponential   L = c + exp(k - sum_j a_j w_j)
    gp            a Gaussian process over sqrt w, of one length and one noise

The first two are those of RegMix (Liu et al., arXiv 2407.01492) and of the data mixing laws (Ye et
al., arXiv 2403.16952). Shares sum to 1, so k is one with the a_j: the exponent is written as
sum_j u_j w_j, where u_j is the ln of what a model of text j alone has above c; then k is their
mean, and a_j = k - u_j.
"""

from typing import NamedTuple

import numpy as np

from scaling.engine.newton import SQUARES, Array, Minimum, Predictor, minimise

FORMS = ("linear", "exponential", "gp")
_FLOORS = (0.0, 0.5, 0.8, 0.95, 0.99)  # starts of c, of the lowest loss
_STEEPEST = 700.0  # exponents beyond it are no numbers
_MOST_ALONE = 10.0  # times the highest loss of a run: no text alone leaves more
_RANK = 1e-3  # of a step's directions over its strongest, below which runs do not tell them
_LENGTHS = np.geomspace(0.1, 10, 20)  # of the kernel; sqrt w lie at most sqrt 2 apart
_NOISES = (-18.0, 4.0)  # ln of the noise's variance over the kernel's


def linear_fit(shares: Array, losses: Array) -> tuple[Array, Array]:
    """Return [K + 1] intercept and slopes of least norm, and [n] leave-one-out predictions.

    Args:
        shares: [n, K], rows that sum to 1. losses: [n].
    """
    design = _with_intercept(shares)
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ losses
    leverage = np.minimum(np.einsum("ij,ji->i", design, inverse), 1 - 1e-9)
    left_out = losses - (losses - design @ coefficients) / (1 - leverage)
    return np.asarray(coefficients), np.asarray(left_out)


def linear_value(coefficients: Array, shares: Array) -> Array:
    """Return [m] losses at [m, K] shares."""
    return np.asarray(_with_intercept(shares) @ coefficients)


def _with_intercept(shares: Array) -> Array:
    return np.hstack([np.ones((len(shares), 1)), shares])


def exponential_value(theta: Array, shares: Array) -> Array:
    """Return [..., m] losses at [m, K] shares of [..., K + 1] parameters c and u_j."""
    return np.asarray(theta[..., :1] + _excess(theta, shares))


def _excess(theta: Array, shares: Array) -> Array:
    return np.asarray(np.exp(np.minimum(theta[..., 1:] @ shares.T, _STEEPEST)))


def _jacobian(theta: Array, shares: Array) -> Array:
    slopes = _excess(theta, shares)[..., None] * shares
    return np.concatenate([np.ones((*slopes.shape[:-1], 1)), slopes], axis=-1)


def exponential_fit(shares: Array, losses: Array) -> Array:
    """Return [K + 1] parameters c >= 0 and u_j of least squares, the best of several starts."""
    starts = []
    for floor in np.multiply(_FLOORS, losses.min()):
        logs = np.log(np.maximum(losses - floor, 1e-3 * np.ptp(losses)))
        worth = np.linalg.lstsq(shares, logs, rcond=None)[0]
        tried = shares.any(axis=0)  # of the others nothing is known: they are as the rest
        starts.append([floor, *np.where(tried, worth, worth[tried].mean())])
    found = exponential_fits(shares, losses, np.ones(len(losses)), np.array(starts))
    return np.asarray(found.best().theta[0])


def exponential_fits(shares: Array, losses: Array, weights: Array, starts: Array) -> Minimum:
    """Return where [R, K + 1] starts end under [R, n] weights of the rows."""
    if not len(starts):
        return Minimum(starts, np.empty(0), np.empty(0, np.bool_))
    n, texts = shares.shape
    products = (shares[:, :, None] * shares[:, None, :]).reshape(n, texts * texts)

    def derivatives(theta: Array, slope: Array, bend: Array) -> tuple[Array, Array]:
        excess = _excess(theta, shares)
        gradient = np.hstack([slope.sum(1, keepdims=True), (slope * excess) @ shares])
        hessian = np.empty((len(theta), texts + 1, texts + 1))
        hessian[:, 0, 0] = bend.sum(1)
        hessian[:, 0, 1:] = hessian[:, 1:, 0] = (bend * excess) @ shares
        second = (bend * excess - slope) * excess
        hessian[:, 1:, 1:] = (second @ products).reshape(-1, texts, texts)
        return -gradient, hessian

    low, high = bounds(losses, texts)
    model = Predictor(
        lambda theta: exponential_value(theta, shares),
        lambda theta: _jacobian(theta, shares),
        low=low,
        high=high,
        derivatives=derivatives,
    )
    return minimise(model, losses, weights, starts, SQUARES)


def bounds(losses: Array, texts: int) -> tuple[Array, Array]:
    """Return [K + 1] lowest and highest c and u_j that [n] losses allow."""
    low, high = np.full(texts + 1, -np.inf), np.full(texts + 1, np.inf)
    low[0], high[1:] = 0.0, np.log(_MOST_ALONE * losses.max())
    return low, high


def widened(theta: Array, draws: Array, factor: float, shares: Array, losses: Array) -> Array:
    """Return [R, K + 1] draws whose losses lie that much farther from those of a fit.

    Where losses bend little, c and the u_j trade off along a curve, and a straight line through two
    such laws leaves every loss that either predicts. So each draw takes the step of least squares,
    and of least length, that moves its losses at the mixtures of the runs.

    Args:
        theta: [K + 1], the fit. draws: [R, K + 1]. shares: [n, K] and losses: [n], of the runs.
    """
    low, high = bounds(losses, shares.shape[1])
    apart = exponential_value(draws, shares) - exponential_value(theta, shares)
    jacobian, found = _jacobian(draws, shares), draws
    free = (draws > low) & (draws < high)
    for _ in range(2):  # what the first step takes to its bound stays in the second
        inverse = np.linalg.pinv(jacobian * free[:, None], rcond=_RANK)
        found = draws + (factor - 1) * (inverse @ apart[..., None])[..., 0]
        free &= (found > low) & (found < high)
    return np.clip(found, low, high)


def exponential_left_out(shares: Array, losses: Array, theta: Array) -> Array:
    """Return [n] predictions of each row by a fit to the others, which begins at theta."""
    n = len(losses)
    found = exponential_fits(shares, losses, 1 - np.eye(n), np.tile(theta, (n, 1))).theta
    excess = np.exp(np.minimum(np.einsum("nk,nk->n", found[:, 1:], shares), _STEEPEST))
    return np.asarray(found[:, 0] + excess)


class KernelBasis(NamedTuple):
    """The kernels of one set of mixtures at every length, by their eigenvectors.

    Attributes:
        values, vectors: [lengths, n] and [lengths, n, n].
    """

    values: Array
    vectors: Array


class Process(NamedTuple):
    """A Gaussian process.

    Attributes:
        length: of the kernel, in sqrt w. noise: its variance over the kernel's.
        mean: of the process. pull: [n] what each run adds to it, by its kernel.
    """

    length: float
    noise: float
    mean: float
    pull: Array


def kernel_basis(shares: Array) -> KernelBasis:
    """Return the basis that the processes of all losses at these [n, K] shares have in common."""
    squares = squared_distances(shares, shares)
    found = [np.linalg.eigh(np.exp(-squares / (2 * length**2))) for length in _LENGTHS]
    return KernelBasis(
        np.stack([np.maximum(values, 0) for values, _ in found]),
        np.stack([vectors for _, vectors in found]),
    )


def gp_fit(basis: KernelBasis, losses: Array) -> tuple[Process, Array]:
    """Return the process of the highest marginal likelihood, and [n] leave-one-out predictions.

    Variance and mean are profiled out, the noise is found at each of a row of lengths. What is left
    out is predicted with mean and weights of the others at the same length and noise (Rasmussen and
    Williams 2006, equation 5.12).
    """
    from scipy.optimize import minimize_scalar

    ones = np.ones(len(losses))
    best: tuple[float, int, float] | None = None
    for i, (values, vectors) in enumerate(zip(basis.values, basis.vectors, strict=True)):
        turned = np.stack([ones, losses]) @ vectors

        def cost(noise: float, values: Array = values, turned: Array = turned) -> float:
            spectrum = values + np.exp(noise)
            one, loss = turned
            mean = (one * loss / spectrum).sum() / (one * one / spectrum).sum()
            variance = ((loss - mean * one) ** 2 / spectrum).mean()
            return float(0.5 * len(one) * np.log(variance) + 0.5 * np.log(spectrum).sum())

        found = minimize_scalar(cost, bounds=_NOISES, method="bounded", options={"xatol": 1e-3})
        if best is None or found.fun < best[0]:
            best = (float(found.fun), i, float(np.exp(found.x)))
    assert best is not None
    _, i, noise = best
    vectors, spectrum = basis.vectors[i], basis.values[i] + noise
    inverse = (vectors / spectrum) @ vectors.T
    row = inverse.sum(axis=0)
    mean = float(row @ losses / row.sum())
    projected = inverse - np.outer(row, row) / row.sum()
    pull = projected @ losses
    left_out = losses - pull / np.maximum(np.diag(projected), 1e-12)
    return Process(float(_LENGTHS[i]), noise, mean, pull), np.asarray(left_out)


def gp_value(process: Process, squares: Array) -> Array:
    """Return [m] losses at mixtures of [m, n] squared distances from those fitted."""
    kernel = np.exp(-squares / (2 * process.length**2))
    return np.asarray(process.mean + kernel @ process.pull)


def squared_distances(first: Array, second: Array) -> Array:
    """Return [m, n] squared distances of sqrt w, of [m, K] and [n, K] shares."""
    first, second = np.sqrt(first), np.sqrt(second)
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.asarray(np.maximum(squares, 0))


@np.errstate(invalid="ignore", divide="ignore")
def rank_correlation(pairs: Array) -> Array:
    """Return [R] Spearman correlations of [2, R, n] pairs."""
    from scipy.stats import rankdata

    first, second = rankdata(pairs, axis=-1)
    first = first - first.mean(axis=-1, keepdims=True)
    second = second - second.mean(axis=-1, keepdims=True)
    spread = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    return np.asarray((first * second).sum(-1) / spread)
