"""A trained run goes on with a prompt."""

from collections.abc import Iterator

from corpora.errors import InputError
from scaling.evaluate.byte_cache import CachedBytes
from scaling.evaluate.generate import Reader, Sampling, generate_bytes, generate_units
from scaling.evaluate.next_starts import next_starts
from scaling.evaluate.run_folder import TrainedRun
from scaling.evaluate.token_cache import CachedTokens
from scaling.evaluate.whole import Whole
from scaling.model.blt import ByteLatentTransformer


def continue_text(
    run: TrainedRun, prompt: str, size: int, sampling: Sampling, *, cached: bool = True
) -> Iterator[bytes]:
    """Yield `size` bytes that follow `prompt`, a few at a time; a character may lie across two.

    A subword model's prompt is encoded by itself, so it goes on at a token's beginning.

    Args:
        cached: whether keys and values are kept; without, each unit costs a whole forward pass,
            and the text is the same but for rounding.

    Raises:
        InputError: the prompt has no UTF-8 form, or the model's logits are not finite.
    """
    try:
        text = prompt.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the prompt is not UTF-8 ({error.reason}); give it as text") from error
    model, spec, tokenizer = run.model, run.spec, run.tokenizer
    reader: Reader
    if isinstance(model, ByteLatentTransformer):
        assert spec.patching is not None
        byte_model = run.byte_model
        rule = next_starts(
            spec.patching,
            None if byte_model is None else byte_model.model,
            0 if byte_model is None else byte_model.spec.context_bytes,
        )
        if cached:
            reader = CachedBytes(model, text, spec.window_units, rule)
        else:
            reader = Whole(model, text, spec.window_units, rule)
        yield from generate_bytes(generate_units(reader, sampling), None, size)
        return
    assert tokenizer is not None
    ids = tokenizer.encode_batch([prompt]).ids.tolist()
    if cached:
        reader = CachedTokens(model, ids, spec.window_units)
    else:
        reader = Whole(model, ids, spec.window_units, None)
    table = tokenizer.token_bytes
    units = generate_units(reader, sampling, forbidden=table.lengths == 0)
    prefix = b"" if ids else tokenizer.prefix  # the tokenizer's own, where the text begins here
    yield from generate_bytes(units, table, size, prefix)
