"""The part of an answer that is about serving: what to train when that is paid for as well."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from scaling.advise.estimate import Estimate
from scaling.advise.serve import Served
from scaling.advise.serving_case import LEAST_SHARE, ServingCase
from scaling.engine.newton import Array
from scaling.result import beyond

FRONTIER = 10.0 ** np.arange(10.0, 14.1, 0.5)  # bytes served, at which the frontier is shown


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


class ServedByForm(NamedTuple):
    """What another form of the joint law says of the same, the estimate alone.

    Attributes:
        form: its name. compression_rate_opt, train_bytes_opt, bits_per_byte_opt: T*, B* and L*.
        total_flops: of training and serving.
    """

    form: str
    compression_rate_opt: float
    train_bytes_opt: float
    bits_per_byte_opt: float
    total_flops: float


def served_by_form(form: str, case: ServingCase) -> ServedByForm:
    """Return what a form of the joint law says of a case."""
    best, ratios = case.best, case.ratios
    return ServedByForm(
        form,
        float((best.compression_rate * ratios["rate_ratio"])[0]),
        float((best.train_bytes * case.data)[0]),
        float((best.bits_per_byte * ratios["loss_ratio"])[0]),
        float(case.total[0]),
    )


class ServingAdvice(NamedTuple):
    """What to train for a budget that pays for training and serving, by the joint law.

    Attributes:
        served_bytes, served_price: S, and the price of a FLOP of serving over one of training.
        reach: bits per byte that were asked for at the least cost; None where a budget was given.
        total_flops: of training and serving, the latter at its price.
        compression_rate_opt, params_opt, train_bytes_opt, bytes_per_param_opt: T*, N* (global
            module), B* and their ratio.
        train_flops: C, what is left for training. bits_per_byte_opt: L*.
        error_opt: share of answers wrong at L*; None without a law of task errors.
        inference_flops_per_byte: for each served byte. bytes_per_pass: of the global module there.
        frontier: the same over amounts served; empty where a loss was asked for.
        outside: by what factor T and bytes per effective parameter leave the joint law's runs.
        note: at which rate serving is counted.
        vocabulary_opt: ids that give T* on the text; None where none do.
        other_form: the same by another form of the joint law; None where it was not asked.
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
    error_opt: Estimate | None
    inference_flops_per_byte: Estimate
    bytes_per_pass: Estimate
    frontier: tuple[ServingPoint, ...]
    outside: dict[str, float]
    note: str
    vocabulary_opt: float | None = None
    other_form: ServedByForm | None = None

    def cautions(self) -> list[str]:
        """Return what is to be known before any number."""
        if not self.outside:
            return []
        far = " and ".join(f"{name} {factor:.3g}" for name, factor in self.outside.items())
        return [f"serving takes the answer beyond the joint law's runs: {far} times"]

    def lines(self) -> Iterator[str]:
        """Yield it as text, a line each."""
        goal = "" if self.reach is None else f", {self.reach:g} bits per byte at the least cost"
        price = "" if self.served_price == 1 else f" at {self.served_price:g} times the price"
        yield f"with {self.served_bytes:.4g} bytes served{price}{goal}, by the joint law:"
        for name, label in _LABELS.items():
            if getattr(self, name) is not None:
                yield f"  {label:<22}{getattr(self, name)}"
        if self.other_form is not None:
            form, rate, data, loss, total = self.other_form
            cost = "" if self.reach is None else f", {total:.4g} FLOPs in all"
            yield (f"  by the form {form}: T* {rate:.4g}, B* {data:.4g} bytes, L* {loss:.4g}{cost}")
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
    "error_opt": "task error",
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
    case: ServingCase,
    fitted: dict[str, tuple[float, float]],
    params_of: Callable[[Array, Array], Array],
    reach: float | None = None,
    task_error: Callable[[Array], Estimate] | None = None,
) -> ServingAdvice:
    """Return what to train when serving is paid for, or for the least cost of a loss.

    Args:
        case: with its optimum.
        fitted: range of T and of bytes per effective parameter among the joint law's runs.
        params_of: (FLOPs per byte, T) -> N of the global module, [R] each.
        reach: the loss, where one was asked for.
        task_error: share of answers wrong at [1 + R] bits per byte, where that is known.
    """
    served, ratios, data = case.best, case.ratios, case.data
    rate, read = served.compression_rate * ratios["rate_ratio"], served.train_bytes * data
    params = params_of(served.forward_flops_per_byte / data, rate)
    loss = served.bits_per_byte * ratios["loss_ratio"]
    written, trained = case.bytes_per_pass or (1.0, 1.0)
    return ServingAdvice(
        served_bytes=case.served_bytes,
        served_price=case.served_price,
        reach=reach,
        total_flops=Estimate.of(case.total, "FLOPs"),
        compression_rate_opt=Estimate.of(rate, "bytes per token"),
        params_opt=Estimate.of(params, "parameters of the global module"),
        train_bytes_opt=Estimate.of(read, "bytes"),
        bytes_per_param_opt=Estimate.of(read / params, "bytes per parameter"),
        train_flops=Estimate.of(served.train_flops, "FLOPs"),
        bits_per_byte_opt=Estimate.of(loss, "bits per byte"),
        error_opt=None if task_error is None else task_error(loss),
        inference_flops_per_byte=Estimate.of(served.served_flops_per_byte / data, "FLOPs per byte"),
        bytes_per_pass=Estimate.of(rate * (written / trained), "bytes per global pass"),
        frontier=() if reach is not None else _frontier(case.first(1), params_of, fitted),
        outside=_outside(served, fitted),
        note=_NOTE if case.bytes_per_pass is None else _GENERATED.format(written, trained),
    )


def _outside(served: Served, fitted: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Return by what factor the answer leaves the runs that the joint law was fitted to."""
    inputs = {
        "compute_flops": served.train_flops[:1],
        "compression_rate": served.compression_rate[:1],
        "bytes per effective parameter": served.bytes_per_param[:1],
    }
    return beyond(inputs, fitted)


def _frontier(
    case: ServingCase,
    params_of: Callable[[Array, Array], Array],
    fitted: dict[str, tuple[float, float]],
) -> tuple[ServingPoint, ...]:
    """Return the best to train over amounts of text served, for the estimate alone."""
    points, served = [], None
    for amount in (0.0, *FRONTIER.tolist()):
        served = case.at(amount, served)
        rate = served.compression_rate * case.ratios["rate_ratio"]
        params = float(params_of(served.forward_flops_per_byte / case.data, rate)[0])
        share = float((served.train_flops / case.total)[0])
        if share < LEAST_SHARE or np.isnan(params):
            break
        points.append(
            ServingPoint(
                served_bytes=amount,
                compression_rate=float(rate[0]),
                params=params,
                train_bytes=float((served.train_bytes * case.data)[0]),
                bits_per_byte=float((served.bits_per_byte * case.ratios["loss_ratio"])[0]),
                inference_flops_per_byte=float((served.served_flops_per_byte / case.data)[0]),
                train_share=share,
                beyond=bool(_outside(served, fitted)),
            )
        )
    return tuple(points)
