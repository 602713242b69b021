"""Text longer than a model's context: where the piece begins that it is read in."""


def piece_begin(length: int, window: int) -> int:
    """Return where the piece begins in which unit number `length` of a document is predicted.

    A piece of `window` units is full; the next begins with the last window // 2 of them.
    """
    if length < window:
        return 0
    step = window - window // 2
    return step * ((length - window) // step + 1)
