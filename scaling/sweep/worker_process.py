"""A worker as its driver sees it: a process that takes run ids and tells what becomes of them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling.sweep.folder import SweepFolder

if TYPE_CHECKING:
    from scaling.train.machine import Machine

_ROOT = Path(__file__).resolve().parents[2]
_LOG_BYTES = 2000
# Signals that come from the process itself; the others come from outside.
_OWN_FAULTS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How the runs of a sweep run on a machine; no part of what they compute.

    Attributes:
        precision: of matrix products: `float32`, `bfloat16`; None for the device's own.
        micro_rows: rows of a batch computed at once; None for as many as memory allows.
        threads: of the CPU, of each worker. With one, results do not depend on the machine's load.
        checkpoint_seconds: at most so much of a run is lost.
        sharers: workers that share the device's memory.
    """

    precision: str | None = None
    micro_rows: int | None = None
    threads: int = 1
    checkpoint_seconds: float = 120.0
    sharers: int = 1

    def machine(self, device: str) -> "Machine":
        """Return the machine with that device and these settings, as who trains wants it."""
        from scaling.train.machine import Machine

        return Machine(device=device, **asdict(self))


def command(folder: SweepFolder, device: str, settings: WorkerSettings) -> list[str]:
    """Return the command line of a worker."""
    words = [sys.executable, "-P", "-m", "scaling.sweep.worker", str(folder.path)]
    words += ["--device", device, "--parent", str(os.getpid())]
    for name, value in asdict(settings).items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


class WorkerProcess:
    """One worker.

    Attributes:
        device: of its runs. ready: whether it has loaded.
        run_id: what it has been given. begun: whether it said that it began with it.
    """

    def __init__(self, folder: SweepFolder, device: str, settings: WorkerSettings) -> None:
        # To be started by the thread that drives the sweep: with that thread it ends.
        self.device, self.ready, self.begun, self._leaves = device, False, False, False
        self.run_id: str | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = str(settings.threads)
        self.process = subprocess.Popen(
            command(folder, device, settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": threads},
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        self._rest = b""

    @property
    def free(self) -> bool:
        """Whether it can be given a run."""
        return self.ready and self.run_id is None and not self._leaves

    def fileno(self) -> int:
        """Return what there is to read from when it has said something."""
        return self._stdout.fileno()

    def give(self, run_id: str) -> None:
        """Have it train a run; if it is dead, that shows soon enough."""
        self.run_id, self.begun = run_id, False
        with contextlib.suppress(BrokenPipeError):
            os.write(self._stdin.fileno(), f"{run_id}\n".encode())

    def events(self) -> list[dict[str, Any]]:
        """Return what it has said since it was last asked."""
        chunks = [self._rest]
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.fileno(), 1 << 16):
                chunks.append(chunk)
        *lines, self._rest = b"".join(chunks).split(b"\n")
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """Tell it to save what it has and end."""
        if self.process.poll() is None:
            self.process.terminate()

    def dismiss(self) -> None:
        """Let it end once it has nothing to do."""
        self._leaves = True
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def close(self) -> None:
        """Let go of the pipes of a worker that is gone, or on its own from now on."""
        self.dismiss()
        self._stdout.close()
        self._log.close()

    @property
    def killed(self) -> bool:
        """Whether a signal from outside ended it."""
        code = self.process.returncode
        return code == 128 + signal.SIGTERM or (code < 0 and -code not in _OWN_FAULTS)

    @property
    def how_it_ended(self) -> str:
        """How the process ended, in words, with the end of its log."""
        code = self.process.returncode
        how = f"exit code {code}"
        if code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        log = " | ".join(self.log_tail().splitlines()[-5:])
        return f"worker ended by {how}" + (f": {log}" if log else "")

    def log_tail(self) -> str:
        """Return the end of what it wrote to stderr."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_BYTES))
        return self._log.read().decode("utf-8", "replace").strip()
