"""Two solvers that learn nothing: what a model's accuracy must be compared with.

One sees the numbers alone, the other looks for the most similar training text and copies its equation. How many test
texts have such a text all but for the numbers is counted here too.
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


def words_of(problem):
    return [word for word, *_ in problem.words]


def trigrams(problem):
    """All runs of three words of the text, numbers named: a set."""
    words = words_of(problem)
    return {tuple(words[place:place + 3]) for place in range(max(len(words) - 2, 1))}


def similarities(texts, asked):
    """How alike each asked set is to every one of the texts, by Jaccard: the share of what either has that both have.

    texts, asked: lists of sets -> an array (len(texts),) for each of the asked
    """
    sizes = np.array([len(text) for text in texts])
    holders = defaultdict(list)  # word -> the texts that have it
    for place, text in enumerate(texts):
        for word in text:
            holders[word].append(place)
    holders = {word: np.array(places) for word, places in holders.items()}
    for words in asked:
        found = [holders[word] for word in words if word in holders]
        shared = np.bincount(np.concatenate(found), minlength=len(texts)) if found else np.zeros(len(texts))
        yield shared / (sizes + len(words) - shared)


def nearest_text_equation(training, problems):
    """For each problem the equation of the training text with which it shares the largest share of words, among the
    equations that need no number it lacks: [[token]]"""
    training = [problem for problem in training if problem.equation]
    needs = np.array([max((int(t[1:]) + 1 for t in problem.equation if is_name(t)), default=0) for problem in training])
    alike = similarities([set(words_of(problem)) for problem in training], [set(words_of(p)) for p in problems])
    return [training[int(np.where(needs > len(problem.numbers), -1, similarity).argmax())].equation
            for problem, similarity in zip(problems, alike)]


def near_duplicates(training, problems, least=0.8):
    """Which problems a solver may know by heart: (those whose text equals a training text once numbers are named,
    those whose word trigrams are alike by `least` or more): two lists of booleans."""
    known = {tuple(words_of(problem)) for problem in training}
    alike = similarities([trigrams(problem) for problem in training], [trigrams(problem) for problem in problems])
    return ([tuple(words_of(problem)) in known for problem in problems],
            [bool(similarity.max() >= least) for similarity in alike])
