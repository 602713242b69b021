"""Laws of size and tokens: Chinchilla's approach 3 and its kin, loss in nats per token.

    chinchilla    L = E + A / N^alpha + B / D^beta            Hoffmann et al. 2022, eq. 2
    kaplan        L = ((Nc / N)^(aN / aD) + Dc / D)^aD        Kaplan et al. 2020 (arXiv 2001.08361)
    overtraining  L = E + a N^eta + b 6^(eta/2) (M N)^eta     Gadre et al. 2024 (arXiv 2403.08540)
    repeated      an epoch more is worth less                 Muennighoff et al. 2023 (2305.16264)
    vocabulary    size split into vocabulary and the rest     Tao et al. 2024 (arXiv 2407.13623)

Kaplan's N counts no embedding; it is kept for comparison, and not fitted.
"""

from functools import partial

import numpy as np

from scaling.engine.newton import Array
from scaling.engine.search import halfway
from scaling.laws.power_sum import Coefficients, PowerSum, Term
from scaling.laws.registry import BITS, NATS, Quantities, Quantity

_C, _ND = ("compute_flops",), ("params", "tokens")

CHINCHILLA = PowerSum(
    (Term("E"), Term("A", {"N": "-alpha"}), Term("B", {"D": "-beta"})),
    dict.fromkeys(("alpha", "beta"), np.linspace(0.05, 1.0, 20)),
)
FLOPS_PER_PARAMETER_AND_TOKEN = 6.0


def loss(p: Coefficients, params: Array, tokens: Array) -> Array:
    """Return L in nats per token (or the unit the coefficients were fitted in)."""
    return CHINCHILLA.value(p, N=params, D=tokens)


def loss_in_bytes(p: Coefficients, params: Array, bytes: Array) -> Array:
    """Return L in bits per byte, of a law fitted to bytes instead of tokens."""
    return loss(p, params, bytes)


def params_exponent(p: Coefficients) -> Array:
    """Return a = beta / (alpha + beta), the power of C that N* grows with."""
    return np.asarray(p["beta"] / (p["alpha"] + p["beta"]))


def best_params(p: Coefficients, compute_flops: Array) -> Array:
    """Return the N that minimises L at C = 6 N D (Hoffmann et al. 2022, eq. 4)."""
    balance = p["alpha"] * p["A"] / (p["beta"] * p["B"])
    product = compute_flops / FLOPS_PER_PARAMETER_AND_TOKEN
    return np.asarray(balance ** (1 / (p["alpha"] + p["beta"])) * product ** params_exponent(p))


def best_tokens(p: Coefficients, compute_flops: Array) -> Array:
    """Return the D that minimises L at C = 6 N D."""
    return compute_flops / FLOPS_PER_PARAMETER_AND_TOKEN / best_params(p, compute_flops)


TOKENS: Quantities = {
    "loss": Quantity(_ND, NATS, loss),
    "params_opt": Quantity(_C, "parameters", best_params),
    "tokens_opt": Quantity(_C, "tokens", best_tokens),
    "params_exponent": Quantity((), "", params_exponent),
}
BYTES: Quantities = {"loss": Quantity(("params", "bytes"), BITS, loss_in_bytes)}


def kaplan_loss(p: Coefficients, params: Array, tokens: Array) -> Array:
    """Return nats per token (equation 1.5)."""
    size = (p["Nc"] / params) ** (p["alpha_N"] / p["alpha_D"])
    return np.asarray((size + p["Dc"] / tokens) ** p["alpha_D"])


KAPLAN: Quantities = {"loss": Quantity(_ND, NATS, kaplan_loss)}

# Over-training: one exponent for size and data, M = D / N tokens per parameter. With C = 6 N D that
# is the paper's L(C, M) = E + (b M^(eta/2) + a 6^(-eta/2) M^(-eta/2)) C^(eta/2): the curves of all
# M are parallel in compute, so what over-training costs is read off small models. The coefficients
# here are those of the paper's published code.

OVERTRAINING = PowerSum(
    (Term("a", {"N": "eta"}), Term("b", {"D": "eta"}), Term("E")),  # D is sqrt(6) M N
    {"eta": -np.linspace(0.02, 1.0, 50)},
)


def overtraining_loss(p: Coefficients, params: Array, tokens_per_param: Array) -> Array:
    """Return L in nats per token at N and M."""
    return OVERTRAINING.value(p, N=params, D=np.sqrt(6) * tokens_per_param * params)


PARALLEL: Quantities = {"loss": Quantity(("params", "tokens_per_param"), NATS, overtraining_loss)}

# Repeated data. One epoch of a model no larger than its data deserves is Chinchilla's law exactly:
#
#     L = E + A / N'^alpha + B / D'^beta
#     D' = U + U R_D* (1 - exp(-R_D / R_D*)),        R_D = D / U - 1 repetitions of U unique tokens
#     N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*)),    R_N = N / U_N - 1
#     U_N = min(N, (U G)^(beta/alpha) G),            G = (alpha A / (beta B))^(1 / (alpha + beta))


NO_DECAY = 1e-5  # of an exponent, below which its exponential is its series


