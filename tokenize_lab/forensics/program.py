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

There are far more constraints than can be written down, one for each pair at each step, and nearly
all of them hold by themselves. They are added when broken, until what is still broken could add no
more than `GAP` to the slack. A pair's count stands for a stretch of steps, and the tightest step of
a stretch is the least of the left-hand sides in a range, so looking through all takes one pass.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tokenize_lab.forensics.replay import PairHistory
from tokenize_lab.tokenizer import FloatArray, IntArray

MOST_ADDED = 250  # constraints a round; more make each round dearer, and hardly fewer rounds
MOST_ROUNDS = 200
LEAST = 1.0  # occurrences per million bytes: slack of rarer pairs costs no more than theirs
GAP = 1e-4  # of the slack: what is found is at most so far above the least there is


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
        constraints: how many were needed.
        rounds: of adding them.
        gap: how far the least slack of the whole programme can lie above `slack`, as a share of
            it; above `GAP` only if `MOST_ROUNDS` were not enough.
        chosen: [constraints, 2] stretch and step of each, to begin another solution with.
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
    begin_with: IntArray | None = None,
) -> Solution:
    """Return the shares that leave the least slack.

    Arguments:
        history: stretches of pairs.
        counts: [stretches, languages] occurrences per million bytes of the language.
        costs: of the slacks; 1 for each where None is given, which is the published programme.
        begin_with: constraints of the solution of a like problem.
    """
    steps, languages = history.steps, counts.shape[1]
    known = history.merged >= 0
    merged = np.where(known[:, None], counts[history.merged], 0.0)
    pairs = int(history.pair.max(initial=-1)) + 1
    costs = costs or Costs(np.ones(steps), np.ones(pairs))
    shares = np.full(languages, 1 / languages)
    step_slack, pair_slack = np.zeros(steps), np.zeros(pairs)
    chosen = np.zeros((0, 2), np.int64) if begin_with is None else begin_with
    slack, gap, rounds = 0.0, 0.0, 0
    if len(chosen):
        shares, step_slack, pair_slack, slack = _solved(history, counts, merged, chosen, costs)
    while rounds < MOST_ROUNDS:
        rounds += 1
        level = np.where(known, merged @ shares + step_slack, np.inf)
        at = _lowest(level, history.begin, history.end)
        broken = counts @ shares - pair_slack[history.pair] - level[at]
        wanted = _worst_of_each_pair(np.flatnonzero(broken > 0), broken, history.pair)
        # Raising each pair's slack by what it lacks would satisfy everything.
        lacking = float(broken[wanted] @ costs.pairs[history.pair[wanted]])
        gap = lacking / slack if slack else float(len(wanted) > 0)
        wanted = wanted[:MOST_ADDED]
        more = np.unique(np.concatenate([chosen, np.stack([wanted, at[wanted]], axis=1)]), axis=0)
        if gap <= GAP or len(more) == len(chosen):
            break
        chosen = more
        shares, step_slack, pair_slack, slack = _solved(history, counts, merged, chosen, costs)
    return Solution(shares, slack, int(known.sum()), len(chosen), rounds, gap, chosen)


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


def _worst_of_each_pair(wanted: IntArray, broken: FloatArray, pair: IntArray) -> IntArray:
    """Return each pair's most broken stretch, the worst first."""
    order = wanted[np.argsort(-broken[wanted], kind="stable")]
    _, first = np.unique(pair[order], return_index=True)
    return order[np.sort(first)]


def _solved(
    history: PairHistory, counts: FloatArray, merged: FloatArray, chosen: IntArray, costs: Costs
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Solve for the chosen constraints; slacks that none of them names are zero."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, hstack

    stretch, step = chosen.T
    used_steps, step_column = np.unique(step, return_inverse=True)
    used_pairs, pair_column = np.unique(history.pair[stretch], return_inverse=True)
    rows = np.arange(len(chosen))
    ones = np.ones(len(chosen))
    shape = (len(chosen), len(used_steps))
    of_steps = coo_array((ones, (rows, step_column)), shape=shape)
    of_pairs = coo_array((ones, (rows, pair_column)), shape=(len(chosen), len(used_pairs)))
    languages = counts.shape[1]
    above = hstack([counts[stretch] - merged[step], -of_steps, -of_pairs], format="csr")
    slacks = len(used_steps) + len(used_pairs)
    sum_of_shares = np.concatenate([np.ones(languages), np.zeros(slacks)])[None]
    found = linprog(
        np.concatenate([np.zeros(languages), costs.steps[used_steps], costs.pairs[used_pairs]]),
        A_ub=above,
        b_ub=np.zeros(len(chosen)),
        A_eq=sum_of_shares,
        b_eq=[1.0],
        bounds=(0, None),
        method="highs",
    )
    assert found.status == 0, found.message  # it is feasible and bounded by construction
    step_slack, pair_slack = np.zeros_like(costs.steps), np.zeros_like(costs.pairs)
    step_slack[used_steps] = found.x[languages : languages + len(used_steps)]
    pair_slack[used_pairs] = found.x[languages + len(used_steps) :]
    shares = np.clip(found.x[:languages], 0, None)
    return shares / shares.sum(), step_slack, pair_slack, float(found.fun)
