"""Whether what trains and runs models is installed."""

import importlib.util

from corpora.errors import InputError


def require_torch() -> None:
    """Look for the extra `[train]`, without loading it.

    Raises:
        InputError: it is not installed.
    """
    for name in ("torch", "safetensors"):
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"models need {name}; install it with: pip install 'tokenize-lab[train]'"
            )
