"""The parts of a design as they are written to its file, and the sentence that answers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling.advise.estimate import Estimate
from scaling.advise.laws import FamilyLaws
from scaling.advise.placement import Placement
from scaling.design.candidates import CandidateCurve, RefusedSplitter, ceilings_of
from scaling.design.choose import Choice, ServedOption, VocabularyOptions
from scaling.design.price import Budget, MixturePrice, Priced, width
from scaling.design.shapes import VERSION
from scaling.design.text import DesignText
from scaling.engine.newton import Array

_SERVED_NOTE = (
    "what serving wants of the model's size is the joint law's, which is of byte latent models"
)


class Asked(NamedTuple):
    """The laws as they stand for the languages of a design.

    Attributes:
        laws: Laws I and II. placements: of each language. prices: what vocabularies cost.
        cautions: what the answer begins with.
    """

    laws: FamilyLaws
    placements: dict[str, Placement]
    prices: MixturePrice
    cautions: list[str]


class Tried(NamedTuple):
    """All that was tried, and what was chosen of it.

    Attributes:
        curves: of the candidates. refused: splitters that were not.
        options: to choose from. priced: of them. premium: [M, L]. choice: of one.
        served: what is best for other amounts served.
    """

    curves: Sequence[CandidateCurve]
    refused: Sequence[RefusedSplitter]
    options: VocabularyOptions
    priced: Priced
    premium: Array
    choice: Choice
    served: Sequence[ServedOption]


def content_of(asked: Asked, budget: Budget, text: DesignText, tried: Tried) -> dict[str, Any]:
    """Return what is known before the tokenizer is made; keys as of `Design`."""
    wanted = asked.prices.wanted(budget)
    return {
        "version": VERSION,
        "sentence": "",
        "budget": budget._asdict(),
        "languages": {
            name: {
                "weight": text.weights[name],
                "code": place.language,
                "basis": place.basis,
                "parity": place.parity,
                "note": place.note,
                "compression_rate_opt": wanted[name],
            }
            for name, place in asked.placements.items()
        },
        "laws": "; ".join([asked.laws.note, *([_SERVED_NOTE] if budget.served_bytes else [])]),
        "cautions": list(asked.cautions),
        "text": {"sha256": text.sha256, "bytes": text.sizes(), "notes": text.remarks()},
        "refused": [
            {
                "pattern": splitter.pattern,
                "note": str(splitter),
                "capped": {
                    name: {"bytes_per_pretoken": most, "compression_rate_opt": rate}
                    for name, (most, rate) in splitter.capped.items()
                },
            }
            for splitter in tried.refused
        ],
        "candidates": _candidates(asked.prices, budget, text, tried.curves),
        "best": _best(asked, tried),
        "frontier": [
            {
                "name": tried.options.name(point.place),
                "vocabulary_size": int(tried.options.ids[point.place].max()),
                "bits_per_byte": point.bits_per_byte,
                "inference_flops_per_byte": point.flops_per_byte,
                "rates": _by_language(asked.prices, tried.options.rates[point.place]),
                "best": point.place == tried.choice.best,
            }
            for point in tried.choice.frontier
        ],
        "serving": [
            {
                "served_bytes": point.served_bytes,
                "name": tried.options.name(point.place),
                "vocabulary_size": int(tried.options.ids[point.place].max()),
                "bits_per_byte": point.bits_per_byte,
                "inference_flops_per_byte": point.flops_per_byte,
                "train_share": point.train_share,
                "rates": _by_language(asked.prices, tried.options.rates[point.place]),
            }
            for point in tried.served
        ],
        "constraints": {
            name: {"bits_per_byte": cost._asdict()} for name, cost in tried.choice.costs.items()
        },
    }


def _candidates(
    prices: MixturePrice, budget: Budget, text: DesignText, curves: Sequence[CandidateCurve]
) -> list[dict[str, Any]]:
    one = prices.first(1)
    rows = []
    for curve in curves:
        shared = not curve.candidate.language
        losses: list[float | None] = [None] * len(curve.sizes)
        flops: list[float | None] = [None] * len(curve.sizes)
        if shared:
            priced = one.of(curve.rates, np.asarray(curve.sizes, np.float64), budget)
            losses = [x if np.isfinite(x) else None for x in priced.loss[0].tolist()]
            flops = priced.flops_per_byte[0].tolist()
        rows.append(
            {
                **curve.candidate._asdict(),
                "name": curve.candidate.name,
                "sizes": list(curve.sizes),
                "rates": {
                    name: column
                    for name, column in zip(prices.languages, curve.rates.T.tolist(), strict=True)
                    if shared or name == curve.candidate.language
                },
                "bytes_per_pretoken": ceilings_of(text, curve.candidate),
                "bits_per_byte": losses,
                "inference_flops_per_byte": flops,
            }
        )
    return rows


def _best(asked: Asked, tried: Tried) -> dict[str, Any]:
    options, priced, choice = tried.options, tried.priced, tried.choice
    place = choice.best
    languages = {}
    for i, (name, ahead) in enumerate(zip(asked.prices.languages, asked.prices.ahead, strict=True)):
        rate = np.full_like(ahead.best_rate, options.rates[place, i])
        price = ahead.price(rate)
        languages[name] = {
            "vocabulary_size": int(options.ids[place, i]),
            "bytes_per_token": float(options.rates[place, i]),
            "premium": float(tried.premium[place, i]),
            "bits_per_byte": Estimate.of(priced.losses[:, place, i], "bits per byte")._asdict(),
            "price_bits_per_byte": Estimate.of(price.bits_per_byte, "bits per byte")._asdict(),
            "compute_multiplier": Estimate.of(price.multiplier, "times the budget")._asdict(),
        }
    ids = options.ids[place]
    embedded = ids[0] if len(options.makers[place]) == 1 else ids.sum()
    largest = max((curve.sizes[-1] for curve in tried.curves), default=0)
    return {
        "name": options.name(place),
        "kind": options.makers[place][0].kind,
        "pattern": options.makers[place][0].pattern,
        "vocabulary_size": choice.ids._asdict(),
        "at_the_largest": bool(options.ids[place].max() >= largest),
        "bits_per_byte": choice.loss._asdict(),
        "params": float(priced.params[0, place]),
        "embedding_params": float(embedded * width(priced.params[0, place])),
        "train_bytes": float(priced.train_bytes[0, place]),
        "train_share": float(priced.train_share[0, place]),
        "inference_flops_per_byte": float(priced.flops_per_byte[0, place]),
        "languages": languages,
    }


def _by_language(prices: MixturePrice, rates: Array) -> dict[str, float]:
    return dict(zip(prices.languages, rates.tolist(), strict=True))


def sentence_of(content: Mapping[str, Any]) -> str:
    """Return the answer in one sentence."""
    best, budget = content["best"], content["budget"]
    rates = ", ".join(
        f"{row['bytes_per_token']:.2f} in {name}" for name, row in best["languages"].items()
    )
    served = f" and {budget['served_bytes']:.3g} bytes served" if budget["served_bytes"] else ""
    at_hand = next(iter(content["shipped"]), None)
    saved = ""
    if at_hand is not None:
        times = at_hand["compute_multiplier"]
        more = "no budget makes up for" if times is None else f"takes {times:.2f} times the budget"
        saved = f"; {at_hand['name']}, the best at hand, {more}"
        saved += " of" if times is None else " for the same loss"
    kept = all(row["kept"] for row in content["promise"].values())
    worst = max((abs(row["off"]) for row in content["promise"].values()), default=0.0)
    held = (
        f"held-out text is within {worst:.1%}" if kept else f"held-out text is off by {worst:.1%}"
    )
    return (
        f"For {budget['compute_flops']:.3g} FLOPs{served}, take {best['name']}: {rates} bytes per"
        f" token ({held}), {best['bits_per_byte']['value']:.4f} bits per byte{saved}."
    )
