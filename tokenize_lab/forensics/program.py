"""The linear programme that reads shares of a training text from an order of merges.

At step t the trainer merged the most frequent pair m(t) of its text. If that text was a mixture of
languages with shares alpha, then for every other pair p

    sum_i alpha_i c_i(t, m(t)) + v_t + u_p >= sum_i alpha_i c_i(t, p),

where c_i(t, p) is how often language i holds the pair, per byte, after the merges before t, and v_t
and u_p, at least 0, take up that our text of the languages is not theirs. The shares are those for
which the slack, sum_t v_t + sum_p u_p, is least (Hayase et al. 2024, "Data Mixture Inference",
arXiv 2407.16607).

Text of another kind is off by so much per cent, not by so many occurrences, yet the first few
merges of a language weigh as much in that sum as hundreds of later ones. So a second programme
follows, in which each slack is counted as a share of its pair's frequency under the first one's
answer (`relative_costs`); LOG.md has what either comes to on planted mixtures.

There are far more constraints than can be written down, one for each pair at each step. A pair's
count stands for a stretch of steps, in which the tightest step is the least of the left-hand sides
in a range: a sparse table of minima, each at most the two below it, says so with two constraints a
stretch. Nearly all stretches hold by themselves, so the worst of each pair is added when broken,
until what is still broken could add no more than `GAP` to the slack, or `MOST_CHOSEN` are there.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tokenize_lab.forensics.replay import PairHistory
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import BoolArray, FloatArray, IntArray

MOST_ADDED = 2000  # stretches a round, or as many as there are
BEGIN_NEAR = 8000  # stretches of the first round where the shares are known nearly
MOST_CHOSEN = 30_000  # stretches in all: 1.3 GB, a minute of CPU for each round
MOST_ROUNDS = 40
LEAST = 1.0  # occurrences per million bytes: slack of rarer pairs costs no more than theirs
SCALE = 1e-3  # of counts in the solver, whose tolerances are absolute: per thousand bytes
ROUNDING = 1e-6  # of what is lacking where no slack is needed: what the solver leaves
GAP = 1e-3  # of the slack: what is found is at most so far below the least there is
REACH, REACH_LEAST = 0.5, 0.005  # how far from the last round's shares: so much of each, and more


class Costs(NamedTuple):
    """What a unit of slack costs: [T] at each step, [pairs] for each pair."""

    steps: FloatArray
    pairs: FloatArray


@dataclass(frozen=True)
class Solution:
    """The shares, and how they were found.

    Attributes:
        shares: [languages], sum 1.
        slack: sum of all slacks times their costs; without costs, occurrences per million bytes.
        steps_used: merges whose pair occurs in the text, of those asked for.
        constraints: how many stretches had to be looked at.
        rounds: of adding them.
        gap: how far the least slack of the whole programme can lie above `slack`, as a share of
            it; above `GAP` only if `MOST_ROUNDS` or `MOST_CHOSEN` ended the search.
        chosen: [constraints] the stretches, to begin another solution with.
    """

    shares: FloatArray
    slack: float
    steps_used: int
    constraints: int
    rounds: int
    gap: float
    chosen: IntArray


def solve(
    history: PairHistory,
    counts: FloatArray,
    costs: Costs | None = None,
    near: Solution | None = None,
    begin_with: IntArray | None = None,
    progress: ReportProgress = silent,
) -> Solution:
    """Return the shares that leave the least slack.

    Few constraints leave the shares to swing from one language to the next, so once shares are
    known nearly each round looks in a box around the last one's. The programme is convex: a
    solution that no side of the box stops is one without the box.

    Arguments:
        history: stretches of pairs.
        counts: [stretches, languages] occurrences per million bytes of the language.
        costs: of the slacks; 1 for each where None is given, which is the published programme.
        near: the solution of a like problem.
        begin_with: constraints of the solution of a problem with these costs.
        progress: told of each round.
    """
    steps, languages = history.steps, counts.shape[1]
    known = history.merged >= 0
    merged = np.where(known[:, None], counts[history.merged], 0.0)
    pairs = int(history.pair.max(initial=-1)) + 1
    costs = costs or Costs(np.ones(steps), np.ones(pairs))
    shares = np.full(languages, 1 / languages) if near is None else near.shares
    box = whole = np.tile([0.0, 1.0], (languages, 1))
    step_slack, pair_slack = np.zeros(steps), np.zeros(pairs)
    chosen = np.zeros(0, np.int64)
    slack, rounds = 0.0, 0
    while True:
        rounds += 1
        level = np.where(known, merged @ shares + step_slack, np.inf)
        at = _lowest(level, history.begin, history.end)
        broken = counts @ shares - pair_slack[history.pair] - level[at]
        worst = np.zeros(pairs)
        np.maximum.at(worst, history.pair, broken)
        # Raising each pair's slack by what it lacks would satisfy everything.
        lacking = float(worst @ costs.pairs)
        gap = lacking / slack if slack else float(lacking > ROUNDING)
        progress(f"choosing constraints, round {rounds}: {_so_far(len(chosen), gap)}", 0)
        stopped = _stopped(shares, box)
        if gap <= GAP and not stopped:
            break
        wanted = np.flatnonzero((broken > 0) & (broken == worst[history.pair]))
        wanted = np.setdiff1d(wanted, chosen)
        price = broken[wanted] * costs.pairs[history.pair[wanted]]
        least = MOST_ADDED if near is None else BEGIN_NEAR
        most = min(max(least, len(chosen)), MOST_CHOSEN - len(chosen))
        more = np.union1d(chosen, wanted[np.argsort(-price, kind="stable")[:most]])
        if rounds == 1 and begin_with is not None:
            more = begin_with
        if rounds > MOST_ROUNDS or (len(more) == len(chosen) and not stopped):
            break
        box = _around(shares) if near is not None and rounds < MOST_ROUNDS else whole
        chosen = more
        shares, step_slack, pair_slack, slack = _solved(
            history, counts, merged, known, chosen, costs, box
        )
    return Solution(shares, slack, int(known.sum()), len(chosen), rounds, gap, chosen)


def _so_far(chosen: int, gap: float) -> str:
    return f"{chosen:,}, slack to within {gap:.1%}" if chosen and gap < 1 else f"{chosen:,}"


def _around(shares: FloatArray) -> FloatArray:
    """Return the box that the next shares may be in: [languages, 2]."""
    low, high = (1 - REACH) * shares - REACH_LEAST, (1 + REACH) * shares + REACH_LEAST
    return np.clip(np.stack([low, high], 1), 0, 1)


def _stopped(shares: FloatArray, box: FloatArray) -> bool:
    """Whether a share lies at a side of its box where it could go on."""
    low, high = box.T
    near = 1e-6  # the shares were made to sum to one
    return bool(
        (((shares <= low + near) & (low > 0)) | ((shares >= high - near) & (high < 1))).any()
    )


def relative_costs(history: PairHistory, counts: FloatArray, shares: FloatArray) -> Costs:
    """Return costs that count slack as a share: of the frequency of the pair merged at a step, and
    of the highest that a pair reaches, both under `shares`."""
    level = counts @ shares
    merged = np.where(history.merged >= 0, level[history.merged], LEAST)
    highest = np.zeros(int(history.pair.max(initial=-1)) + 1)
    np.maximum.at(highest, history.pair, level)
    return Costs(1 / np.maximum(merged, LEAST), 1 / np.maximum(highest, LEAST))


def _lowest(level: FloatArray, begin: IntArray, end: IntArray) -> IntArray:
    """Return where `level` is least in each range begin..end - 1: a sparse table of powers of two
    (Bender and Farach-Colton 2000)."""
    best = [np.arange(len(level))]
    width = 1
    while 2 * width <= len(level):
        left, right = best[-1][:-width], best[-1][width:]
        best.append(np.where(level[left] <= level[right], left, right))
        width *= 2
    power = np.floor(np.log2(end - begin)).astype(np.int64)
    result = np.zeros(len(begin), np.int64)
    for k, table in enumerate(best):
        of_width = power == k
        left = table[begin[of_width]]
        right = table[end[of_width] - (1 << k)]
        result[of_width] = np.where(level[left] <= level[right], left, right)
    return result


def _solved(
    history: PairHistory,
    counts: FloatArray,
    merged: FloatArray,
    known: BoolArray,
    chosen: IntArray,
    costs: Costs,
    box: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Solve for the chosen stretches; slacks of pairs that have none of them are zero.

    Shares stay in their box, [languages, 2].

    The variables: shares, slack of steps, slack of pairs, and the table of minima: level 0 has each
    step's left-hand side, level k the least of 2^k steps from each.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, csr_array, hstack, vstack

    steps, languages = merged.shape
    used_pairs, pair_column = np.unique(history.pair[chosen], return_inverse=True)
    begin, end = history.begin[chosen], history.end[chosen]
    power = np.floor(np.log2(end - begin)).astype(np.int64)
    sizes = [steps - (1 << k) + 1 for k in range(int(power.max(initial=0)) + 1)]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    minima = int(offsets[-1])

    def picked(columns: IntArray, width: int) -> Any:
        """Return rows with a 1 each."""
        rows = np.arange(len(columns))
        return csr_array((np.ones(len(columns)), (rows, columns)), shape=(len(columns), width))

    at = np.flatnonzero(known)
    # Level 0 lies at or below each step's left-hand side.
    of_steps = [csr_array(-SCALE * merged[at]), -picked(at, steps), None, picked(at, minima)]
    # Each level lies at or below the two halves of its range, one level down.
    upper = np.concatenate(
        [offsets[k] + np.arange(sizes[k]) for k in range(1, len(sizes))] or [at[:0]]
    )
    lower = np.concatenate(
        [offsets[k - 1] + np.arange(sizes[k]) for k in range(1, len(sizes))] or [at[:0]]
    )
    half = np.concatenate(
        [np.full(sizes[k], 1 << (k - 1)) for k in range(1, len(sizes))] or [at[:0]]
    )
    halves = picked(upper, minima)
    table = vstack([halves - picked(lower, minima), halves - picked(lower + half, minima)])
    # A stretch's count lies at or below the minima that cover its range, two that may overlap.
    level = csr_array(SCALE * counts[chosen])
    slack = -picked(pair_column, len(used_pairs))
    covers = [offsets[power] + begin, offsets[power] + end - (1 << power)]
    rows = [
        hstack([of_steps[0], of_steps[1], coo_array((len(at), len(used_pairs))), of_steps[3]]),
        hstack([coo_array((table.shape[0], languages + steps + len(used_pairs))), table]),
        *(
            hstack([level, coo_array((len(chosen), steps)), slack, -picked(cover, minima)])
            for cover in covers
        ),
    ]
    constraints = vstack(rows, format="csr")
    width = constraints.shape[1]
    sum_of_shares = csr_array(
        (np.ones(languages), np.arange(languages), [0, languages]), (1, width)
    )
    cost = np.zeros(width)
    cost[languages : languages + steps] = costs.steps
    cost[languages + steps : width - minima] = costs.pairs[used_pairs]
    bounds = np.zeros((width, 2))
    bounds[:, 1] = np.inf
    bounds[:languages] = box
    bounds[width - minima :, 0] = -np.inf
    for method in ("highs", "highs-ipm"):  # the simplex method gives up on a few
        found = linprog(
            cost,
            A_ub=constraints,
            b_ub=np.zeros(constraints.shape[0]),
            A_eq=sum_of_shares,
            b_eq=[1.0],
            bounds=bounds,
            method=method,
        )
        if found.status == 0:
            break
    assert found.status == 0, found.message  # it is feasible and bounded by construction
    pair_slack = np.zeros_like(costs.pairs)
    pair_slack[used_pairs] = found.x[languages + steps : width - minima] / SCALE
    shares = np.clip(found.x[:languages], 0, None)
    step_slack = found.x[languages : languages + steps] / SCALE
    return shares / shares.sum(), step_slack, pair_slack, float(found.fun) / SCALE
