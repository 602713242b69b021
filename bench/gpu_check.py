"""What the first GPU that comes along is to show, in ten minutes at most.

    python -m bench.gpu_check --out out/gpu-check [--sweep SWEEP] [--minutes 10]
    python -m bench.gpu_check --out OUT --device cpu --small

Each check writes OUT/NAME.json as it ends, whatever becomes of the others, and OUT/summary.json
says what there is; run again, those that passed are not done again. A check that fails, or breaks,
is one line and exit code 1. None is begun that the minutes left would hardly hold. SWEEP is a
folder of a prepared sweep (`tokenize-lab scaling sweep gpu --prepare-only`): what time is left
trains its runs, the longest first; stopped, they go on when run again.

With --small on a CPU the checks are the same with models of a few thousand parameters, nothing is
compiled but by a stand-in that counts graphs, and speeds say nothing.
"""

import argparse
import functools
import json
import math
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.gpu_box import CPU, FULL, SMALL, Box, Trainer, spec_of, text
from bench.gpu_speed import shortcuts, utilisation
from corpora.errors import InputError, as_options
from corpora.files import write_text
from scaling.data.windows import Patches, SpacePatches, StaticPatches
from scaling.model.attention import windowed
from scaling.model.flex import FlexBlocks
from scaling.sweep.folder import SweepFolder, read_sweep
from scaling.sweep.local import run_local
from scaling.train import compiled
from scaling.train.counted import without_each
from scaling.train.device import synchronize, versions
from scaling.train.machine import MachineSettings
from scaling.train.memory import available_bytes, state_bytes, step_bytes
from scaling.train.progress import StopRequest

KINDS: Mapping[str, tuple[str, int, Patches | None]] = {
    "even": ("blt", 1, StaticPatches(4)),
    "ends of documents": ("blt", 400, StaticPatches(4)),
    "words": ("blt", 400, SpacePatches(16)),
    "plain": ("subword", 400, None),
}


def _compared(box: Box, precision: Any, tolerance: float) -> dict[str, Any]:
    """Return how far losses on the device are from the CPU's in float32."""
    sizes, window = box.sizes, box.sizes.window // 4
    sizes = sizes._replace(rows=4, context=min(512, sizes.context), window=window)
    found: dict[str, Any] = {"tolerance": tolerance}
    ways: dict[str, MachineSettings] = {"eager": box.machine((), compile=False)}
    for name, taken in without_each().items():
        ways[name] = box.machine(taken)
    if precision == "bfloat16":
        ways = {name: ways[name] for name in ("no shortcuts", "all shortcuts", "without stream")}
    for kind, (family, documents, patches) in KINDS.items():
        # The second has heads that FlexAttention takes in the global module, too.
        size = sizes.grid[1 if kind == "words" else 0]
        spec, stream = spec_of(sizes, size, family=family), text(documents)
        true = np.array(Trainer(spec, CPU, stream, patches).losses(sizes.steps))
        for name, machine in ways.items():
            if kind != "ends of documents" and name.startswith("without "):
                continue
            losses = Trainer(spec, replace(machine, precision=precision), stream, patches)
            off = np.abs(np.array(losses.losses(sizes.steps)) / true - 1)
            found[f"{kind}, {name}"] = {"largest": float(off.max()), "last": float(off[-1])}
    worst = max(part["largest"] for part in found.values() if isinstance(part, dict))
    return {**found, "ok": bool(worst < tolerance)}


def equality(box: Box) -> dict[str, Any]:
    """Losses in float32 beside the CPU's, with every shortcut and without."""
    return _compared(box, "float32", 2e-3)


def bfloat16(box: Box) -> dict[str, Any]:
    """Losses in bfloat16 beside the CPU's in float32."""
    return _compared(box, "bfloat16", 0.03)


