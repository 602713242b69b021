"""Seconds to write a byte with a byte latent transformer, beside the `transformers` library's.

    python -m bench.generate_blt [--case NAME ...] [--steps N] [--bytes N] [--rounds N]

Ours writes byte by byte and by guessing ahead (`scaling generate --decode speculate:K`), greedily,
after 64 bytes of the standard library's sources, of which it has been trained for some steps:
weights at random would say nothing of how many guesses are kept. The library's model has the same
shape and weights at random, since what it says takes no time; patches are static, T = 4, and given.
Seconds are of the CPU, one thread; rounds alternate.

What is not equal: the library keeps nothing of the bytes before between two passes. Its cache holds
keys and values of the local modules alone, while patches and latents are made from the bytes that
the call brings, so with it the text would be another one; each byte takes a pass over all of them.
Without the library, ours is timed alone: pip install transformers==5.24
"""

import argparse
import itertools
import math
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from bench.train_blt import (
    BATCHES,
    CASES,
    RATE,
    Case,
    batches,
    library_config,
    ours,
    patch_lengths,
    step,
)
from scaling.evaluate.decoding import DecodingMethod, Passes, pass_params
from scaling.evaluate.generate import cut, generate_bytes, generate_units
from scaling.evaluate.latent_reader import CachedBytes, next_static
from scaling.evaluate.sampling import Sampling
from scaling.evaluate.write_ahead import speculate
from scaling.flops import BYTE_VOCABULARY, micro_blt
from scaling.model.blt import ByteLatentTransformer

CPU = torch.device("cpu")
PROMPT = 64
WAYS = ("ar", "speculate:4", "speculate:8", "speculate:16")
ALL_CASES = {"global": Case(micro_blt(4, 320, 1, 32, 1), 256, 64, 4), **CASES}


def writing(model: ByteLatentTransformer, case: Case, prompt: bytes, size: int, how: str) -> Passes:
    """Write `size` bytes and return what it took."""
    reader = CachedBytes(model, prompt, case.context, next_static(RATE))
    decoding = DecodingMethod.parse(how)
    if decoding.kind == "ar":
        pieces = generate_bytes(generate_units(reader, Sampling()), None, size)
    else:
        pieces = cut(speculate(reader, decoding, Sampling()), size)
    b"".join(pieces)
    return reader.passes


def library_writer(case: Case, prompt: bytes, size: int) -> Callable[[], object] | None:
    """Return what writes as many bytes with the library; None where it is not installed."""
    try:
        from transformers.models.blt import BltForCausalLM
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        model = BltForCausalLM(library_config(case, "sdpa")).eval()

    def write() -> None:
        ids = [BYTE_VOCABULARY, *prompt]
        with torch.inference_mode():
            for _ in range(size):
                starts = np.arange(len(ids))[None] % RATE == 0
                logits = model(
                    input_ids=torch.tensor([ids]), patch_lengths=patch_lengths(starts)
                ).logits
                ids.append(int(logits[0, -1, :BYTE_VOCABULARY].argmax()))

    return write


def race(name: str, steps: int, size: int, rounds: int) -> None:
    """Train ours, time every way of writing in turn, and print a line for each."""
    case = ALL_CASES[name]
    contender, data = ours(case, CPU, compiled=False), batches(case)
    loss = math.nan
    for batch in itertools.islice(itertools.cycle(data), steps):
        loss = float(step(contender, batch, CPU))
    model = contender.model.eval()
    assert isinstance(model, ByteLatentTransformer)
    prompt = bytes(data[steps % BATCHES].targets[0, :PROMPT].tolist())
    works: dict[str, Callable[[], object]] = {
        how: partial(writing, model, case, prompt, size, how) for how in WAYS
    }
    if (library := library_writer(case, prompt, size)) is not None:
        works["transformers"] = library
    taken: dict[str, list[float]] = {how: [] for how in works}
    for _ in range(rounds):
        for how, work in works.items():
            begin = time.process_time()
            work()
            taken[how].append((time.process_time() - begin) / size)
    params = pass_params(case.shape)
    print(f"{name}: {case.shape._asdict()}, {steps} steps to {loss:.2f} nats a byte")
    print(f"  a global pass reads {params.global_module:,.0f} parameters, the decoder's")
    print(f"  {params.decoder:,.0f}; {size} bytes after {PROMPT}")
    for how, times in taken.items():
        said = ""
        if how in WAYS:
            passes = writing(model, case, prompt, size, how)
            said = f", {passes.global_module} global passes"
            if passes.drafted:
                said += f", {passes.accepted / passes.drafted:.0%} of guesses kept"
        middle = 1000 * statistics.median(times)
        print(f"  {how:<14}{middle:8.2f} ms a byte (best {1000 * min(times):.2f}){said}")


def main() -> None:
    """Print a block for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case", action="append", choices=ALL_CASES)
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--bytes", type=int, default=150, help="written")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.case or ("global", "micro"):
        race(name, arguments.steps, arguments.bytes, arguments.rounds)


if __name__ == "__main__":
    main()
