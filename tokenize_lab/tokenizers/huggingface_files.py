"""Finding a tokenizer.json: a file, a folder with one, or a name on the Hugging Face hub."""

import logging
import re
from pathlib import Path
from typing import NamedTuple

from corpora.errors import InputError, at
from tokenize_lab.tokenizers.paths import is_file, is_folder

FILE_NAME = "tokenizer.json"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


class TokenizerJson(NamedTuple):
    """A tokenizer.json's text, a short name for it, and where it was found."""

    text: str
    name: str
    place: str


def read_tokenizer_json(where: str) -> TokenizerJson:
    """Read the tokenizer.json at a path, in a folder, or on the hub.

    Raises:
        InputError: there is none, or it is not text.
    """
    path = Path(where)
    if is_folder(path):
        folder, path = path, path / FILE_NAME
        if not is_file(path):
            raise InputError(f"{folder}: no {FILE_NAME} in this folder")
    if is_file(path):
        return TokenizerJson(_read(path), _short_name(path), str(path))
    if where.endswith(".json") or not HUB_NAME.fullmatch(where):
        raise InputError(f"{where}: no such file or folder")
    return TokenizerJson(_read(_from_hub(where)), where, where)


def _read(path: Path) -> str:
    try:
        # Windows editors put a byte order mark in front, which the library does not take.
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{at(path, byte=error.start)}: not a whole tokenizer.json (not UTF-8); fetch it again"
        ) from error


def _short_name(path: Path) -> str:
    """Return the file's stem, or the folder's name for a file called tokenizer.json."""
    return path.stem if path.name != FILE_NAME else path.resolve().parent.name


def _from_hub(name: str) -> Path:
    """Return the hub's tokenizer.json, from its cache or fetched."""
    from huggingface_hub import hf_hub_download

    # The library tells of each of its retries; one line at the end says it all.
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return Path(hf_hub_download(name, FILE_NAME))
    except Exception as error:  # its own kinds, and whatever its network library raises
        raise InputError(f"hf:{name}: {_hub_problem(error)}") from error
    finally:
        logger.setLevel(level)


def _hub_problem(error: Exception) -> str:
    from huggingface_hub import errors

    match error:
        case errors.LocalEntryNotFoundError():
            return "the hub cannot be reached; look at the network, or give a tokenizer.json"
        case errors.GatedRepoError():
            return "the hub wants to know who asks; set HF_TOKEN"
        case errors.RepositoryNotFoundError():
            return "no such file or folder here, nor such a name on the hub"
        case errors.EntryNotFoundError():
            return f"it has no {FILE_NAME} on the hub"
    return f"not to be had from the hub ({type(error).__name__})"
