"""What a fault of a program's own says of itself where there is room for a line."""

import traceback

_LINES = 5


def fault_line(error: Exception) -> str:
    """Return the last lines of a traceback as one."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return " | ".join(line.strip() for line in lines[-_LINES:] if line.strip(" ^~"))
