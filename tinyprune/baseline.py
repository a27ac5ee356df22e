"""Two solvers that learn nothing: what a model's accuracy must be compared with.

One sees the numbers alone, the other looks for the most similar training text and copies its equation.
"""
from collections import Counter, defaultdict

import numpy as np

from tinyprune.data import is_name, value_ranks


def signature(problem):
    """All that can be said of a problem without reading it: how many numbers it has, and the order of their sizes."""
    return tuple(value_ranks(problem.numbers))


def most_frequent_equation(training, problems):
    """For each problem the commonest training equation among those with its signature: [[token]]"""
    seen = defaultdict(Counter)
    for problem in training:
        if problem.equation:
            seen[signature(problem)][tuple(problem.equation)] += 1
    everywhere = sum(seen.values(), Counter())
    return [list((seen.get(signature(problem)) or everywhere).most_common(1)[0][0]) for problem in problems]


def nearest_text_equation(training, problems):
    """For each problem the equation of the training text with which it shares the largest share of words (Jaccard),
    among the equations that need no number it lacks: [[token]]"""
    training = [problem for problem in training if problem.equation]
    texts = [set(problem.words) for problem in training]
    sizes = np.array([len(text) for text in texts])
    needs = np.array([max((int(t[1:]) + 1 for t in problem.equation if is_name(t)), default=0) for problem in training])
    holders = defaultdict(list)  # word -> the training texts that have it
    for place, text in enumerate(texts):
        for word in text:
            holders[word].append(place)
    holders = {word: np.array(places) for word, places in holders.items()}
    equations = []
    for problem in problems:
        words = set(problem.words)
        found = [holders[word] for word in words if word in holders]
        shared = np.bincount(np.concatenate(found), minlength=len(texts)) if found else np.zeros(len(texts))
        similarity = shared / (sizes + len(words) - shared)
        similarity[needs > len(problem.numbers)] = -1
        equations.append(training[int(similarity.argmax())].equation)
    return equations
