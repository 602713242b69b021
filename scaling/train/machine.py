"""The settings of the machine: where a run runs, and how fast; no part of what it computes.

They are declared once, as fields; a field's metadata are those of its option on the command lines
of the processes that train (`python -m scaling.train`, a sweep's workers). Importing this loads no
PyTorch.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, Self, get_args

from corpora.errors import InputError

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]
Shortcut = Literal["flex", "stream", "graphs", "text"]
_READ_EVERY = 16  # steps, on a GPU
_DEVICES = ("cpu", "cuda")


_MOST = 1 << 20  # threads, windows or runs at once


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to {_MOST:,}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value


def shortcuts_of(text: str) -> tuple[Shortcut, ...]:
    """Return the shortcuts that an option names, with commas between them.

    Raises:
        InputError: there is no such shortcut.
    """
    known = get_args(Shortcut)
    names = [] if text.strip() == "none" else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise InputError(
                f"`shortcuts` {name!r}: there is none of that name; {', '.join(known)}, or none"
            )
    return tuple(name for name in known if name in names)


@dataclass(frozen=True, kw_only=True)
class MachineSettings:
    """Where a run runs, and how fast.

    Attributes:
        device: `cpu`, `cuda` or `cuda:0`; `auto` takes a GPU where there is one.
        precision: of matrix products; losses and softmax are always float32. None for bfloat16 on
            a GPU and float32 on a CPU.
        micro_rows: rows of a batch computed at once; None for as many as memory allows.
        threads: of the CPU; None to leave them as they are. With one, results do not depend on the
            machine's load.
        checkpoint_seconds: no more work than this is lost.
        processes: that train on the device at once; each takes its share of the memory.
        compile: whether the model is compiled; None for on a GPU only.
        read_every: steps after which their losses are read, and seen to be numbers: a GPU goes on
            meanwhile, and is waited for only then; where it is more than one step, a thread makes
            batches ahead. None for 16 on a GPU and 1 on a CPU.
        shortcuts: that are taken; None for all of them on a GPU and none on a CPU. `flex`: windows
            and segments are attended to by FlexAttention, where the model is compiled; `stream`:
            between blocks states are of the precision of products; `graphs`: steps are recorded
            and replayed, where their losses are read later; `text`: the text lies on the device.
        together: runs of a sweep that are trained as one model at most, 1 for none; None for what
            pays on the device (`scaling.train.groups`).
    """

    device: str = field(default="auto", metadata={"help": "cpu, cuda, cuda:N or auto"})
    precision: Precision | None = field(default=None, metadata={"choices": get_args(Precision)})
    micro_rows: int | None = field(
        default=None, metadata={"type": _count, "help": "windows computed at once"}
    )
    threads: int | None = field(default=None, metadata={"type": _count, "help": "of the CPU"})
    checkpoint_seconds: float = field(
        default=120.0, metadata={"type": _seconds, "help": "of work lost at most"}
    )
    processes: int = field(
        default=1, metadata={"type": _count, "help": "that train on the device at once"}
    )
    compile: bool | None = field(
        default=None,
        metadata={
            "action": argparse.BooleanOptionalAction,
            "help": "the model; on a GPU unless told otherwise",
        },
    )

    read_every: int | None = field(
        default=None,
        metadata={
            "type": _count,
            "help": "steps before their losses are read; 16 on a GPU, else 1",
        },
    )
    shortcuts: tuple[Shortcut, ...] | None = field(
        default=None,
        metadata={
            "type": shortcuts_of,
            "help": "flex, stream, graphs, text, or none; all on a GPU unless told otherwise",
        },
    )

    together: int | None = field(
        default=None, metadata={"type": _count, "help": "runs alike that are trained as one model"}
    )

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser, without: Sequence[str] = ()) -> None:
        """Give a parser the options; those `without` which it does keep their defaults."""
        words = cls.options()
        for setting in fields(cls):
            if setting.name in without:
                parser.set_defaults(**{setting.name: setting.default})
            elif word := words.get(setting.name):
                parser.add_argument(word, default=setting.default, **setting.metadata)

    @classmethod
    def options(cls) -> dict[str, str]:
        """Return the option of each setting that has one, by its name; for `as_options`."""
        names = [setting.name for setting in fields(cls) if setting.metadata]
        return {name: f"--{name.replace('_', '-')}" for name in names}

    @classmethod
    def parsed(cls, options: argparse.Namespace) -> Self:
        """Return the settings that a parser with these options found."""
        return cls(**{name: getattr(options, name) for name in cls.options()})

    def words(self) -> list[str]:
        """Return the options as a command line: what `parsed` makes these settings of."""
        words = []
        for name, option in self.options().items():
            value = getattr(self, name)
            if isinstance(value, tuple):
                words += [option, ",".join(value) or "none"]
            elif isinstance(value, bool):
                words.append(option if value else f"--no-{option.removeprefix('--')}")
            elif value is not None:
                words += [option, str(value)]
        return words

    def checked(self) -> Self:
        """Return the settings, once it is known that there is such a device.

        Raises:
            InputError: a GPU is asked for and there is none, or there is no such device.
        """
        self.torch_device()
        return self

    def torch_device(self) -> "torch.device":
        """Return the device.

        Raises:
            InputError: as `checked`.
        """
        import torch

        name = self.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise InputError(f"device {name!r}: unknown; use cpu, cuda or cuda:N") from error
        if device.type not in _DEVICES:
            raise InputError(f"device {name!r}: not supported; use cpu, cuda or cuda:N")
        count = torch.cuda.device_count()
        if device.type == "cuda" and (device.index or 0) >= count:
            raise InputError(
                f"device {name!r}: this machine has {count or 'no'} CUDA device"
                f"{'s' if count != 1 else ''} that PyTorch {torch.__version__} can use; use"
                " the CPU, or install a CUDA build of PyTorch"
            )
        if device.type == "cuda":
            # It plans anew for every length, and under an explicit mask its gradients of some
            # lengths are no numbers (torch 2.11); the other kernels do neither.
            torch.backends.cuda.enable_cudnn_sdp(False)
        return device

    def autocast(self, device: "torch.device") -> "torch.dtype | None":
        """Return the type that matrix products are taken in; None for the weights' own."""
        import torch

        precision = self.precision or ("bfloat16" if device.type == "cuda" else "float32")
        return torch.bfloat16 if precision == "bfloat16" else None

    def reads_every(self, device: "torch.device") -> int:
        """Return the number of steps after which their losses are read."""
        return self.read_every or (_READ_EVERY if device.type == "cuda" else 1)

    def takes(self, shortcut: Shortcut, device: "torch.device") -> bool:
        """Whether a shortcut is taken, where the other settings allow it."""
        return device.type == "cuda" if self.shortcuts is None else shortcut in self.shortcuts

    def compiles(self, device: "torch.device") -> bool:
        """Whether the model is compiled."""
        return self.compile if self.compile is not None else device.type == "cuda"
