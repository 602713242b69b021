"""Ways of decoding side by side: the same prompts, greedy text, and what writing it took."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpora.errors import InputError
from scaling.data.shards import Stream
from scaling.evaluate.decoding import DecodingMethod, Passes
from scaling.evaluate.generate import check_decoding, continue_text
from scaling.evaluate.sampling import Sampling
from scaling.evaluate.trained_run import TrainedRun
from scaling.flops import BltShape

GREEDY = Sampling()


@dataclass(frozen=True)
class WritingTask:
    """What is written, and how.

    Attributes:
        decodings: besides plain decoding, which is always there.
        prompts: from so many documents at most. prompt_bytes: their first so many bytes.
        size: bytes written after each.
    """

    decodings: Sequence[DecodingMethod]
    prompts: int = 8
    prompt_bytes: int = 64
    size: int = 200


def compare_decoders(
    run: TrainedRun,
    stream: Stream,
    task: WritingTask,
    names: Sequence[str],
    advance: Callable[[int], object] = lambda size: None,
) -> list[dict[str, Any]]:
    """Return a row for each way of decoding, plain decoding first.

    `same_as_plain` is the share of texts that are those of plain decoding, to the byte; other
    columns as `scaling generate` gives them, over all texts.

    Args:
        stream: of bytes, whose documents begin with the prompts. names: of its languages.
        advance: called with the bytes of each text written.

    Raises:
        InputError: the run cannot be decoded so, no document is as long as a prompt, or the run's
            languages have thresholds of their own and one of these has none.
    """
    shape = run.spec.model.shape
    if not isinstance(shape, BltShape):
        raise InputError(
            f"`decode`: run {run.spec.run_id} is a subword model; only a byte latent model can be"
            " decoded in other ways"
        )
    for decoding in task.decodings:
        check_decoding(run, decoding)
    found = prompts_of(stream, task)
    read_in = run.in_each(np.array([language for _, language in found]), names)
    prompts = [(read_in[language], prompt) for prompt, language in found]
    rows: list[dict[str, Any]] = []
    plain: list[bytes] = []
    ways = dict.fromkeys([DecodingMethod(), *task.decodings])
    for decoding in ways:
        passes, begun = Passes(), time.perf_counter()
        texts = []
        for reads, prompt in prompts:
            one = Passes()
            texts.append(b"".join(continue_text(reads, prompt, task.size, GREEDY, decoding, one)))
            passes.add(one)
            advance(task.size)
        plain = plain or texts
        same = sum(text == right for text, right in zip(texts, plain, strict=True))
        rows.append(
            {
                "decode": str(decoding),
                "unmask": str(decoding.unmasking) if decoding.fills_blocks else None,
                "reuse": decoding.reuse if decoding.judges else None,
                "texts": len(texts),
                "bytes": task.size * len(texts),
                "same_as_plain": same / len(texts),
                **passes.to_json(shape, task.size * len(texts)),
                "seconds": time.perf_counter() - begun,
            }
        )
    return rows


def prompts_of(stream: Stream, task: WritingTask) -> list[tuple[str, int]]:
    """Return the beginnings of the first documents that are long enough, whole characters, and the
    numbers of their languages.

    Raises:
        InputError: none is.
    """
    found: list[tuple[str, int]] = []
    for number in range(stream.document_count):
        document = stream.document(number)
        if len(document) >= task.prompt_bytes:
            data = document[: task.prompt_bytes].tobytes()
            found.append((data.decode(errors="ignore"), int(stream.languages[number])))
        if len(found) == task.prompts:
            break
    if not found:
        raise InputError(
            f"`prompt_bytes` {task.prompt_bytes}: no document is as long; ask for fewer"
        )
    return found
