"""FLOP-equivalent bits per byte: an ad hoc rule for tokenizers that differ in what serving costs.

What an arm saves in serving is taken to be spent on its training: its loss is read at

    C_ref (1 + s (1 - r))

from E + A C^-a through its runs, s being what is spent on serving over training and r its FLOPs of
a served byte over the reference's (issues 6796 and 6916 of marin-community/marin). It knows no
law of sizes and moves along one ladder; `scaling.advise.serve` answers the same question whole.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from corpora.arguments import real
from corpora.errors import InputError, did_you_mean
from scaling.engine.newton import SQUARES
from scaling.fits.arms import arms_of
from scaling.fits.single_stage import point
from scaling.laws.power_sum import PowerSum, Term
from scaling.runs import Runs

FEWEST_RUNS = 3
_LADDER = PowerSum((Term("E"), Term("A", {"C": "-a"})), {"a": np.geomspace(0.05, 2, 12)})
_STARTS = 6


class ArmEquivalent(NamedTuple):
    """One arm by the rule.

    Attributes:
        arm: its name. runs: on its ladder, the lowest loss of each budget.
        relative_cost: r. compute_flops: C_ref (1 + s (1 - r)).
        bits_per_byte: at C_ref. flop_equivalent_bits_per_byte: where the saving is spent.
        difference: of the latter from the reference's.
    """

    arm: str
    runs: int
    relative_cost: float
    compute_flops: float
    bits_per_byte: float
    flop_equivalent_bits_per_byte: float
    difference: float


def flop_equivalent(
    compute_flops: Sequence[float],
    bits_per_byte: Sequence[float],
    reference_flops: float,
    served_share: float,
    relative_cost: float,
) -> float:
    """Return the FLOP-equivalent bits per byte of one arm.

    Args:
        compute_flops, bits_per_byte: of three or more runs of the arm, from small to large.
        reference_flops: C_ref. served_share: s, serving over training.
        relative_cost: r, FLOPs of serving a byte over the reference's.

    Raises:
        InputError: fewer than three runs, their loss does not fall ever more slowly, or serving
            costs more than there is.
    """
    if not (times := 1 + served_share * (1 - relative_cost)) > 0:
        raise InputError(
            f"a relative cost of {relative_cost:g} leaves nothing to train with: C_ref times"
            f" {times:g}; give a lower one, or a smaller `served_share`"
        )
    compute, loss = (np.asarray(column, np.float64) for column in (compute_flops, bits_per_byte))
    rising = len(compute) == len(loss) >= FEWEST_RUNS and (np.diff(compute) > 0).all()
    if not rising or not (np.diff(loss) < 0).all():
        raise InputError(
            "a FLOP-equivalent needs three or more runs of rising compute and falling loss"
        )
    p = point(*_LADDER.problem({"C": compute / reference_flops}, loss, SQUARES, _STARTS))
    if not (p["E"] > 0 and p["A"] > 0 and p["a"] > 0):
        raise InputError("a FLOP-equivalent needs losses that flatten as a power law does")
    return float(_LADDER.value(p, C=np.array(times)))


def flop_equivalents(
    runs: Runs,
    reference: str,
    relative_costs: Mapping[str, float],
    reference_flops: float,
    served_share: float = 1.0,
) -> tuple[ArmEquivalent, ...]:
    """Return every arm of a table by the rule, the lowest FLOP-equivalent first.

    Args:
        runs: with `tokenization`, `compute_flops` and `bits_per_byte`; of each arm and budget the
            lowest loss counts.
        reference: the arm whose serving costs 1.
        relative_costs: r of each other arm.

    Raises:
        InputError: an arm is unknown or lacks its r, has fewer than three budgets, or C_ref or s
            cannot be.
    """
    at = real("reference_flops", reference_flops, 1)
    share = real("served_share", served_share, 0)
    compute, loss = (runs.column(name, "the rule") for name in ("compute_flops", "bits_per_byte"))
    labels = arms_of(runs)
    arms = list(dict.fromkeys(labels.tolist()))
    for name in (reference, *relative_costs):
        if name not in arms:
            near = did_you_mean(name, arms)
            raise InputError(
                f"{runs.name}: no arm {name!r}{near} ({', '.join(arms)}); arms are told apart by"
                " the column `tokenization`, and by `compression_rate` within one"
            )
    costs = {
        **{arm: real("relative_costs", r, 0) for arm, r in relative_costs.items()},
        reference: 1.0,
    }
    lacking = [arm for arm in arms if arm not in costs]
    if lacking:
        raise InputError(
            f"`relative_costs`: none for {', '.join(lacking)}; say what serving a byte costs there"
            f" over {reference}"
        )
    rows = []
    for arm in arms:
        budgets = np.unique(compute[labels == arm]).tolist()
        lowest = [float(loss[(labels == arm) & (compute == c)].min()) for c in budgets]
        try:
            told = [flop_equivalent(budgets, lowest, at, share, r) for r in (1.0, costs[arm])]
        except InputError as error:
            raise InputError(f"{runs.name}: {arm}: {error}") from error
        spent = at * (1 + share * (1 - costs[arm]))
        rows.append(ArmEquivalent(arm, len(budgets), costs[arm], spent, told[0], told[1], 0.0))
    base = next(row.flop_equivalent_bits_per_byte for row in rows if row.arm == reference)
    rows = [row._replace(difference=row.flop_equivalent_bits_per_byte - base) for row in rows]
    return tuple(sorted(rows, key=lambda row: row.flop_equivalent_bits_per_byte))
