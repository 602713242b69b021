"""Steps of a GPU recorded once for each shape of their inputs, and then replayed.

A step of a small model is some hundred kernels of a few microseconds each, and the host takes about
as long to launch one. Recorded, as a CUDA graph, the whole step, gradients, clipping and optimiser,
is one launch. A replay reads and writes the very memory that was recorded: inputs are copied into
tensors that stay, and so is whatever changes from step to step (`keep_rates_on`).

A shape's first steps are taken as they are: they compile, load kernels, and make the optimiser's
state, none of which can be recorded. On a CPU nothing is recorded and the same calls are made
again, so that tests see what a replay sees.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from scaling.train.ahead import BatchPart, each_tensor, tensors_of

WARM_UP = 3  # steps of each shape that are taken before it is recorded
MOST_SHAPES = 16  # that are recorded; a replay is no gain for what hardly comes again
TensorKinds = tuple[tuple[torch.Size, torch.dtype], ...]


class _Replay:
    """A step whose inputs and results stay where they are."""

    def __init__(self, parts: list[BatchPart]) -> None:
        self.parts: list[BatchPart] = [each_tensor(part, Tensor.clone) for part in parts]
        self.again: Callable[[], object] = lambda: None
        self.result: Tensor | None = None


class RecordedSteps:
    """Takes steps, and replays those whose shape it has seen often enough.

    Attributes:
        recorded: shapes that were.
    """

    def __init__(self, take: Callable[[list[BatchPart]], Tensor], device: torch.device) -> None:
        """Prepare.

        Args:
            take: takes a step with parts of a batch, on `device`, and returns numbers of it; it
                reads nothing back, and nothing from the host but what it was given.
        """
        self._take = take
        self._seen: dict[Any, int] = {}
        self._replays: dict[Any, _Replay] = {}
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._pool: Any = None

    @property
    def recorded(self) -> int:
        """How many shapes were recorded."""
        return len(self._replays)

    @contextlib.contextmanager
    def within(self) -> Iterator[None]:
        """Have all that belongs to steps done on the stream that is recorded."""
        if self._stream is None:
            yield
            return
        outside = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(outside)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            outside.wait_stream(self._stream)

    def __call__(self, parts: list[BatchPart]) -> Tensor:
        """Take a step, within `within`, and return its numbers."""
        shape = tuple(_shape(part) for part in parts)
        replay = self._replays.get(shape)
        if replay is None:
            seen = self._seen[shape] = self._seen.get(shape, 0) + 1
            if seen <= WARM_UP or len(self._replays) == MOST_SHAPES:
                return self._take(parts)
            replay = self._replays[shape] = self._record(parts)
        for kept, part in zip(replay.parts, parts, strict=True):
            for into, tensor in zip(tensors_of(kept), tensors_of(part), strict=True):
                into.copy_(tensor)
        replay.again()
        assert replay.result is not None
        return replay.result.clone()  # the next replay writes there

    def _record(self, parts: list[BatchPart]) -> _Replay:
        replay = _Replay(parts)
        if self._stream is None:

            def again() -> None:
                replay.result = self._take(replay.parts)

            replay.again = again
            return replay
        graph = torch.cuda.CUDAGraph()
        # Meanwhile a thread may bring the next batch.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        ):
            replay.result = self._take(replay.parts)
        self._pool = graph.pool()  # one for all: of two steps one is over before the other begins
        replay.again = graph.replay
        return replay


def _shape(part: BatchPart) -> tuple[TensorKinds, Any]:
    """Return what has to be alike in parts for one recording to do for both: the shapes of tensors,
    and what there is else in inputs."""
    rest: list[Any] = []
    _rest_of(part.arguments, rest)
    return tuple((tensor.shape, tensor.dtype) for tensor in tensors_of(part)), tuple(rest)


def _rest_of(value: Any, rest: list[Any]) -> None:
    if isinstance(value, Tensor):
        rest.append(Tensor)
    elif isinstance(value, tuple):
        for part in value:
            _rest_of(part, rest)
    else:
        rest.append(value)
