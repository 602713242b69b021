"""The training loss of a run, from its metrics: at most a few hundred points, whatever its length.

The axis is logarithmic, so the steps are put into stretches of equal ratio of bytes read, and each
stretch is one point, the mean of its steps. That smooths where steps are many and leaves the first
ones as they are.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from scaling.train.metrics import values_of

Curve = Sequence[tuple[float, float]]

PER_DECADE = 30  # stretches: each is 8 % longer than the one before


def read_curve(path: Path) -> Curve:
    """Return bytes read and bits per byte, by rising bytes; nothing where there are no metrics.

    Lines that are torn, or hold no finite loss, are passed over, and so is what is no regular file.
    """
    sums: dict[int, tuple[int, float, float]] = {}
    try:
        if not path.is_file():  # to open a pipe is to wait for whoever writes into it
            return []
        with path.open("rb") as file:
            for line in file:
                found = _point(line)
                if found is None:
                    continue
                stretch = math.floor(PER_DECADE * math.log10(found[0]))
                n, data, loss = sums.get(stretch, (0, 0.0, 0.0))
                sums[stretch] = n + 1, data + found[0], loss + found[1]
    except OSError:
        pass
    stretches = [one for _, one in sorted(sums.items())]
    if len(stretches) > 1 and stretches[-1][0] < stretches[-2][0]:
        # The run ended within its last stretch, whose few steps would be a hook on the line.
        (n, data, loss), (more, further, rest) = stretches.pop(-2), stretches.pop(-1)
        stretches.append((n + more, data + further, loss + rest))
    return [(data / n, loss / n) for n, data, loss in stretches]


def _point(line: bytes) -> tuple[float, float] | None:
    value = values_of(line)
    if value is None:
        return None
    try:
        data, loss = float(value["train_bytes"]), float(value["bits_per_byte"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return (data, loss) if 0 < data < math.inf and math.isfinite(loss) else None
