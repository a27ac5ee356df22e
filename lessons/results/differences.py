"""Two models against each other: the difference of their answers, and how sure it is.

A difference has two 95% intervals. One is over problems, paired: would other problems say the same?
The other one is over folds (without folds over seeds): would other models say the same?
"""
import math
from typing import NamedTuple

from over_seeds import gains_by_fold, gains_by_model, joined, mean_and_half
from tables import select
from tinyprune.results import COMPARED, bootstrap_interval, points, word_for

# Folds share training problems, so ± over folds is too narrow: a rule of Nadeau and Bengio (2003)
# would make it so many times as wide. Of five folds it may also be narrow by luck, so the interval
# over problems, whose noise the folds' differences hold, must pass the same test.
WIDER = 1.5


class Difference(NamedTuple):
    """The first model's share of right answers minus the second's, on the folds that both have."""
    mean: float
    low: float  # the interval over problems
    high: float
    half: float | None  # of the interval over folds or seeds; None for one model
    folds: int


def difference_of(rows, others):
    """The rows of two models -> Difference, or None without a fold that both have

    Seeds of one fold answer the same problems, so other problems would move them all: there the
    half holds the interval over problems, too. The others may be models that lost random heads, in
    several draws. A draw takes the same heads from every model, so other draws, too, might say
    something else: the half holds the spread of the draws.
    """
    by_fold = gains_by_fold(rows, others)
    if not by_fold:
        return None
    values = joined(by_fold)
    low, high = bootstrap_interval(values)
    _, over_models = mean_and_half(gains_by_model(rows, others))
    parts = [half for half in (over_models, half_over_draws(rows, others)) if half is not None]
    half = math.hypot(*parts, (high - low) / 2 if len(by_fold) == 1 else 0) if parts else None
    return Difference(values.mean(), low, high, half, len(by_fold))


def half_over_draws(rows, others):
    """Half of the interval over the draws of random heads; None if the others are no such draws"""
    draws = {row["criterion"] for row in others if str(row["criterion"]).startswith("lot ")}
    by_draw = {}
    for draw in draws:
        gained = joined(gains_by_fold(rows, select(others, criterion=draw)))
        by_draw[None, draw] = gained.mean()
    return mean_and_half(by_draw)[1] if draws else None


def words_of(found):
    """What both intervals say of the first model: two of results.COMPARED; one for one model"""
    words = [word_for(found.low, found.high)]
    if found.half is not None:
        words.append(word_for(found.mean - found.half, found.mean + found.half))
    return words


def verdict(found):
    """What both intervals allow to say of the first model: one of results.COMPARED"""
    words = set(words_of(found))
    return words.pop() if len(words) == 1 else COMPARED[1]


def how_sure(found):
    """What may be said of a difference, in a word or two.

    shown: both intervals exclude zero, and would if both were WIDER (seeds of one fold share its
        problems, and their half holds the interval over problems already: not WIDER)
    hint: both intervals exclude zero
    over problems only: the interval over problems excludes zero, ± over folds or seeds does not
    one model: the interval over problems excludes zero, and there is no other
    not shown: the interval over problems holds zero
    """
    over_problems, *over_models = words_of(found)
    if over_problems == COMPARED[1]:
        return "not shown"
    if not over_models:
        return "one model"
    if over_models != [over_problems]:
        return "over problems only"
    widest = max(found.half, (found.high - found.low) / 2) * (WIDER if found.folds > 1 else 1)
    return "shown" if abs(found.mean) > widest else "hint"


def shown_difference(rows, others):
    """In points (over problems): a cell, empty without a fold that both have"""
    found = difference_of(rows, others)
    return points(found.mean, found.low, found.high) if found else ""


def shown_both_ways(rows, others):
    """In points (over problems; ± over folds or seeds): a cell, empty as shown_difference's"""
    found = difference_of(rows, others)
    return in_both_ways(found) if found else ""


def in_both_ways(found):
    cell = points(found.mean, found.low, found.high)
    return cell if found.half is None else f"{cell[:-1]}; ± {100 * found.half:.1f})"


def finding(rows, others):
    """As shown_both_ways, and how sure it is: a cell"""
    found = difference_of(rows, others)
    return f"{in_both_ways(found)}: {how_sure(found)}" if found else ""
