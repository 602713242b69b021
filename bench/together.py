"""Steps of many small models as one, beside the same steps of each by itself.

    python bench/together.py [--size 1,16 ...] [--members 2 4 8] [--device cuda]

The runs differ in their seed, so each reads its own batches; both ways take whole steps, batches,
gradients, clipping and optimiser, through the trainer's own code (`scaling.train.step`,
`scaling.train.together`). Rounds alternate between them. Seconds are of the CPU, one thread, on a
CPU; of the clock on a GPU. What is printed is the time of a step of one run, and by how much one
run after the other takes longer than all together.
"""

import argparse
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from scaling.data.build_text import build_text
from scaling.data.shards import open_shards
from scaling.spec import Model, Patching, RunSpec, Training, default_learning_rate
from scaling.train.device import synchronize
from scaling.train.machine import MachineSettings
from scaling.train.progress import StopRequest
from scaling.train.run import RunUnderWay
from scaling.train.together import JointStepper, Member

WARM_UP = 3  # steps


def text(folder: Path, size: int = 4_000_000) -> Path:
    """Return shards of the standard library's sources."""
    documents, held = [], 0
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        documents.append(Document(file.read_text("utf-8", "replace"), "zxx"))
        held += len(documents[-1].text)
        if held > size:
            break
    return build_text([DocumentCorpus("stdlib", documents)], folder, held_out_bytes=20_000)


def runs(
    shards: Path, folder: Path, arguments: argparse.Namespace, size: str, members: int
) -> list[RunUnderWay]:
    """Return runs that have not begun."""
    layers, dim = map(int, size.split(","))
    local, slots = (32, 1) if dim < 96 else (128, 2)
    machine = MachineSettings(device=arguments.device, threads=1)
    found = []
    for seed in range(members):
        spec = RunSpec(
            model=Model(
                family="blt",
                layers=layers,
                dim=dim,
                local_layers=1,
                local_dim=local,
                cross_factor=slots,
            ),
            patching=Patching(kind="static", compression_rate=4.0),
            training=Training(
                steps=10**6,
                batch_bytes=arguments.batch,
                learning_rate=default_learning_rate(dim, "muon"),
                optimiser="muon",
            ),
            shards=shards.name,
            compression_rate=4.0,
            context_bytes=arguments.context,
            window_bytes=arguments.context // 8,
            seed=seed,
        )
        opened = open_shards(shards)
        found.append(RunUnderWay(spec, opened, folder / spec.run_id, machine, 0.0, StopRequest()))
    return found


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return seconds of the CPU, or of the clock until a GPU has done the work."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    synchronize(device)
    begin = clock()
    work()
    synchronize(device)
    return clock() - begin


def main() -> None:
    """Print a line for each size and number of members."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", nargs="+", default=["1,16", "1,32", "2,64"], metavar="L,D")
    parser.add_argument("--members", nargs="+", type=int, default=[2, 4, 8])
    parser.add_argument("--batch", type=int, default=2048, help="bytes of a step of one run")
    parser.add_argument("--context", type=int, default=512, help="bytes of a window")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=4, help="per round")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {arguments.device}, batches of {arguments.batch:,} bytes")
    with tempfile.TemporaryDirectory() as name:
        shards = text(Path(name))
        for size in arguments.size:
            for members in arguments.members:
                alone = runs(shards, Path(name), arguments, size, members)
                device = alone[0].device
                checked = alone[0].read_every == 1
                steppers = [run.own_stepper() for run in alone]
                joint = JointStepper.of(
                    [Member(run) for run in runs(shards, Path(name), arguments, size, members)]
                )

                def each(count: int) -> None:
                    for stepper in steppers:  # noqa: B023
                        for step in range(count):
                            stepper.ask(step, checked=checked)  # noqa: B023

                def all_at_once(count: int) -> None:
                    for _ in range(count):
                        joint.ask_each()  # noqa: B023

                taken = np.zeros((arguments.rounds, 2))
                each(WARM_UP)
                all_at_once(WARM_UP)
                for row in taken:
                    for place, work in enumerate((each, all_at_once)):
                        spent = seconds(lambda work=work: work(arguments.steps), device)  # type: ignore[misc]
                        row[place] = spent / (arguments.steps * members)
                low, ratio, high = np.quantile(taken[:, 0] / taken[:, 1], (0.25, 0.5, 0.75))
                apart, together = 1e3 * np.median(taken, axis=0)
                print(
                    f"({size}) {members} members: {apart:6.2f} ms a step, together {together:6.2f}:"
                    f" x {ratio:.2f} (quartiles {low:.2f} to {high:.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
