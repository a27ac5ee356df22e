"""How sure is a solver? The share of validation answers with such a score that were right.

The answers to validation problems are sorted by score and cut into groups of equal size. A new
answer is as sure as the group that its score falls into was right. What a model says of its own
probabilities is not believed, only counted.
"""
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyprune.bidirectional import bidirectional_search
from tinyprune.checker import is_right
from tinyprune.evaluate import best_candidates, find_candidates, grade
from tinyprune.files import FileError, one_line, read_text, write_text

GROUPS = 10
SMALLEST = 20  # answers in a group: the share of fewer says little


@dataclass
class Group:
    lowest: float  # score; the first group takes all that is lower, too
    right: float  # share of its answers
    answers: int


def ask(model, problems, vocabularies, reranker):
    """Answers the problems that have numbers.

    -> the score of each answer, and whether it is right: two lists
    """
    problems = [problem for problem in problems if problem.numbers]
    candidates = find_candidates(model, problems, vocabularies, bidirectional_search)
    best = best_candidates(problems, candidates, reranker)
    report = grade(problems, [candidate.equation for candidate in best])
    return [candidate.score for candidate in best], list(map(is_right, report.outcomes))


def make_groups(scores, right):
    """The scores of validation answers, and whether each was right -> [Group], the lowest first

    No group is smaller than SMALLEST, so a few answers give none.
    """
    pairs = sorted(zip(scores, right))
    count = min(GROUPS, len(pairs) // SMALLEST)
    bounds = [len(pairs) * group // count for group in range(count + 1)] if count else []
    groups = []
    for first, end in zip(bounds, bounds[1:]):
        share = sum(correct for _, correct in pairs[first:end]) / (end - first)
        groups.append(Group(pairs[first][0], share, end - first))
    return groups


def confidence(score, groups):
    """The share of answers that were right in the group of this score."""
    reached = [group for group in groups if group.lowest <= score]
    return (reached or groups[:1])[-1].right


def path_beside(model):
    """model.pt -> model.confidence.json"""
    return Path(model).with_suffix(".confidence.json")


def save(groups, model):
    """Writes the table beside a model's file. Raises FileError."""
    write_text(path_beside(model), json.dumps(list(map(asdict, groups)), indent=1) + "\n")


def load(model):
    """The table beside a model's file, [] if there is none. Raises FileError if it is damaged."""
    path = path_beside(model)
    if not os.path.exists(path):  # pathlib's question fails in a folder that may not be entered
        return []
    text = read_text(path)
    try:
        groups = [Group(**entry) for entry in json.loads(text)]
        if not all(0 <= group.right <= 1 and group.lowest < float("inf") for group in groups):
            raise ValueError("a share or a score is out of range")
    except (TypeError, ValueError, RecursionError) as error:
        raise FileError(f"{path} is no table of confidence ({one_line(error)}): "
                        "delete it") from error
    return groups
