"""What runs in a process apart: `python -m tokenize_lab.apart_child`, started by `backends.apart`.

It opens tokenizers' files, and encodes text with tokenizers it is given, and says what came of it.
What it reads on standard input is its parent's; files are strangers'.
"""

import contextlib
import json
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from tokenize_lab.backends import apart
from tokenize_lab.backends.common import PROBES, message_of
from tokenize_lab.tokenizer_spec import load_tokenizer

_Reply = tuple[dict[str, Any], bytes]
_given: dict[str, Any] = {}  # tokenizers by their keys


def main() -> None:
    """Answer requests until standard input ends."""
    apart.inside = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    work: dict[str, Callable[[dict[str, Any], bytes], _Reply]] = {
        "open": _open,
        "take": _take,
        "encode": _encode,
        "pieces": _pieces,
    }
    while line := requests.readline():
        asked = json.loads(line)
        payload = requests.read(asked["size"])
        unlimited = _limit(asked["seconds"], asked["memory"])
        try:
            os.chdir(asked["folder"])
            facts, payload = work[asked["do"]](asked, payload)
        except InputError as error:
            facts, payload = {"refused": str(error)}, b""
        except MemoryError:
            sys.stderr.write("MemoryError\n")
            os._exit(1)
        except BaseException as error:  # a panic of Rust is no Exception
            what = f"{type(error).__name__}: {message_of(error)[:200]}"
            facts, payload = {"failed": what}, b""
        said = {**facts, "size": len(payload), "unlimited": unlimited}
        answers.write(json.dumps(said).encode() + b"\n" + payload)
        answers.flush()


def _open(asked: dict[str, Any], _: bytes) -> _Reply:
    """Load a tokenizer, and encode the texts that tokenizers trip over."""
    load_tokenizer(asked["spec"]).encode_batch(PROBES)
    return {}, b""


def _take(asked: dict[str, Any], payload: bytes) -> _Reply:
    """Keep a tokenizer to encode with; its engine is made now."""
    tokenizer = pickle.loads(payload)
    tokenizer.encode_batch([])
    _given[asked["key"]] = tokenizer
    return {}, b""


def _encode(asked: dict[str, Any], payload: bytes) -> _Reply:
    """Encode texts, of which the lengths in bytes are told; return ids and lengths."""
    ids, lengths = _given[asked["key"]].encode_batch(_texts(asked, payload))
    return {"lengths": lengths.tolist()}, ids.astype("<u4").tobytes()


def _pieces(asked: dict[str, Any], payload: bytes) -> _Reply:
    """Return into how many pieces a text is split."""
    (text,) = _texts(asked, payload)
    return {"pieces": _given[asked["key"]].pretoken_count(text)}, b""


def _texts(asked: dict[str, Any], payload: bytes) -> list[str]:
    texts, at = [], 0
    for length in asked["lengths"]:
        texts.append(payload[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    return texts


def _limit(seconds: int, memory: int) -> bool:
    """Limit this process's computing and memory; return whether memory cannot be."""
    with contextlib.suppress(ValueError, OSError):
        _lower(resource.RLIMIT_CPU, int(time.process_time()) + seconds + 1)
    try:
        # Where the system does not tell how large the process is, it may have a gigabyte beside.
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        now = pages * resource.getpagesize()
    except OSError:
        now = 1 << 30
    try:
        _lower(resource.RLIMIT_AS, now + memory)
    except (ValueError, OSError):
        return True
    return sys.platform == "darwin"  # which takes the number and keeps to none


def _lower(what: int, amount: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(what, (most, hard))


if __name__ == "__main__":
    main()
