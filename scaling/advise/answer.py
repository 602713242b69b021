"""A question about what to train, and its answer: fields, JSON, a frame and text."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from corpora.errors import sanitize
from scaling.advise.estimate import Estimate, apart, plain
from scaling.advise.placement import ENGLISH, Placement
from scaling.advise.serving import ServingAdvice
from scaling.advise.verdict import Plan, TokenizerCost, verdict
from scaling.result import FitResult
from tokenize_lab.ceilings import PieceBytes


class MeasuredTokenizer(NamedTuple):
    """A tokenizer as measured on the corpus in question.

    Attributes:
        name, bytes_per_token: of the tokenizer, measured there.
        vocabulary_size: V, for what its embedding and head cost; None for the family's default.
        lost_share: of the text's bytes, those that its tokens do not carry.
    """

    name: str
    bytes_per_token: float
    vocabulary_size: int | None = None
    lost_share: float = 0.0

    @property
    def warning(self) -> str:
        """What is wrong with its bytes per token where text is lost; empty where none is."""
        if not self.lost_share:
            return ""
        lost = f"{self.lost_share:.1%}" if self.lost_share >= 0.001 else "some"
        return (
            f"{lost} of this text's bytes are in none of its tokens, which is no compression: its "
            "price is too low"
        )


class Question(NamedTuple):
    """What is asked, as `advise` takes it, but measured.

    Attributes:
        parity: measured bytes per English byte, for a language without runs.
        tokenizers: those whose price is asked.
        curve: (vocabulary size, bytes per token) on the corpus, from which the vocabulary that
            gives T* is read; None where it was not measured.
        pieces: by name of a tokenizer, the bytes per piece that its splitter leaves on the corpus.
        law1, law2: the user's fits, in place of the shipped laws.
        languages: the user's fit over languages, by which the language is placed.
        far: whether budgets are answered that lie a thousand times beyond those fitted.
        serve_bytes, serve_price: bytes to be served, and the price of a FLOP of that over one of
            training; the budget then pays for both.
        serve_bytes_per_pass: X and T, bytes per global pass of a model that writes, trained at T.
        reach: bits per byte to be reached at the least cost.
        downstream: the user's law of task errors by loss; None where points of accuracy are not
            asked for.
    """

    compute_flops: float
    language: str = ENGLISH
    family: str = "latent"
    setting: str = "monolingual"
    parity: float | None = None
    tokenizers: Sequence[MeasuredTokenizer] = ()
    curve: Sequence[tuple[int, float]] | None = None
    pieces: Sequence[tuple[str, PieceBytes]] = ()
    gpu: str = "h100"
    utilisation: float = 0.4
    gpus: int = 1
    law1: FitResult | None = None
    law2: FitResult | None = None
    languages: FitResult | None = None
    far: bool = False
    serve_bytes: float = 0.0
    serve_price: float = 1.0
    serve_bytes_per_pass: tuple[float, float] | None = None
    reach: float | None = None
    downstream: FitResult | None = None


class ModelShape(NamedTuple):
    """The paper's shape of nearest size to N*.

    Attributes:
        layers, width: L and d of the global module, or of the whole subword model.
        local_layers, local_width: l and h of encoder and decoder each; None for a subword model.
        vocabulary_size: V; None for a byte latent model.
        global_params: of the global module, or of the subword model's blocks.
        total_params: those and the local modules, or the embedding, counted once.
    """

    layers: int
    width: int
    local_layers: int | None
    local_width: int | None
    vocabulary_size: int | None
    global_params: int
    total_params: int

    def __str__(self) -> str:
        beside = (
            f"embedding of {self.vocabulary_size:,} ids"
            if self.local_layers is None
            else f"local modules of {self.local_layers} layers of width {self.local_width:,}"
        )
        return (
            f"{self.layers} layers of width {self.width:,}, {beside}: {self.total_params:.4g}"
            f" parameters in all, {self.global_params:.4g} of them in those layers"
        )


class FrontierPoint(NamedTuple):
    """One rate of the frontier between training and serving.

    Attributes:
        compression_rate: T. bits_per_byte: reached there by the budget.
        params, train_bytes: what the budget trains there.
        inference_flops_per_byte: what serving it costs.
        efficient: whether no other rate shown is at least as good in both.
    """

    compression_rate: float
    bits_per_byte: float
    params: float
    train_bytes: float
    inference_flops_per_byte: float
    efficient: bool = True


class TokenizerPrice(NamedTuple):
    """What keeping a tokenizer costs.

    Attributes:
        name, bytes_per_token: as measured.
        rate_over_best: its bytes per token over T*.
        price_bits_per_byte: bits per byte lost against T* at this budget.
        compute_multiplier: of the budget that would buy them back; None and a note where nothing
            within a millionfold does.
        bits_per_byte: reached with it.
        inference_flops_per_byte: what serving costs with it.
        joint_price_bits_per_byte: the same price by the joint law; None for a family it was not
            fitted to.
        note: why a number is missing, or how far the rate lies outside the fitted ones.
        error, price_points: share of answers wrong with it, and points of accuracy lost against
            T*; None without a law of task errors.
        served_price_bits_per_byte, served_compute_multiplier: the price, and the budget that would
            buy it back, where serving is paid for as well; None where that was not asked.
    """

    name: str
    bytes_per_token: float
    rate_over_best: Estimate
    price_bits_per_byte: Estimate
    compute_multiplier: Estimate
    bits_per_byte: Estimate
    inference_flops_per_byte: Estimate
    joint_price_bits_per_byte: Estimate | None
    note: str
    error: Estimate | None = None
    price_points: Estimate | None = None
    served_price_bits_per_byte: Estimate | None = None
    served_compute_multiplier: Estimate | None = None


class JointLawForecast(NamedTuple):
    """What the joint law, fitted to every run, says of the same question."""

    compression_rate_opt: Estimate
    train_bytes_opt: Estimate
    bits_per_byte_opt: Estimate


@dataclass(frozen=True, repr=False)
class Advice:
    """The answer.

    Attributes:
        question: as asked. placement: where the language lies. laws: what the answer stands on.
        cautions: what is to be known before any number: how far it extrapolates, and where Law II
            and the joint law disagree.
        compression_rate_opt .. inference_flops_per_byte: T*, N* (global module), B*, tokens, rho*,
            L*, training days, and what serving costs.
        error_opt: share of answers wrong at L*; None without a law of task errors.
        shape: of the model; None where none of the paper's is near N*.
        granularity: the patch size, or vocabulary, that gives T*.
        vocabulary_opt: ids that give T* on the text; None where none do.
        tokenizers: the price of each one asked about.
        frontier: better loss against cheaper serving.
        second_opinion: T*, B* and L* by the joint law; None for a family it was not fitted to.
        serving: what to train where serving is paid for as well, or a loss is to be reached; None
            where neither was asked.
        outside: by what factor the answer leaves the fitted data, by input.
        notes: what is assumed.
    """

    question: Question
    placement: Placement
    laws: str
    cautions: tuple[str, ...]
    compression_rate_opt: Estimate
    params_opt: Estimate
    train_bytes_opt: Estimate
    tokens: Estimate
    bytes_per_param_opt: Estimate
    bits_per_byte_opt: Estimate
    training_days: Estimate
    inference_flops_per_byte: Estimate
    error_opt: Estimate | None
    shape: ModelShape | None
    granularity: Estimate
    granularity_note: str
    vocabulary_opt: float | None
    tokenizers: tuple[TokenizerPrice, ...]
    frontier: tuple[FrontierPoint, ...]
    second_opinion: JointLawForecast | None
    serving: ServingAdvice | None
    outside: dict[str, float]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the answer as the command prints it; a fit is named by its data."""
        return {
            **{name: plain(part) for name, part in vars(self).items()},
            "verdict": self.verdict(),
        }

    def verdict(self) -> str:
        """Return what to do, in a sentence or two; where serving is paid for, with that."""
        best: Advice | ServingAdvice = self if self.serving is None else self.serving
        days, on = self.training_days.value or 0.0, self.training_days.unit.partition(",")[0]
        if self.serving is not None:
            days *= (self.serving.train_flops.value or 0.0) / self.question.compute_flops
        plan = Plan(
            best.compression_rate_opt.value,
            best.params_opt.value,
            best.train_bytes_opt.value,
            f"{days:.3g} {on}",
            best.vocabulary_opt,
            [rate for _, rate in self.question.curve or ()],
        )
        costs = [
            TokenizerCost(
                part.name, *(part.served_compute_multiplier or part.compute_multiplier)[:3]
            )
            for part in self.tokenizers
        ]
        return verdict(plan, costs, len(self.cautions), self.question.serve_bytes)

    def frame(self) -> pl.DataFrame:
        """Return one row per number: tokenizer (null for the budget's best), quantity, value, its
        interval `low`, `high`, and unit."""
        holders: list[tuple[str | None, Advice | TokenizerPrice]] = [(None, self)]
        holders += [(tokenizer.name, tokenizer) for tokenizer in self.tokenizers]
        rows = [(name, field, *e) for name, holder in holders for field, e in _estimates(holder)]
        numbers = dict.fromkeys(("value", "low", "high"), pl.Float64)
        schema = {"tokenizer": pl.String, "quantity": pl.String, **numbers, "unit": pl.String}
        return pl.DataFrame(rows, schema, orient="row")

    def __repr__(self) -> str:
        best = {"T*": self.compression_rate_opt, "N*": self.params_opt, "B*": self.train_bytes_opt}
        shown = ", ".join(
            f"{name} {'unknown' if estimate.value is None else f'{estimate.value:.4g}'}"
            for name, estimate in {**best, "L*": self.bits_per_byte_opt}.items()
        )
        count = len(self.tokenizers)
        priced = f"; {count} tokenizer{'s' * (count > 1)}" if count else ""
        return f"Advice({self._heading()}: {shown}{priced})"

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(caution)}</p>" for caution in self.cautions)
        return f"<p>{html.escape(repr(self))}</p>{said}{self.frame()._repr_html_()}"

    def summary(self) -> str:
        """Return the answer for people."""
        lines = [f"{self._heading()}, {self.question.setting}"]
        lines += [f"caution: {caution}" for caution in self.cautions]
        entries = _entries(self, _ANSWER)
        if self.shape is not None:
            entries.insert(2, f"  {'model shape':<22}{self.shape}")
        lines += entries
        lines.append(f"  {self.granularity_note}")
        if self.second_opinion is not None:
            lines.append("by the joint law of all runs:")
            lines += _entries(self.second_opinion, _ANSWER)
        lines += [] if self.serving is None else self.serving.lines()
        for tokenizer in self.tokenizers:
            lines.append(f"{tokenizer.name}: {tokenizer.bytes_per_token:.4g} bytes per token")
            lines += _entries(tokenizer, _PRICE)
            if tokenizer.note:
                lines.append(f"  {tokenizer.note}")
        lines.append("loss against serving (rate, bits per byte, FLOPs per byte):")
        for point in self.frontier:
            mark = "" if point.efficient else "  (beaten)"
            lines.append(
                f"  {point.compression_rate:8.2f}{point.bits_per_byte:10.4f}"
                f"{point.inference_flops_per_byte:12.3g}{mark}"
            )
        lines += [*outside_notes(self.outside), *self.notes]
        # Names of tokenizers and of what laws were fitted to may hold anything.
        return "\n".join(map(sanitize, [*lines, "", f"Verdict: {self.verdict()}"]))

    def _heading(self) -> str:
        place = f"{self.placement.language} ({self.placement.basis})"
        return f"{self.question.compute_flops:g} FLOPs, {place}, {self.question.family} models"


