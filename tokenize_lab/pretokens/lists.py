"""A growing list of lists of numbers, in two arrays; and reading many of its lists at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class NumberLists:
    """List i is `values[starts[i]:starts[i + 1]]`."""

    def __init__(self) -> None:
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._values: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        """Bytes of memory it takes."""
        return self._starts.nbytes + self._values.nbytes

    def extend(self, values: NDArray[np.uint32], lengths: NDArray[np.int64]) -> None:
        """Add lists that lie end to end in `values`."""
        begin, size = int(self._starts[self._size]), self._size + len(lengths)
        self._starts = grown(self._starts, size + 1)
        self._values = grown(self._values, begin + len(values))
        np.cumsum(lengths, out=self._starts[self._size + 1 : size + 1])
        self._starts[self._size + 1 : size + 1] += begin
        self._values[begin : begin + len(values)] = values
        self._size = size

    def lengths(self, numbers: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return how long the lists are: [n] int64."""
        lengths: NDArray[np.int64] = self._starts[1:][numbers] - self._starts[numbers]
        return lengths

    def read(self, numbers: NDArray[np.integer]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the lists of these numbers end to end, and the length of each."""
        lengths = self.lengths(numbers)
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        shift = self._starts[numbers] - (ends - lengths)
        return self._values[np.repeat(shift, lengths) + np.arange(total)], lengths


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the array, or a copy with room for `size` rows and as many again; rows are zero."""
    if size <= len(array):
        return array
    larger = np.zeros((2 * size, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
