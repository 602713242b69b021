"""What a design says: a file that reports read, a frame, and text."""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import polars as pl

from corpora.arguments import path
from corpora.errors import sanitize
from corpora.files import write_json
from corpora.json_file import read_object
from scaling.design.shapes import REMEDY, checked_design

FILE = "design.json"
_SHOWN = 12  # points of the frontier in the text


class Design(dict[str, Any]):
    """A tokenizer designed for languages and a budget, ready for JSON.

    Keys: `sentence`, the answer; `budget`; `languages`, of each its weight, code, place among the
    laws, and best rate; `laws`; `cautions`; `text`, bytes by language and part; `refused`,
    splitters that cap a wanted rate; `candidates`, of each its sizes, rates by language and losses;
    `best`, the vocabulary chosen; `frontier`; `serving`, what is best for other amounts served;
    `constraints`, what each costs; `shipped`, the price
    of the vocabularies that are at hand; `promise`, promised and held-out bytes per token.
    """

    folder = Path()  # where it was written

    def __repr__(self) -> str:
        return f"<design: {self['best']['name']}>"

    @property
    def tokenizers(self) -> dict[str, Path]:
        """Where the tokenizers lie: one under "" for all languages, or one for each."""
        return {name: self.folder / place for name, place in self["best"]["files"].items()}

    def frame(self) -> pl.DataFrame:
        """Return a row for each vocabulary that was tried: name, ids, loss, and rates."""
        rows = [
            {
                "candidate": candidate["name"],
                "vocabulary_size": size,
                "bits_per_byte": loss,
                "inference_flops_per_byte": flops,
                **{name: rates[i] for name, rates in candidate["rates"].items()},
            }
            for candidate in self["candidates"]
            for i, (size, loss, flops) in enumerate(
                zip(
                    candidate["sizes"],
                    candidate["bits_per_byte"],
                    candidate["inference_flops_per_byte"],
                    strict=True,
                )
            )
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write `design.json`, as `tokenize-lab report` reads it.

        Raises:
            InputError: the folder cannot be written.
        """
        self.folder = path("folder", folder)
        write_json(self.folder / FILE, self)
        return self.folder / FILE

    def summary(self) -> str:
        """Return the answer as text."""
        return "\n".join(map(sanitize, self._lines()))

    def _lines(self) -> Iterator[str]:
        best, budget = self["best"], self["budget"]
        for caution in self["cautions"]:
            yield f"caution: {caution}"
        yield self["sentence"]
        yield ""
        yield f"  loss                  {written(best['bits_per_byte'])}"
        yield f"  ids                   {written(best['vocabulary_size'])}"
        yield f"  parameters of blocks  {best['params']:.4g}"
        yield f"  of the embedding      {best['embedding_params']:.4g}"
        yield f"  bytes to train on     {best['train_bytes']:.4g}"
        yield f"  serving               {best['inference_flops_per_byte']:.4g} FLOPs per byte"
        if budget["served_bytes"]:
            yield f"  left for training     {best['train_share']:.1%} of the budget"
        yield ""
        yield "  language, weight; bytes per token wanted, promised, held out; premium; price:"
        for name, row in self["languages"].items():
            promise, price = self["promise"][name], best["languages"][name]
            yield (
                f"  {name:<10}{row['weight']:6.2f}{row['compression_rate_opt']:8.2f}"
                f"{promise['promised']:8.3f}{promise['held_out']:8.3f} ({promise['off']:+.1%})"
                f"{price['premium']:7.2f}   {written(price['price_bits_per_byte'])}"
            )
        for name, cost in self["constraints"].items():
            yield f"  {name} costs {written(cost['bits_per_byte'])}"
        yield ""
        yield "  serving FLOPs per byte, bits per byte, vocabulary, none of them beaten in both:"
        points = self["frontier"]
        step = max(1, -(-len(points) // _SHOWN))
        for point in [*points[:-1:step], *points[-1:]]:
            yield (
                f"  {point['inference_flops_per_byte']:9.3g}{point['bits_per_byte']:9.4f}"
                f"   {point['name']}"
            )
        yield ""
        yield "  bytes served, bits per byte, share left for training, and what is best then:"
        for row in self["serving"]:
            yield (
                f"  {row['served_bytes']:9.3g}{row['bits_per_byte']:9.4f}{row['train_share']:8.1%}"
                f"   {row['name']}"
            )
        yield ""
        yield "  what is at hand: bits per byte over the best, and budget to make up for it:"
        for row in self["shipped"]:
            times = row["compute_multiplier"]
            more = "no budget does" if times is None else f"{times:.3g} times"
            yield f"  {row['name']:<22}{row['price_bits_per_byte']:9.4f}   {more}"
        for refused in self["refused"]:
            yield f"  {refused['note']}"
        yield f"  {self['laws']}"


def written(estimate: dict[str, Any]) -> str:
    """Return `.85 [.84, .86] bits per byte`."""
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return f"unknown ({estimate['unit']})"
    if low is None or high is None or low == high == value:
        return f"{value:.5g} {estimate['unit']}"
    return f"{value:.5g} [{low:.5g}, {high:.5g}] {estimate['unit']}"


def load_design(folder: Path) -> Design | None:
    """Read what `Design.save` wrote; None where there is no such file.

    Raises:
        InputError: it is damaged, or of another version; naming the field.
    """
    file = folder / FILE
    content = read_object(file, REMEDY)
    if content is None:
        return None
    found = Design(checked_design(content, file))
    found.folder = folder
    return found