# Labels of the text, by field.
_ANSWER = {
    "compression_rate_opt": "compression rate T*",
    "params_opt": "parameters N*",
    "train_bytes_opt": "training bytes B*",
    "tokens": "tokens",
    "bytes_per_param_opt": "bytes per parameter",
    "bits_per_byte_opt": "loss L*",
    "error_opt": "task error",
    "training_days": "training",
    "inference_flops_per_byte": "serving",
    "granularity": "granularity",
}
# What both laws tell, as cautions name it.
_SHARED = {
    "compression_rate_opt": "T*",
    "train_bytes_opt": "B*",
    "bits_per_byte_opt": "L*",
}
_PRICE = {
    "rate_over_best": "distance",
    "price_bits_per_byte": "price",
    "price_points": "price in accuracy",
    "error": "task error",
    "compute_multiplier": "bought back by",
    "inference_flops_per_byte": "serving",
    "joint_price_bits_per_byte": "price, joint law",
    "served_price_bits_per_byte": "price, serving paid",
    "served_compute_multiplier": "budget, serving paid",
}


def _entries(
    holder: Advice | JointLawForecast | TokenizerPrice, labels: dict[str, str]
) -> list[str]:
    known = dict(_estimates(holder))
    return [f"  {label:<22}{known[name]}" for name, label in labels.items() if name in known]


