"""Result rows as the study writes them, for the tests of its tables."""
import differences
import test_tables
from tinyprune.results import BEST, GREEDY, bootstrap_interval


def row(outcomes, plan, seed=0, fold=0, decoding=BEST, **facts):
    settings = {"plan": plan, "decoding": decoding}
    known = dict(study="rounds", data="asdiv-a", split="test", fold=fold, seed=seed, flops=100,
                 parameters_without_embeddings=10)
    return test_tables.row(outcomes, settings, **known | facts)


TEACHERS = [row("==xx", "teacher", 0), row("=xxx", "teacher", 1),
            row("=x", "teacher", 0, fold=1), row("xx", "teacher", 1, fold=1)]


def with_greedy(*found):
    """Rows, and the same as greedy answers"""
    greedy = [row | {"settings": row["settings"] | {"decoding": GREEDY}} for row in found]
    return [*found, *greedy]


def curve_rows(choice, outcomes):
    return [row(found, choice, ratio=ratio, criterion=choice, decoding=GREEDY)
            for ratio, found in zip((0.0, 0.1, 0.3, 0.5, 0.7), outcomes)]


def over_problems(gains):
    """Half of the bootstrap interval of these differences"""
    low, high = bootstrap_interval(gains)
    return (high - low) / 2


def both_ways(rows, others):
    """The cell of a difference, and the word for it"""
    found = differences.difference_of(rows, others)
    return differences.in_both_ways(found), differences.verdict(found)
