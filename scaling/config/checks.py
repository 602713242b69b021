"""What a file may not say all at once, each with the way out of it.

The validators of the tables call these; what is wrong is raised as a `contradiction`, and
`corpora.toml_file` says it with the file's name and line.
"""

from collections.abc import Mapping

from corpora.toml_file import contradiction

ENTROPY_KINDS = ("entropy", "entropy-monotonic")


def check_local_sizes(family: str, sizes: Mapping[str, object]) -> None:
    """See that a `blt` says how large its local modules are, and a `subword` model does not."""
    for key, size in sizes.items():
        if family == "blt" and size is None:
            raise contradiction("missing, and a blt needs it; add it", key)
        if family != "blt" and size is not None:
            raise contradiction(
                'a subword model has no local modules; remove it, or ask for family = "blt"', key
            )


def check_patching(kind: str, rates: object, rates_key: str, byte_model: object, add: str) -> None:
    """See that patches have the rates and the byte model that their kind needs, and no other.

    Args:
        rates: None where none are asked for. rates_key: the file's word for them.
        byte_model: None where none is named. add: how to name one.
    """
    if kind == "space" and rates is not None:
        what = "space patches have a rate of their own; remove it, or ask for another kind"
        raise contradiction(what, rates_key)
    if kind != "space" and rates is None:
        what = f"missing, and {kind} patches need it; add it, such as 4.0"
        raise contradiction(what, rates_key)
    if kind in ENTROPY_KINDS and byte_model is None:
        what = f"missing, and {kind} patches need it; add {add}, or ask for static patches"
        raise contradiction(what, "entropy_model")
    if kind not in ENTROPY_KINDS and byte_model is not None:
        what = f"{kind} patches need none; remove it, or ask for entropy patches"
        raise contradiction(what, "entropy_model")


def check_rate(rate: float, context: int, words: str, most_bytes: int, *place: str | int) -> None:
    """See that patches can hold `rate` bytes in the mean.

    Args:
        context: bytes of one. words: how the file says that. most_bytes: of the longest patch.
    """
    if rate > context:
        what = f"{rate:g} is above {words}; a patch lies within its context, so lower it"
        raise contradiction(what, *place)
    if rate > most_bytes:
        what = f"{rate:g} is above most_bytes = {most_bytes}, the longest patch"
        raise contradiction(f"{what}; lower it, or raise most_bytes", *place)


def check_batch(batch: int, context: int, *place: str | int) -> None:
    """See that a batch is a whole number of windows of context."""
    if batch % context:
        near = max(1, round(batch / context)) * context
        what = f"{batch} is no multiple of context_bytes = {context}; {near} is"
        raise contradiction(what, *place)


def check_window(window: int, context: int, *place: str | int) -> None:
    """See that a context is a whole number of local windows."""
    if context % window:
        near = next(n for n in range(min(window, context), 0, -1) if context % n == 0)
        what = f"{window} does not divide context_bytes = {context}; {near} would"
        raise contradiction(what, *place)
