"""Ending with the process that started this one, however that one ended."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> bool:
    """Have the system send SIGTERM once the parent's thread is gone; return whether it is there.

    Only Linux can. Elsewhere a worker learns of it by the end of its input.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return os.getppid() == parent  # it may have died before it was asked for
