"""What the tables of a sweep's file may not say together, each with the way out of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

from corpora.errors import InputError, did_you_mean
from scaling.config.tables import MOST_LAYERS, MOST_WIDTH, ArmTable, SweepTables, recipe_of
from scaling.spec_contradictions import batch_refused, rate_refused, shares_refused, window_refused

# Where in the file, as pydantic says it (`("arms", 0, "sizes")`), and what is wrong there.
Wrong = tuple[tuple[int | str, ...], str]

_BLT_ONLY = ("local_layers", "local_dim", "cross_factor", "patching")


def contradictions(tables: SweepTables) -> Iterator[Wrong]:
    """Yield what is wrong with the tables together: where, and what to do."""
    training, context = tables.training, tables.training.context_bytes
    if what := batch_refused(training.batch_bytes, context, f"context_bytes = {context}"):
        yield ("training", "batch_bytes"), what
    # A subword model has no local modules, and so no window.
    windowed = any(arm.family == "blt" for arm in tables.arms)
    uneven = window_refused(training.window_bytes, context)
    if windowed and uneven:
        yield ("training", "window_bytes"), uneven
    if unshared := shares_refused(training.warmup, training.decay):
        yield ("training", "decay"), unshared
    for name, text in tables.texts.items():
        if text.weights is not None and len(text.weights) != len(text.corpus):
            what = f"{len(text.weights)} weights for {len(text.corpus)} corpora; give one for each"
            yield ("texts", name, "weights"), what
    for number, arm in enumerate(tables.arms):
        for key, what in (*_names(arm, tables), *_sizes(arm), *_of_family(arm)):
            yield ("arms", number, key), what
        for what in _rates(arm, tables):
            yield ("arms", number, "compression_rates"), what
    yield from _twice(tables)


def _names(arm: ArmTable, tables: SweepTables) -> Iterator[tuple[str, str]]:
    for name in arm.texts or ():
        if name not in tables.texts:
            near = did_you_mean(name, tables.texts) or f"; there is {', '.join(tables.texts)}"
            yield "texts", f"names {name!r}, and there is no [texts.{name}]{near}"
    for spec in arm.tokenizers or ():
        try:
            recipe_of(spec)
        except InputError as error:
            # What is wrong with a recipe is said for a command's options.
            yield "tokenizers", f"has {spec!r}; its size {str(error).partition(': ')[2]}"


def _sizes(arm: ArmTable) -> Iterator[tuple[str, str]]:
    for layers, dim in arm.sizes:
        if not (1 <= layers <= MOST_LAYERS and 2 <= dim <= MOST_WIDTH) or dim % 2:
            what = f"layers are 1 to {MOST_LAYERS:,}, a width is even and 2 to {MOST_WIDTH:,}"
            yield "sizes", f"has [{layers}, {dim}]; {what}"


def _of_family(arm: ArmTable) -> Iterator[tuple[str, str]]:
    if arm.family == "subword":
        for key in (*_BLT_ONLY, "compression_rates", "entropy_model"):
            if getattr(arm, key) is not None:
                yield key, 'belongs to family = "blt"; remove it, or change the family'
        if arm.tokenizers is None:
            yield "tokenizers", 'missing, and a subword model needs some, as ["bpe:1024"]'
        return
    if arm.tokenizers is not None:
        yield "tokenizers", 'belongs to family = "subword"; remove it, or change that'
    for key in _BLT_ONLY:
        if getattr(arm, key) is None:
            yield key, "missing, and a blt needs it; add it"
    if (arm.compression_rates is None) != (arm.patching == "space"):
        has = "has" if arm.patching == "space" else "needs"
        yield "compression_rates", f"patching {arm.patching!r} {has} rates of its own"
    if str(arm.patching).startswith("entropy") != (arm.entropy_model is not None):
        what = "is for the entropy kinds of patching, and they need it; add or remove it"
        yield "entropy_model", what


def _rates(arm: ArmTable, tables: SweepTables) -> Iterator[str]:
    texts = [tables.texts[name] for name in arm.texts or tables.texts if name in tables.texts]
    if not texts:
        return
    # A language spelt in more bytes is seen as far: its context is as many times as long.
    inflate = min(text.inflate for text in texts)
    context = tables.training.context_bytes
    words = f"context_bytes = {context}" + (f" times inflate = {inflate}" if inflate > 1 else "")
    for rate in arm.compression_rates or ():
        if what := rate_refused(rate, context * inflate, words, arm.most_bytes):
            yield what


def _twice(tables: SweepTables) -> Iterator[Wrong]:
    """Yield where two cells would be one run, as far as the file tells without its texts."""
    lists: list[tuple[tuple[int | str, ...], Sequence[object]]] = [
        (("compute_flops",), tables.compute_flops),
        (("seeds",), tables.seeds),
    ]
    for number, arm in enumerate(tables.arms):
        sizes: list[object] = [tuple(size) for size in arm.sizes]
        lists += [
            (("arms", number, "sizes"), sizes),
            (("arms", number, "tokenizers"), arm.tokenizers or ()),
            (("arms", number, "texts"), arm.texts or ()),
            (("arms", number, "compression_rates"), arm.compression_rates or ()),
        ]
    for place, values in lists:
        value = next((one for one, count in Counter(values).items() if count > 1), None)
        if value is not None:
            shown = list(value) if isinstance(value, tuple) else value
            words = f"{shown:.15g}" if isinstance(shown, float) else repr(shown)
            yield place, f"has {words} twice; ask for it once"
    yield from _arms_alike(tables)


def _arms_alike(tables: SweepTables) -> Iterator[Wrong]:
    seen: dict[tuple[object, ...], tuple[int, str]] = {}
    texts = list(tables.texts.values())
    for number, arm in enumerate(tables.arms):
        model = (arm.family, arm.local_layers, arm.local_dim, arm.cross_factor)
        patches = (arm.patching, arm.most_bytes, arm.entropy_model) if arm.patching else ()
        names = [name for name in arm.texts or tables.texts if name in tables.texts]
        views = arm.tokenizers or arm.compression_rates or [None]
        for name, size, view in product(names, arm.sizes, views):
            # Texts that say the same are one text, whatever their names.
            text = texts.index(tables.texts[name])
            cell = (*model, *patches, text, *size, view)
            before, other = seen.setdefault(cell, (number, name))
            if (before, other) == (number, name):
                continue
            if before == number:
                what = f"says what [texts.{other}] says, and both are trained on; keep one of them"
                yield ("texts", name), what
                continue
            as_what = (
                f"{arm.patching} {view:g}" if isinstance(view, float) else view or arm.patching
            )
            what = (
                f"size {size} of {as_what} on {name} is in [[arms]] number {before + 1} too; ask"
                " for it once"
            )
            yield ("arms", number), what
