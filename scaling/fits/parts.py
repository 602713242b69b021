"""Laws fitted to each part of a table: what one part lacks does not cost the others their fit."""

from collections.abc import Callable, Iterable, Mapping

from corpora.errors import InputError
from scaling.result import Finding, FitResult
from scaling.runs import Runs

FAMILY = ("tokenization", "language", "dataset")  # a law is of one of each
Context = Mapping[str, float | str]


def fit_each(
    law: str,
    parts: Iterable[tuple[Context, Runs]],
    fit: Callable[[Context, Runs], tuple[FitResult, ...]],
) -> tuple[FitResult, ...]:
    """Return every part's results; a part that cannot be fitted has one that says why.

    Args:
        parts: what each is confined to, which its results will say, and its runs.

    Raises:
        InputError: no part can be fitted; what the first of them lacks.
    """
    results: list[FitResult] = []
    refusals: list[InputError] = []
    parts = list(parts)
    for context, runs in parts:
        try:
            results += (one.within(context) for one in fit(context, runs))
        except InputError as error:
            refusals.append(error)
            results.append(unfitted(law, runs, context, str(error)))
    if len(refusals) == len(parts):
        raise refusals[0]
    return tuple(results)


def unfitted(law: str, runs: Runs, context: Context, reason: str) -> FitResult:
    """Return the result of a part that a law cannot be fitted to."""
    return FitResult(
        law=law,
        form="none",
        estimates={},
        intervals={},
        method="none",
        interval_reason="nothing was fitted",
        status="not converged",
        n=0,
        excluded=runs.excluded,
        conventions=runs.conventions(),
        context=dict(context),
        data=runs.name,
        data_sha256=runs.sha256,
        findings=(Finding(name="not fitted", severity="failure", message=reason),),
    )
