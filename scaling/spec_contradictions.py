"""What a specification file may not say all at once, each with the way out of it."""

from collections.abc import Iterator
from typing import NamedTuple

from scaling.config.tables import Tables

BUDGETS = ("compute_flops", "train_bytes", "steps")
_LOCAL = ("local_layers", "local_dim", "cross_factor")


class Contradiction(NamedTuple):
    """One thing wrong.

    Attributes:
        table, key: where; the key is empty where all of a table is meant.
        what: what is wrong, and what to do about it.
    """

    table: str
    key: str
    what: str


def first_contradiction(tables: Tables) -> Contradiction | None:
    """Return the first thing wrong with the tables together, or None."""
    found = (
        wrong
        for check in (_family, _heads, _patching, _rates, _sizes, _budget)
        for wrong in check(tables)
    )
    return next(found, None)


def rate_refused(rate: float, context: int, words: str, most_bytes: int) -> str | None:
    """Return why patches cannot hold `rate` bytes in the mean, or None where they can.

    Args:
        context: bytes of one. words: how the file says that. most_bytes: of the longest patch.
    """
    if rate > context:
        return f"{rate:g} is above {words}; a patch lies within its context, so lower it"
    if rate > most_bytes:
        return (
            f"{rate:g} is above most_bytes = {most_bytes}, the longest patch;"
            " lower it, or raise most_bytes"
        )
    return None


def batch_refused(batch: int, context: int, words: str) -> str | None:
    """Return why a batch of so many bytes is no whole number of windows, or None where it is.

    Args:
        context: bytes of a window. words: how the file, or the command, says that.
    """
    if batch % context == 0:
        return None
    return f"{batch} is no multiple of {words}; {max(1, round(batch / context)) * context} is"


def window_refused(window: int, context: int) -> str | None:
    """Return why a context of so many bytes is not made of such windows, or None where it is."""
    if context % window == 0:
        return None
    near = next(n for n in range(min(window, context), 0, -1) if context % n == 0)
    return f"{window} does not divide context_bytes = {context}; {near} would"


def shares_refused(warmup: float, decay: float) -> str | None:
    """Return why the steps cannot be shared out so, or None where they can."""
    if warmup + decay <= 1:
        return None
    return (
        f"{decay:g} and warmup = {warmup:g} are shares of the steps and together more than all of"
        " them; lower one"
    )


def _family(tables: Tables) -> Iterator[Contradiction]:
    model, data = tables.model, tables.data
    if model.family == "blt":
        for key in _LOCAL:
            if getattr(model, key) is None:
                yield Contradiction("model", key, "missing, and a blt needs it; add it")
        if model.tied_head is not None:
            what = 'a blt has no head to tie; remove it, or ask for family = "subword"'
            yield Contradiction("model", "tied_head", what)
        if data.tokenizer is not None:
            what = 'a blt reads bytes; remove it, or ask for family = "subword"'
            yield Contradiction("data", "tokenizer", what)
        if data.window_bytes is None:
            what = "missing, and a blt's local modules need it; add it, such as 64"
            yield Contradiction("data", "window_bytes", what)
        if tables.patching is None:
            what = 'missing, and a blt needs it; add kind = "static" and compression_rate = 4.0'
            yield Contradiction("patching", "", what)
        return
    for key in _LOCAL:
        if getattr(model, key) is not None:
            what = 'a subword model has no local modules; remove it, or ask for family = "blt"'
            yield Contradiction("model", key, what)
    if tables.patching is not None:
        what = 'a subword model has no patches; remove the table, or ask for family = "blt"'
        yield Contradiction("patching", "", what)
    if data.tokenizer is None:
        what = 'missing, and a subword model needs it; add it, such as "tokenizer.json" or "byte"'
        yield Contradiction("data", "tokenizer", what)


def _heads(tables: Tables) -> Iterator[Contradiction]:
    model = tables.model
    if model.heads is None:
        return
    if model.dim % model.heads or model.dim // model.heads % 2:
        fitting = [n for n in range(1, model.dim + 1) if not model.dim % (2 * n)]
        near = min(fitting, key=lambda n: (abs(n - (model.heads or 1)), n))
        what = (
            f"{model.heads} heads do not cut dim = {model.dim} into heads of one even width;"
            f" {near} would, or leave it out"
        )
        yield Contradiction("model", "heads", what)


def _patching(tables: Tables) -> Iterator[Contradiction]:
    patching = tables.patching
    if patching is None:
        return
    if patching.kind == "space":
        if patching.compression_rate is not None:
            what = "space patches have a rate of their own; remove it, or ask for another kind"
            yield Contradiction("patching", "compression_rate", what)
    elif patching.compression_rate is None:
        what = f"missing, and {patching.kind} patches need it; add it, such as 4.0"
        yield Contradiction("patching", "compression_rate", what)
    if patching.kind in ("entropy", "entropy-monotonic"):
        if patching.entropy_model is None:
            what = (
                f"missing, and {patching.kind} patches need it; add the folder of the run that"
                ' trained the byte model, or ask for kind = "static"'
            )
            yield Contradiction("patching", "entropy_model", what)
    elif patching.entropy_model is not None:
        what = f'{patching.kind} patches need none; remove it, or ask for kind = "entropy"'
        yield Contradiction("patching", "entropy_model", what)


def _rates(tables: Tables) -> Iterator[Contradiction]:
    patching = tables.patching
    if patching is None or patching.compression_rate is None:
        return
    context = tables.data.context_bytes
    words = f"context_bytes = {context}"
    what = rate_refused(patching.compression_rate, context, words, patching.most_bytes)
    if what is not None:
        yield Contradiction("patching", "compression_rate", what)


def _sizes(tables: Tables) -> Iterator[Contradiction]:
    data, training = tables.data, tables.training
    window, context = data.window_bytes, data.context_bytes
    if window is not None and (what := window_refused(window, context)):
        yield Contradiction("data", "window_bytes", what)
    if what := batch_refused(training.batch_bytes, context, f"context_bytes = {context}"):
        yield Contradiction("training", "batch_bytes", what)


def _budget(tables: Tables) -> Iterator[Contradiction]:
    training = tables.training
    given = [key for key in BUDGETS if getattr(training, key) is not None]
    if not given:
        what = f"says not how long to train; add one of {', '.join(BUDGETS)}"
        yield Contradiction("training", "", what)
    if len(given) > 1:
        what = f"given beside {given[0]}, which says how long to train too; keep one of them"
        yield Contradiction("training", given[1], what)
    if unshared := shares_refused(training.warmup, training.decay):
        yield Contradiction("training", "decay", unshared)
