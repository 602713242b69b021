"""Counting batches on a Ray cluster, whose nodes may die and need share no disk.

This process reads the corpus and hands each batch out as a task; counts come back in order and are
added here, where the cache is too. A batch whose node died is counted again on another: it is a
function of its text, so the rows are those of one process, to the last digit.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from corpora.document import Batch
from corpora.errors import InputError
from tokenize_lab.batch_work import BatchCounter, BatchCounts, Workbench
from tokenize_lab.local_engine import CountedWork, Work
from tokenize_lab.ray_cluster import cluster, slots

_COUNT_SECONDS = 2.0
_AHEAD = 2  # batches that wait at the cluster for each CPU, and those whose counts wait here
_MOST_TRIES = 8  # of a batch whose node or process dies: one that kills them must not go round


def counted_on_ray(
    stream: Iterable[Work], workbench: Workbench, *, address: str | None, cpus: int | None
) -> Iterator[CountedWork]:
    """Yield the batches with their counts, in order.

    Arguments:
        address: `auto` or HOST:PORT of a cluster; None to start one on this machine.
        cpus: of one that is started here; None for all of the machine's.

    Raises:
        InputError: Ray or the cluster is not there, no node has a CPU, a node lacks this program,
            or a batch was lost again and again.
    """
    keeper = BatchCounter(workbench)
    with cluster(address, cpus) as ray:
        task = ray.remote(num_cpus=1, max_retries=_MOST_TRIES)(_count)
        bench = ray.put(replace(workbench, cache=None))
        waiting: deque[tuple[Work, Any]] = deque()
        room, looked = 0, -_COUNT_SECONDS
        for corpus, batch in stream:
            if time.monotonic() - looked > _COUNT_SECONDS:
                room, looked = _AHEAD * slots(ray, 1.0, 0.0), time.monotonic()
                if not room and not waiting:
                    raise InputError("no node of the Ray cluster has a CPU; add one that has")
            known = keeper.recalled(batch)
            # In a list, a reference is sent as it is; a process fetches the workbench once.
            found = known or task.remote([bench], batch)
            waiting.append(((corpus, batch), found))
            if len(waiting) > max(room, _AHEAD):
                yield _landed(ray, keeper, *waiting.popleft())
        while waiting:
            yield _landed(ray, keeper, *waiting.popleft())


def _landed(ray: Any, keeper: BatchCounter, work: Work, found: Any) -> CountedWork:
    """Return a batch with its counts, once they are there."""
    if isinstance(found, BatchCounts):
        return *work, found
    errors = ray.exceptions
    try:
        counts: BatchCounts = ray.get(found)
    except errors.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise InputError(str(error.cause)) from error
        last = str(error).strip().splitlines()[-1]
        raise InputError(
            f"a node of the Ray cluster cannot run this program ({last}); each needs the same"
            " tokenize-lab[ray]"
        ) from error
    except errors.RayError as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"a batch was lost {_MOST_TRIES + 1} times ({type(error).__name__}: {first}); what had"
            " been counted is in the cache: run again"
        ) from error
    keeper.remember(work[1], counts)
    return *work, counts


_here: tuple[str, BatchCounter] | None = None


def _count(bench: list[Any], batch: Batch) -> BatchCounts:
    """Count a batch on a node, as a task of Ray."""
    import os

    import ray

    global _here
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    name = bench[0].hex()
    if _here is None or _here[0] != name:
        _here = name, BatchCounter(ray.get(bench[0]))
    return _here[1].count(batch)
