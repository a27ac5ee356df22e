"""From a model's candidates to graded answers: search -> rerank -> grade."""
from dataclasses import dataclass
from statistics import mean

from tinyprune.batching import batches
from tinyprune.checker import evaluate_parts, is_right, outcome, same_equation
from tinyprune.decode import greedy
from tinyprune.quantities import EquationError

BATCH_SIZE = 100


def find_candidates(model, problems, vocabularies, search=greedy, **options):
    """Candidate equations of each problem, best first: [[Candidate]], in the problems' order.

    search: greedy, beam_search or bidirectional_search; options: gates for greedy, beam for the
            two others
    """
    model.eval()
    found = {}  # position: candidates
    for batch in batches(problems, vocabularies, BATCH_SIZE):
        ranked = search(model, batch, vocabularies.target, **options)
        found.update(zip(batch.positions, ranked))
    return [found[position] for position in range(len(problems))]


def plausibility(equation, numbers, whole=False):
    """How far an equation's values are what word problems have: -1, 0, 1 or 2.

    -1: it has no value, so it cannot be right
    1: all values, the intermediate ones too, are positive
    2: they are also whole, if that is asked for
    whole: ask for whole values where all of the problem's own numbers are whole
    Where one of the problem's own numbers is negative, any value is plausible.
    Word problems count and measure: in 99.9% of Math23k's training equations no value is 0 or less,
    and on ASDiv-A 97.5% of the problems in whole numbers have whole values only.
    """
    try:
        values = evaluate_parts(equation, numbers)
    except EquationError:  # a division by zero, a power without a value
        return -1
    if any(number < 0 for number in numbers):
        return 2
    if not all(value > 0 for value in values):
        return 0
    ask_for_whole = whole and all(number.q == 1 for number in numbers)
    return 2 if not ask_for_whole or all(value.q == 1 for value in values) else 1


def rerank_by_plausibility(candidates, numbers, whole=False):
    """The candidates by plausibility; equally plausible ones stay in their order. -> [Candidate]"""
    return sorted(candidates, key=lambda c: -plausibility(c.equation, numbers, whole))


def best_candidates(problems, candidates, reranker=None):
    """The best of each problem's candidates, or of reranker(candidates, numbers). -> [Candidate]"""
    if reranker:
        candidates = [reranker(ranked, problem.numbers)
                      for problem, ranked in zip(problems, candidates)]
    return [ranked[0] for ranked in candidates]


def best_equations(problems, candidates, reranker=None):
    return [best.equation for best in best_candidates(problems, candidates, reranker)]


@dataclass
class Report:
    """How a model answered: one outcome (checker.py) and one equation a problem, in their order."""
    outcomes: str
    equations: list[list[str]]
    equation_accuracy: float
    commutative_accuracy: float  # equations equal up to commutation and association

    @property
    def answer_accuracy(self):
        return mean(map(is_right, self.outcomes))


def grade(problems, equations):
    """[Problem] and one predicted prefix equation for each -> Report"""
    pairs = list(zip(problems, equations, strict=True))
    outcomes = [outcome(equation, p.numbers, p.answer, p.decimals) for p, equation in pairs]
    equal = [bool(equation) and equation == p.equation for p, equation in pairs]
    equal_up_to_order = [same_equation(equation, p.equation) for p, equation in pairs]
    return Report("".join(outcomes), equations, mean(equal), mean(equal_up_to_order))


def evaluate_model(model, problems, vocabularies, search=greedy, reranker=None, **options):
    """How well the model answers these problems: search, rerank, grade. -> Report"""
    candidates = find_candidates(model, problems, vocabularies, search, **options)
    return grade(problems, best_equations(problems, candidates, reranker))
