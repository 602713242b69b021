"""The part of an answer that is about serving: what to train when that is paid for as well."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from scaling.advise.estimate import Estimate
from scaling.advise.generation import surcharge
from scaling.advise.laws import Draws
from scaling.advise.serve import Served, best_served, cheapest_served
from scaling.engine.newton import Array
from scaling.result import beyond

FRONTIER = 10.0 ** np.arange(10.0, 14.1, 0.5)  # bytes served, at which the frontier is shown
FEW = 60  # draws that a search for the cheapest budget is repeated with
DRAWS = 200


class ServingPoint(NamedTuple):
    """One amount of text served, and what to train for it.

    Attributes:
        served_bytes: S.
        compression_rate, params, train_bytes: T, N of the global module and B.
        bits_per_byte: reached. inference_flops_per_byte: what each served byte costs.
        train_share: of the budget that is left for training.
        beyond: whether T or bytes per effective parameter leave the joint law's runs.
    """

    served_bytes: float
    compression_rate: float
    params: float
    train_bytes: float
    bits_per_byte: float
    inference_flops_per_byte: float
    train_share: float
    beyond: bool = False


class ServingAdvice(NamedTuple):
    """What to train for a budget that pays for training and serving, by the joint law.

    Attributes:
        served_bytes, served_price: S, and the price of a FLOP of serving over one of training.
        reach: bits per byte that were asked for at the least cost; None where a budget was given.
        total_flops: of training and serving, the latter at its price.
        compression_rate_opt, params_opt, train_bytes_opt, bytes_per_param_opt: T*, N* (global
            module), B* and their ratio.
        train_flops: C, what is left for training. bits_per_byte_opt: L*.
        inference_flops_per_byte: for each served byte. bytes_per_pass: of the global module there.
        frontier: the same over amounts served; empty where a loss was asked for.
        outside: by what factor T and bytes per effective parameter leave the joint law's runs.
        note: at which rate serving is counted.
    """

    served_bytes: float
    served_price: float
    reach: float | None
    total_flops: Estimate
    compression_rate_opt: Estimate
    params_opt: Estimate
    train_bytes_opt: Estimate
    bytes_per_param_opt: Estimate
    train_flops: Estimate
    bits_per_byte_opt: Estimate
    inference_flops_per_byte: Estimate
    bytes_per_pass: Estimate
    frontier: tuple[ServingPoint, ...]
    outside: dict[str, float]
    note: str

    def lines(self) -> Iterator[str]:
        """Yield it as text, a line each."""
        goal = "" if self.reach is None else f", {self.reach:g} bits per byte at the least cost"
        price = "" if self.served_price == 1 else f" at {self.served_price:g} times the price"
        yield f"with {self.served_bytes:.4g} bytes served{price}{goal}, by the joint law:"
        for name, label in _LABELS.items():
            yield f"  {label:<22}{getattr(self, name)}"
        if self.frontier:
            yield "  bytes served, T*, N*, B*, bits per byte, FLOPs per byte, share for training:"
        for point in self.frontier:
            yield (
                f"  {point.served_bytes:9.3g}{point.compression_rate:7.2f}{point.params:11.3g}"
                f"{point.train_bytes:11.3g}{point.bits_per_byte:9.4f}"
                f"{point.inference_flops_per_byte:11.3g}{point.train_share:8.1%}"
                f"{'  (beyond)' if point.beyond else ''}"
            )
        for name, factor in self.outside.items():
            yield f"  beyond the runs: {name} by a factor of {factor:.3g}"
        yield f"  {self.note}"


_LABELS = {
    "total_flops": "budget in all",
    "train_flops": "of it training",
    "compression_rate_opt": "compression rate T*",
    "params_opt": "parameters N*",
    "train_bytes_opt": "training bytes B*",
    "bytes_per_param_opt": "bytes per parameter",
    "bits_per_byte_opt": "loss L*",
    "inference_flops_per_byte": "serving",
    "bytes_per_pass": "served at",
}
_NOTE = (
    "serving is counted at the rate of training; entropy patches come shorter when a model writes"
    " them itself"
)
_GENERATED = (
    "serving is counted at {:g} bytes per global pass where training has {:g}, and at that ratio at"
    " every rate"
)


def serving_advice(
    draws: Draws,
    ratios: Draws,
    fitted: dict[str, tuple[float, float]],
    params_of: Callable[[Array, Array], Array],
    *,
    compute_flops: float,
    served_bytes: float,
    served_price: float = 1.0,
    reach: float | None = None,
    bytes_per_pass: tuple[float, float] | None = None,
) -> ServingAdvice:
    """Return what to train when serving is paid for, or for the least cost of a loss.

    Args:
        draws: [1 + R] coefficients of the joint law.
        ratios: [1 + R] `rate_ratio`, `size_ratio` and `loss_ratio` of the language over English.
        fitted: range of T and of bytes per effective parameter among the joint law's runs.
        params_of: (FLOPs per byte, T) -> N of the global module, [R] each.
        compute_flops: C_total; not heeded where a loss is to be reached.
        bytes_per_pass: X and T, bytes per global pass as a model writes that was trained at T; the
            same ratio is taken at every rate. None where they are the same.

    Raises:
        InputError: no budget reaches that loss, or serving leaves next to nothing for training.
    """
    count = min(len(draws["E"]), 1 + (DRAWS if reach is None else FEW))
    draws = {name: column[:count] for name, column in draws.items()}
    ratios = {name: column[:count] for name, column in ratios.items()}
    # Bytes of the language per byte of English that teaches as much, as for the joint law's B*.
    data = np.sqrt(ratios["rate_ratio"] * ratios["size_ratio"])
    in_english = served_bytes / data
    more = bytes_per_pass and surcharge(bytes_per_pass, ratios["rate_ratio"], data)
    if reach is None:
        total = np.full(count, compute_flops)
        served = best_served(draws, total, in_english, served_price, surcharge=more)
    else:
        goal = reach / ratios["loss_ratio"]
        total, served = cheapest_served(draws, goal, in_english, served_price, more)
    if served.train_flops[0] < LEAST_SHARE * total[0]:
        raise InputError(
            f"`serve_bytes` {served_bytes:g}: serving them leaves"
            f" {served.train_flops[0] / total[0]:.2g} of the budget for training; serve less, or"
            " give more"
        )
    rate, read = served.compression_rate * ratios["rate_ratio"], served.train_bytes * data
    flops = served.forward_flops_per_byte / data
    params = params_of(flops, rate)
    return ServingAdvice(
        served_bytes=served_bytes,
        served_price=served_price,
        reach=reach,
        total_flops=Estimate.of(total, "FLOPs"),
        compression_rate_opt=Estimate.of(rate, "bytes per token"),
        params_opt=Estimate.of(params, "parameters of the global module"),
        train_bytes_opt=Estimate.of(read, "bytes"),
        bytes_per_param_opt=Estimate.of(read / params, "bytes per parameter"),
        train_flops=Estimate.of(served.train_flops, "FLOPs"),
        bits_per_byte_opt=Estimate.of(served.bits_per_byte * ratios["loss_ratio"], "bits per byte"),
        inference_flops_per_byte=Estimate.of(served.served_flops_per_byte / data, "FLOPs per byte"),
        bytes_per_pass=Estimate.of(
            rate if bytes_per_pass is None else rate * bytes_per_pass[0] / bytes_per_pass[1],
            "bytes per global pass",
        ),
        frontier=()
        if reach is not None
        else _frontier(
            draws, ratios, params_of, fitted, compute_flops, served_price, bytes_per_pass
        ),
        outside=_outside(served, fitted),
        note=_NOTE if bytes_per_pass is None else _GENERATED.format(*bytes_per_pass),
    )


LEAST_SHARE = 1e-3  # of a budget, left for training


def _outside(served: Served, fitted: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Return by what factor the answer leaves the runs that the joint law was fitted to."""
    inputs = {
        "compression_rate": served.compression_rate[:1],
        "bytes per effective parameter": served.bytes_per_param[:1],
    }
    return beyond(inputs, fitted)