def _estimates(
    holder: Advice | JointLawForecast | TokenizerPrice,
) -> Iterator[tuple[str, Estimate]]:
    fields = vars(holder) if isinstance(holder, Advice) else holder._asdict()
    return ((name, value) for name, value in fields.items() if isinstance(value, Estimate))


def disagreements(
    ours: dict[str, Estimate],
    joint: JointLawForecast | None,
    tokenizers: Sequence[TokenizerPrice],
) -> list[str]:
    """Return where Law II (with Law I, for B*) and the joint law have intervals that do not meet.

    Args:
        ours: T*, B* and L* by the fields' names.
        joint: the same by the joint law; None where it has no say.
    """
    if joint is None:
        return []
    pairs = [(label, ours[name], getattr(joint, name)) for name, label in _SHARED.items()]
    pairs += [
        (f"the price of {tokenizer.name}", tokenizer.price_bits_per_byte, other)
        for tokenizer in tokenizers
        if (other := tokenizer.joint_price_bits_per_byte) is not None
    ]
    differ = [f"{label} {a} by Law {'I' if label == 'B*' else 'II'}, {b} by the joint law"
             for label, a, b in pairs if apart(a, b)]  # fmt: skip
    if not differ:
        return []
    return [f"the laws disagree beyond their intervals: {'; '.join(differ)}"]


def outside_notes(outside: dict[str, float]) -> list[str]:
    """Return by how much an answer leaves the fitted data, in words."""
    return [
        f"{name} lies outside the fitted data by a factor of {factor:.3g}"
        for name, factor in outside.items()
    ]
