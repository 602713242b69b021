"""What a served byte costs where a model that writes runs its global module more often.

Entropy patches come shorter when a byte latent model writes them itself: trained at 4 bytes a
patch, one of 1B parameters makes a global pass every 1.16 to 2.44 bytes it generates (arXiv
2605.08044, tables 3 to 10); drafting several bytes at once makes them rarer than that. With X bytes
to a pass where training has T, the global module costs T / X times as much for each byte, and the
rest costs what it did:

    F_s = F (1 + g (T / X - 1)),      g the share of the global module in F

g is that of the paper's shapes. Their depth goes in steps, and an optimum is looked for by slopes,
so its logit is taken as a quadratic in ln F and ln T, which misses them by .02 as a rule.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from scaling.engine.newton import Array
from scaling.flops import CostContext, forward_flops_per_byte, latent_share, paper_blt

LAYERS = range(4, 101, 2)
RATES = 2.0 ** np.arange(0, 5.01, 0.5)


def surcharge(
    bytes_per_pass: tuple[float, float], rate_ratio: Array, data_ratio: Array
) -> Callable[[Array, Array], Array]:
    """Return the function (F, T) -> F_s / F of English FLOPs per byte and English rates, [R] each.

    Args:
        bytes_per_pass: X and T, bytes per global pass when the model writes and in training.
        rate_ratio, data_ratio: [R] rates, and bytes, of the language over English's.
    """
    written, trained = bytes_per_pass

    def over_training(flops_per_byte: Array, rate: Array) -> Array:
        share = global_share(flops_per_byte / data_ratio, rate * rate_ratio)
        return np.asarray(1 + share * (trained / written - 1))

    return over_training


def global_share(flops_per_byte: Array, rate: Array) -> Array:
    """Return the share of the global module in forward FLOPs per byte, [R]."""
    logit = _features(np.log(flops_per_byte), np.log(rate)) @ _smooth_share()
    return np.asarray(1 / (1 + np.exp(-logit)))


def _features(ln_flops: Array, ln_rate: Array) -> Array:
    x, t = np.broadcast_arrays(ln_flops - np.log(1e9), ln_rate - np.log(4))
    return np.stack([np.ones_like(x), x, t, x * x, x * t, t * t], axis=-1)


@cache
def _smooth_share() -> Array:
    """Return the coefficients of the quadratic, by least squares over the shapes."""
    table = np.array(
        [
            (forward_flops_per_byte(shape, at), at.compression_rate, latent_share(shape, at))
            for shape in map(paper_blt, LAYERS)
            for at in map(CostContext, RATES.tolist())
        ]
    )
    share = table[:, 2]
    design = _features(np.log(table[:, 0]), np.log(table[:, 1]))
    solved, *_ = np.linalg.lstsq(design, np.log(share / (1 - share)), rcond=None)
    return np.asarray(solved)