def _frontier(
    draws: Draws,
    ratios: Draws,
    params_of: Callable[[Array, Array], Array],
    fitted: dict[str, tuple[float, float]],
    compute_flops: float,
    served_price: float,
    bytes_per_pass: tuple[float, float] | None,
) -> tuple[ServingPoint, ...]:
    """Return the best to train over amounts of text served, for the estimate alone."""
    first = {name: column[:1] for name, column in draws.items()}
    rates, sizes, losses = (ratios[f"{name}_ratio"][:1] for name in ("rate", "size", "loss"))
    data, total = np.sqrt(rates * sizes), np.full(1, compute_flops)
    more = bytes_per_pass and surcharge(bytes_per_pass, rates, data)
    points = []
    for amount in (0.0, *FRONTIER.tolist()):
        served = best_served(first, total, amount / data, served_price, surcharge=more)
        share = float(served.train_flops[0] / compute_flops)
        if share < LEAST_SHARE:
            break
        rate, flops = served.compression_rate * rates, served.forward_flops_per_byte / data
        points.append(
            ServingPoint(
                served_bytes=amount,
                compression_rate=float(rate[0]),
                params=float(params_of(flops, rate)[0]),
                train_bytes=float((served.train_bytes * data)[0]),
                bits_per_byte=float((served.bits_per_byte * losses)[0]),
                inference_flops_per_byte=float((served.served_flops_per_byte / data)[0]),
                train_share=share,
                beyond=bool(_outside(served, fitted)),
            )
        )
    return tuple(points)