def worth(unique: Array, repetitions: Array, half_life: Array) -> Array:
    """Return what `unique` things seen 1 + R times are worth in things seen once."""
    return np.asarray(unique * (1 - half_life * np.expm1(-repetitions / half_life)))


def worth_at_rate(unique: Array, repetitions: Array, rate: Array) -> tuple[Array, Array]:
    """Return `worth` and its derivative by the rate of decay, 1 / half_life; 0 is no decay."""
    x = repetitions * rate
    near = np.abs(x) < NO_DECAY
    safe = np.where(near, 1.0, x)
    # (1 - exp(-x)) / x and its derivative, by their series where x is near 0.
    share = np.where(near, 1 - x / 2 + x**2 / 6, -np.expm1(-safe) / safe)
    falls = np.where(near, -0.5 + x / 3, (np.exp(-safe) * (1 + safe) - 1) / safe**2)
    return unique * (1 + repetitions * share), unique * repetitions**2 * falls


def unique_params(p: Coefficients, params: Array, unique_tokens: Array) -> Array:
    """Return U_N, the parameters that U unique tokens deserve, no more than N."""
    total = p["alpha"] + p["beta"]
    balance = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    deserved = (unique_tokens * balance) ** (p["beta"] / p["alpha"]) * balance
    return np.asarray(np.minimum(deserved, params))


def repeated_loss(p: Coefficients, params: Array, tokens: Array, unique_tokens: Array) -> Array:
    """Return nats per token of N parameters trained on D tokens of which U are unique."""
    unique = np.minimum(unique_tokens, tokens)
    base = unique_params(p, params, unique)
    size = worth(base, params / base - 1, p["R_N"])
    return loss(p, size, worth(unique, tokens / unique - 1, p["R_D"]))


REPEATED: Quantities = {"loss": Quantity((*_ND, "unique_tokens"), NATS, repeated_loss)}

# Vocabulary-aware scaling: L_u = -E + A1 / N_nv^beta + A2 / N_v^alpha2 + B / D^beta.
#
# L_u is the loss less that of a unigram model. N_nv are the parameters without the vocabulary and
# N_v = V d those of the vocabulary, both in millions; D are training tokens in billions, got from
# characters H by D = H f(V), with f(V) = .00639222 (ln V)^2 - .15811069 ln V + 1.20470122.
#
# The published code has a unit slip: it fits with V in thousands and passes that to f, which was
# calibrated for V itself. Form `published` repeats it, so that published coefficients mean what
# they meant; form `corrected` passes V.

VOCABULARY = PowerSum(
    (
        Term("E"),
        Term("A1", {"N": "-beta"}),
        Term("A2", {"V": "-alpha2"}),
        Term("B", {"D": "-beta"}),
    ),
    dict.fromkeys(("alpha2", "beta"), np.linspace(0.1, 1.0, 16)),
    negated=("E",),
)
MILLION, BILLION, THOUSAND = 1e6, 1e9, 1e3
LARGEST_CALIBRATED = 200_000  # f was calibrated up to this vocabulary and is held constant beyond
SMALLEST, LARGEST = 1e3, 1e7  # where the best vocabulary is looked for


def tokens_per_character(vocabulary_size: Array) -> Array:
    """Return f(V) of the paper's equation for compressing text, tokens per character."""
    ln = np.log(np.minimum(vocabulary_size, LARGEST_CALIBRATED))
    return np.asarray(0.00639222 * ln**2 - 0.15811069 * ln + 1.20470122)


def tokens_in_billions(form: str, characters: Array, vocabulary_size: Array) -> Array:
    """Return D as the form counts it."""
    seen = vocabulary_size / THOUSAND if form == "published" else vocabulary_size
    return np.asarray(characters / BILLION * tokens_per_character(seen))


def vocabulary_loss(
    form: str,
    p: Coefficients,
    params: Array,
    vocabulary_size: Array,
    embedding_dim: Array,
    characters: Array,
) -> Array:
    """Return L_u in nats per token."""
    return VOCABULARY.value(
        p,
        N=params / MILLION,
        V=vocabulary_size * embedding_dim / MILLION,
        D=tokens_in_billions(form, characters, vocabulary_size),
    )


def best_vocabulary(
    p: Coefficients, params: Array, embedding_dim: Array, compute_flops: Array
) -> Array:
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

    shape = np.broadcast_shapes(*map(np.shape, (p["A2"], params, embedding_dim, compute_flops)))
    low, high = np.full(shape, np.log(SMALLEST)), np.full(shape, np.log(LARGEST))
    return np.asarray(np.exp(halfway(lambda x: ~(slope(x) > 0), low, high)))


def _vocabulary_quantities(form: str) -> Quantities:
    inputs = ("params", "vocabulary_size", "embedding_dim", "characters")
    return {
        "loss": Quantity(inputs, NATS, partial(vocabulary_loss, form)),
        "vocabulary_size_opt": Quantity(
            ("params", "embedding_dim", "compute_flops"), "ids", best_vocabulary
        ),
    }


CORRECTED, PUBLISHED = _vocabulary_quantities("corrected"), _vocabulary_quantities("published")
