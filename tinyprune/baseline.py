"""Two solvers that learn nothing: what a model's accuracy must be compared with.

One sees the numbers alone. The other copies the equation of the most similar training text. The
module also finds the test texts that have such a text, equal in all but the numbers.
"""
from collections import Counter, defaultdict

import numpy as np

from tinyprune.quantities import is_name, name_index
from tinyprune.words import value_ranks


def signature(problem):
    """All that can be said of a problem without reading it: how many numbers, and their order."""
    return tuple(value_ranks(problem.numbers))


def majority_baseline(training, problems):
    """For each problem the most frequent training equation of its signature: [[token]]"""
    counts = defaultdict(Counter)
    for problem in training:
        if problem.equation:
            counts[signature(problem)][tuple(problem.equation)] += 1
    of_all = sum(counts.values(), Counter())
    equations = []
    for problem in problems:
        of_signature = counts.get(signature(problem)) or of_all
        equation, _ = of_signature.most_common(1)[0]
        equations.append(list(equation))
    return equations


def words_of(problem):
    return [word for word, *_ in problem.words]


def trigrams(problem):
    """All runs of three words of the text, numbers named: a set."""
    words = words_of(problem)
    return {tuple(words[start:start + 3]) for start in range(max(len(words) - 2, 1))}


def similarities(texts, queries):
    """Jaccard similarity |A∩B|/|A∪B| of each query to every text.

    texts, queries: lists of sets -> yields an array (len(texts),) for each query
    """
    sizes = np.array([len(text) for text in texts])
    holders = defaultdict(list)  # word -> positions of the texts that have it
    for position, text in enumerate(texts):
        for word in text:
            holders[word].append(position)
    for query in queries:
        positions = [position for word in query for position in holders.get(word, [])]
        common = np.bincount(np.array(positions, dtype=int), minlength=len(texts))
        yield common / (sizes + len(query) - common)


def nearest_neighbour_baseline(training, problems):
    """For each problem the equation of the training text with the highest similarity of words.

    An equation that needs a number that the problem lacks is passed over. -> [[token]], [] where
    all do
    """
    training = [problem for problem in training if problem.equation]
    texts = [set(words_of(problem)) for problem in training]
    queries = [set(words_of(problem)) for problem in problems]
    needed = np.array([numbers_needed(problem) for problem in training])
    equations = []
    for problem, similarity in zip(problems, similarities(texts, queries)):
        usable = np.where(needed > len(problem.numbers), -1, similarity)
        best = int(usable.argmax())
        equations.append(training[best].equation if usable[best] >= 0 else [])
    return equations


def numbers_needed(problem):
    """How many numbers the equation asks a problem to have: 1 + the highest name's index."""
    return max((name_index(token) + 1 for token in problem.equation if is_name(token)), default=0)


def near_duplicates(training, problems, min_similarity=0.8):
    """Which problems a solver may know by heart: two lists of booleans.

    The first: the text equals a training text once numbers are named. The second: its word trigrams
    have a similarity of `min_similarity` or more to those of a training text.
    """
    known = {tuple(words_of(problem)) for problem in training}
    equal = [tuple(words_of(problem)) in known for problem in problems]
    nearest = similarities([trigrams(problem) for problem in training],
                           [trigrams(problem) for problem in problems])
    return equal, [bool(similarity.max() >= min_similarity) for similarity in nearest]