def by_flex(window: int, segments: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend by FlexAttention, to be compiled."""
    return FlexBlocks().attend(q.shape[2], window, segments, q)(q, k, v)


def attention(box: Box) -> dict[str, Any]:
    """Gradients under masks are numbers at lengths of 64 modulo 128, and those of float64."""
    box.machine().torch_device()  # as a run: cuDNN's attention is off
    kind = torch.bfloat16 if box.device.type == "cuda" else torch.float32
    found = {}
    for width in (64, 192, 320, 576):
        q, k, v = torch.randn(3, 2, 2, width, 64, generator=torch.Generator().manual_seed(width))
        segments = (torch.arange(width) // 50).expand(2, -1)
        worst = 0.0
        for window in (width, 48):
            ways = [(torch.device("cpu"), torch.float64, False), (box.device, kind, False)]
            if box.device.type == "cuda" and width in (192, 320):
                ways.append((box.device, kind, True))
            results = []
            for device, dtype, flex in ways:
                parts = [x.to(device, dtype).requires_grad_() for x in (q, k, v)]
                numbers = segments.to(device)
                attend: Any = windowed(width, window, numbers, device)
                if flex:
                    attend = torch.compile(functools.partial(by_flex, window, numbers))
                out = attend(*parts)
                gradients = torch.autograd.grad(out.square().sum(), parts)
                results.append([x.detach().double().cpu() for x in (out, *gradients)])
            for others in results[1:]:
                for true, other in zip(results[0], others, strict=True):
                    off = float((true - other).abs().max() / true.abs().max())
                    worst = max(worst, off if off == off else math.inf)
        found[str(width)] = worst
    cudnn = box.device.type == "cuda" and torch.backends.cuda.cudnn_sdp_enabled()
    fine = max(found.values()) < 0.05 and not cudnn
    return {"largest differences": found, "cudnn": cudnn, "ok": fine}


def compilation(box: Box) -> dict[str, Any]:
    """Graphs that one process compiles over a grid, the shapes it records, and the seconds."""
    found: dict[str, Any] = {}
    counters = torch._dynamo.utils.counters["stats"]
    for kind, (family, documents, patches) in KINDS.items():
        for size in box.sizes.grid[:2]:
            before, begun = counters["unique_graphs"], time.perf_counter()
            spec = spec_of(box.sizes, size, family=family)
            trainer = Trainer(spec, box.machine(("graphs",)), text(documents), patches)
            trainer.steps(6)
            synchronize(trainer.device)
            recorded = trainer.stepper.recorded
            found[f"{kind}, {size}"] = {
                "graphs": counters["unique_graphs"] - before,
                "recorded": None if recorded is None else recorded.recorded,
                "seconds": time.perf_counter() - begun,
            }
    return {**found, "ok": all(1 <= one["graphs"] <= 8 for one in found.values())}


def memory(box: Box) -> dict[str, Any]:
    """Four processes train at once, each within its share of the memory."""
    workers = 4
    share = available_bytes(box.device) / workers
    words = [sys.executable, "-m", "bench.gpu_check", "--out", str(box.out)]
    words += [
        "--one-of",
        str(workers),
        "--device",
        str(box.device),
        *(["--small"] if box.small else []),
    ]
    begun = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    ended = []
    try:
        for process in begun:
            out, _ = process.communicate(timeout=max(30.0, box.left))
            ended.append(json.loads(out.splitlines()[-1]) if process.returncode == 0 else None)
    finally:
        for process in begun:
            process.kill()
    fine = all(one is not None and one["bytes"] < share for one in ended)
    return {"share": share, "processes": ended, "ok": fine}


def one_of(box: Box, workers: int) -> dict[str, Any]:
    """Train as one of several; return what it took at most, and what was expected."""
    spec = spec_of(box.sizes, box.sizes.grid[-1], rate=1.0)
    machine = box.machine(processes=workers)
    trainer = Trainer(spec, machine, text(400), StaticPatches(1))
    seconds, taken = trainer.seconds(5 * box.sizes.seconds), 0
    if box.device.type == "cuda":
        taken = torch.cuda.max_memory_reserved(box.device)
    rows = trainer.stepper.micro_rows
    expected = state_bytes(spec) + step_bytes(spec, rows, by_hand=False)
    return {"bytes": taken, "expected": expected, "seconds": seconds, "rows": rows}


def sweep(box: Box) -> dict[str, Any]:
    """Train what time is left for of the prepared runs, the longest first."""
    if box.sweep is None:
        return {"ok": True, "reason": "no --sweep was given"}
    stop = StopRequest()

    def end() -> None:
        stop.signal = signal.SIGTERM

    timer = threading.Timer(max(1.0, box.left - (0 if box.small else 20)), end)
    timer.start()
    workers = 1 if box.small else 4
    settings = replace(box.machine(), read_every=None, compile=not box.small, processes=workers)
    try:
        status = run_local(
            SweepFolder(box.sweep),
            devices=[str(box.device)],
            workers_per_device=workers,
            settings=settings,
            stop=stop,
        )
    finally:
        timer.cancel()
    counts = {str(phase): count for phase, count in status.counts.items()}
    return {**counts, "ended": status.ended, "ok": not counts["failed"]}


class Check(NamedTuple):
    """A check, and the seconds of an H200 that it is thought to take."""

    run: Callable[[Box], dict[str, Any]]
    seconds: float


# In their order: what everything else rests on, then what is worth most.
CHECKS = {
    "attention": Check(attention, 10),
    "equality": Check(equality, 90),
    "utilisation": Check(utilisation, 90),
    "shortcuts": Check(shortcuts, 100),
    "bfloat16": Check(bfloat16, 40),
    "memory": Check(memory, 50),
    "compilation": Check(compilation, 60),
    "sweep": Check(sweep, 30),
}


def checked(box: Box, name: str, check: Check) -> dict[str, Any] | None:
    """Return what a check found, from its file if it is there; None where there is no time."""
    path = box.out / f"{name}.json"
    if path.exists():
        there: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if there["ok"] and there.get("ended", True):
            return there
    if box.left < (0 if box.small else check.seconds):
        return None
    begun = time.monotonic()
    if box.device.type == "cuda":
        torch.cuda.empty_cache()  # other processes want it
    try:
        found = check.run(box)
    except Exception as error:  # the others are worth something, too
        last = traceback.format_exception(error)[-3:]
        found = {"ok": False, "error": "".join(last).strip()[-2000:]}
    found = {"check": name, **found, "took_seconds": time.monotonic() - begun, **versions()}
    write_text(path, json.dumps(found, indent=1, default=str) + "\n")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0, 1 if a check failed or was not done, or 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder of what is found")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny models, as a test")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sweep", type=Path, help="folder of a prepared sweep")
    parser.add_argument("--only", action="append", choices=CHECKS, help="some checks; repeat it")
    parser.add_argument("--one-of", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    try:
        device = MachineSettings(device=asked.device).torch_device()
        if asked.sweep is not None:
            read_sweep(SweepFolder(asked.sweep))
    except InputError as error:
        sys.stderr.write(f"{as_options(str(error), {})}\n")
        return 2
    torch.set_num_threads(1)
    if asked.small:
        compiled.BACKEND = "eager"
    deadline = time.monotonic() + 60 * asked.minutes
    sizes = SMALL if asked.small else FULL
    box = Box(device, sizes, asked.small, asked.out, asked.sweep, deadline)
    if asked.one_of is not None:
        print(json.dumps(one_of(box, asked.one_of)))
        return 0
    asked.out.mkdir(parents=True, exist_ok=True)
    verdicts: dict[str, Any] = {}
    for name in asked.only or CHECKS:
        found = checked(box, name, CHECKS[name])
        verdicts[name] = "no time" if found is None else "passed" if found["ok"] else "failed"
        took = "" if found is None else f" in {found['took_seconds']:.0f} s"
        why = f": {found['error'].splitlines()[-1]}" if found and "error" in found else ""
        print(f"{name}: {verdicts[name]}{took}{why}", flush=True)
        write_text(asked.out / "summary.json", json.dumps(verdicts, indent=1) + "\n")
    return 0 if set(verdicts.values()) == {"passed"} else 1


if __name__ == "__main__":
    sys.exit(main())
