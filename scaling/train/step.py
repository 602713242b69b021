"""One optimiser step: gradients of a whole batch, in as many parts as memory asks for."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from corpora.errors import InputError
from scaling.data.order import Windows
from scaling.data.windows import TokenBatch
from scaling.model.diffusion import MaskedBlocks, masked_blocks
from scaling.model.weights import AnyModel
from scaling.spec import RunSpec
from scaling.train.adamw import Optimizer
from scaling.train.ahead import BatchPart, PartsAhead, Rows, part_of
from scaling.train.device import World
from scaling.train.machine import MachineSettings
from scaling.train.optimiser import keep_rates_on, step_together
from scaling.train.recorded import RecordedSteps
from scaling.train.resident import ResidentText, text_fits

_OUT_OF_MEMORY = (
    *("out of memory", "can't allocate memory", "not enough memory"),
    "STATUS_ALLOC_FAILED",  # of cuBLAS and cuDNN, which allocate by themselves
)


@dataclass
class StepResult:
    """What a step saw, over this process's rows.

    Attributes:
        nats: loss summed over targets. targets: how many there were.
        block_nats: weighted, of what is masked in blocks; 0 of a model that fills none.
        tokens: units of the global module: tokens, or patches. bytes: of raw text.
        gradient_norm: of the whole batch, before clipping.
    """

    nats: float
    targets: int
    tokens: int
    bytes: int
    gradient_norm: float
    block_nats: float = 0.0


class AskedStep(NamedTuple):
    """A step that was asked for; a GPU may still be at it.

    Attributes:
        numbers: on the device: nats, those of blocks if any are filled, and the gradient's norm.
        known: the rest of what it saw.
    """

    numbers: Tensor
    known: StepResult

    def read(self) -> StepResult:
        """Wait for the step, and return what it saw."""
        nats, *of_blocks, norm = self.numbers.tolist()
        return replace(self.known, nats=nats, block_nats=sum(of_blocks), gradient_norm=norm)


# Of what is masked in blocks, beside the bytes; 1 as in the paper.
BLOCK_WEIGHT = 1.0


def loss_of(
    model: Any, batch: TokenBatch, device: torch.device, blocks: MaskedBlocks | None = None
) -> tuple[Tensor, int]:
    """Return nats summed over the batch's targets, in float32, and their number.

    Args:
        model: an `AnyModel`, or what wraps one and forwards to it.
        batch: padding is not scored.
        blocks: to be filled; with them, nats are [2], of the targets and of what is masked.
    """
    part = part_of(getattr(model, "module", model), batch, blocks, device)
    nats: Tensor = model(*part.arguments)
    return nats, part.scored


class Stepper:
    """Takes steps with one model and optimiser.

    Attributes:
        micro_rows: rows computed at once; halved when memory runs out, then kept.
    """

    def __init__(
        self,
        model: AnyModel,
        optimizer: Optimizer,
        windows: Windows,
        *,
        rows: int,
        clip: float,
        device: torch.device,
        autocast: torch.dtype | None,
        world: World,
        micro_rows: int | None = None,
        compiled: bool = False,
        flex: bool = False,
        block: int | None = None,
        ahead: bool = False,
        recorded: bool = False,
        resident: bool = False,
    ) -> None:
        """Prepare to take steps of `rows` windows, of which each process takes its share.

        Args:
            flex: as of `scaling.train.compiled.compiled`.
            block: bytes of blocks to be filled; None for none.
            ahead: whether a thread makes what is computed next.
            recorded: whether steps that are not checked are recorded and replayed.
            resident: whether the text is brought to the device.
        """
        self.block = block
        self.moved = [(model, optimizer)]  # with a norm and a step of their own each
        self.model, self.optimizer, self.windows = model, optimizer, windows
        self.rows, self.clip, self.device, self.autocast = rows, clip, device, autocast
        self.world = world
        # The thread's windows are its own: they keep what they found out.
        mine = functools.partial(self._made, windows=replace(windows), device=torch.device("cpu"))
        self.ahead = PartsAhead(mine, device) if ahead else None
        self.text = (
            ResidentText(model, replace(windows), device) if resident and not block else None
        )
        self.recorded = RecordedSteps(self._whole, device) if recorded else None
        if recorded:
            keep_rates_on(optimizer, device)
        self.low, self.high = world.share(rows)
        self.micro_rows = min(micro_rows or rows, self.high - self.low)
        self.called: Any = model
        self.compiled: bool = compiled
        self.compiling: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        if compiled:
            # Loaded where it is used: torch's tracer takes longer to load than all the rest.
            from scaling.train import compiled as compiling

            self.called, self.compiling = compiling.compiled(model, flex), compiling.compiling
        if world.size > 1:
            ids = [device] if device.type == "cuda" else None
            self.called = torch.nn.parallel.DistributedDataParallel(self.called, device_ids=ids)

    def step(self, step: int) -> StepResult:
        """Take one step, as `ask` does, and wait for it."""
        return self.ask(step).read()

    def ask(self, step: int, *, checked: bool = True) -> AskedStep:
        """Take one step, or on a GPU have it taken; the learning rate is set already.

        Args:
            checked: whether to wait for the gradient's norm, and to leave the model as it is where
                that is not finite; else the model is then spoilt, and whoever reads the step must
                not go on with it.

        Raises:
            InputError: one row alone does not fit into memory, or the optimiser's state; or, where
                several processes share the batch, the rows that one computes at once.
        """
        if self.recorded is not None and not checked:
            with self.recorded.within():
                return self._asked(step, checked)
        return self._asked(step, checked)

    def _asked(self, step: int, checked: bool) -> AskedStep:
        while True:
            try:
                if self.recorded is not None and not checked:
                    return self._replayed(step, self.recorded)
                self._zero()
                asked = self._gradients(step)
                break
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                # Of several processes the others would wait for ever for the one that tries again.
                if self.micro_rows == 1 or self.world.size > 1:
                    raise self._too_large() from error
            # Outside the handler: its traceback holds on to the memory that is to be freed.
            self._zero()
            if self.recorded is not None:
                self.recorded = RecordedSteps(self._whole, self.device)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.micro_rows = (self.micro_rows + 1) // 2
        norms = self._move(checked)
        return asked._replace(numbers=torch.cat((asked.numbers, norms.to(asked.numbers))))

    def _zero(self) -> None:
        self.optimizer.zero_grad()

    def _move(self, checked: bool) -> Tensor:
        """Clip the gradients and take the optimiser's step; return their norms before."""
        norms, sound = [], []
        try:
            for model, optimizer in self.moved:
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), self.clip)
                norms.append(norm)
                if not checked or float(norm) < float("inf"):
                    sound.append(optimizer)
            step_together(sound)  # the first one makes their state
            return torch.stack(norms)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            # Fewer rows would not help: what they took has been given back.
            raise InputError(
                f"the optimiser's state does not fit into the memory of {self.device} beside the"
                " model and its gradients; make the model smaller, or train it where there is more"
                " memory"
            ) from error

    def _replayed(self, step: int, recorded: RecordedSteps) -> AskedStep:
        total = StepResult(0.0, 0, 0, 0, 0.0)
        parts = [part for part, _ in self._counted(step, total)]
        return AskedStep(recorded(parts), total)

    def _whole(self, parts: list[BatchPart]) -> Tensor:
        """Take a step with a batch that is here whole, and return its numbers."""
        self._zero()
        numbers = self._of_parts((part, part is parts[-1]) for part in parts)
        return torch.cat((numbers, self._move(checked=False).to(numbers)))

    def _too_large(self) -> InputError:
        rows, units = self.micro_rows, self.windows.window_units
        if rows == 1:
            return InputError(
                f"one window of {units:,} units does not fit into the memory of {self.device};"
                " shorten context_bytes or make the model smaller"
            )
        return InputError(
            f"{rows} windows of {units:,} units do not fit into the memory of {self.device};"
            f" compute fewer at once, as with `micro_rows={(rows + 1) // 2}`"
        )

    def _gradients(self, step: int) -> AskedStep:
        """Return what is known before the gradient's norm is."""
        total = StepResult(0.0, 0, 0, 0, 0.0)
        numbers = self._of_parts(self._counted(step, total))
        return AskedStep(numbers, total)

    def _counted(self, step: int, total: StepResult) -> Iterator[tuple[BatchPart, bool]]:
        """Yield the parts of a step, and whether each is the last; what they hold is added up."""
        for low in range(self.low, self.high, self.micro_rows):
            high = min(low + self.micro_rows, self.high)
            part = self._part((step, low, high))
            total.targets += part.scored
            total.tokens += part.units
            total.bytes += part.bytes
            yield part, high == self.high

    def _of_parts(self, parts: Iterable[tuple[BatchPart, bool]]) -> Tensor:
        """Add up the gradients of parts, and return their nats."""
        nats_of_parts = []
        for part, last in parts:
            with self._quiet(last):
                with self.compiling(), computing(self.device, self.autocast):
                    nats = self.called(*part.arguments)
                # Windows of training are full, so the batch's targets are known beforehand.
                of_all = self.rows * self.windows.window_units / self.world.size
                whole = nats if part.blocks is None else nats[0] + BLOCK_WEIGHT * nats[1]
                (whole.sum() / of_all).backward()  # over members, if there are any
            nats_of_parts.append(nats.detach().reshape(-1))
        return torch.stack([part.sum() for part in torch.stack(nats_of_parts, dim=1)])

    def _part(self, rows: Rows) -> BatchPart:
        """Return rows of a step's batch on the device."""
        if self.ahead is None:
            return self._made(rows, self.windows, self.device)
        step, _, high = rows
        step, low = (step, high) if high < self.high else (step + 1, self.low)
        return self.ahead.part(rows, (step, low, min(low + self.micro_rows, self.high)))

    def _made(self, rows: Rows, windows: Windows, device: torch.device) -> BatchPart:
        if self.text is not None:
            with computing(self.device, self.autocast):
                part = self.text.part(rows, self.rows)
            if part is not None:
                return part
        step, low, high = rows
        batch, blocks = windows.batch(step, self.rows, (low, high)), None
        if self.block is not None:
            seed, few = windows.seed, self.compiled
            blocks = masked_blocks(batch, self.block, seed, step, low, few)
        with computing(self.device, self.autocast):  # as the model will compute
            return part_of(self.model, batch, blocks, device)

    def _quiet(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients are summed over processes with the last part only."""
        if self.world.size == 1 or last:
            return contextlib.nullcontext()
        quiet: contextlib.AbstractContextManager[None] = self.called.no_sync()
        return quiet


def computing(
    device: torch.device, dtype: torch.dtype | None
) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which a model computes in `dtype` where that is safe."""
    return contextlib.nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(
        words in str(error) for words in _OUT_OF_MEMORY
    )


SMOOTHING = 0.98  # of losses, by which a run is judged


def divergence(
    step: int, loss: float, gradient_norm: float, smoothed: float, guessing: float
) -> str:
    """Return why a run has diverged at a step, counted from 1; empty if it has not.

    Args:
        loss: of the step, `smoothed` over those before, and that of `guessing`, in nats per target.
    """
    for what, value in (("loss", loss), ("gradient", gradient_norm)):
        if not math.isfinite(value):
            return f"the {what} of step {step} is not finite"
    # The smoothed loss has forgotten how the run began after a few of its time constants.
    settled = step > 4 / (1 - SMOOTHING)
    if settled and smoothed > guessing:
        return (
            f"at step {step} the smoothed loss is {smoothed:.3f} nats per target,"
            f" above the {guessing:.3f} of guessing"
        )
    return ""


def stepper_of(
    spec: RunSpec,
    model: AnyModel,
    optimizer: Optimizer,
    windows: Windows,
    machine: MachineSettings,
    device: torch.device,
    world: World,
    micro_rows: int,
    kind: type[Stepper] = Stepper,
) -> Stepper:
    """Return what takes the steps of a run, with the shortcuts that the machine's settings allow.

    Args:
        model: on `device`. micro_rows: to compute at once, to begin with.
        kind: of stepper.
    """
    late, autocast = machine.reads_every(device) > 1, machine.autocast(device)
    model.stream = autocast if machine.takes("stream", device) else None
    fits = machine.takes("text", device) and text_fits(windows, device, machine.processes)
    return kind(
        model,
        optimizer,
        windows,
        rows=spec.rows,
        clip=spec.training.clip,
        device=device,
        autocast=autocast,
        world=world,
        micro_rows=micro_rows,
        compiled=machine.compiles(device),
        # On a CPU it has no gradient.
        flex=machine.takes("flex", device) and device.type == "cuda",
        block=spec.model.diffusion_block,
        ahead=late,
        recorded=late and world.size == 1 and machine.takes("graphs", device),
        resident=fits,
    )
