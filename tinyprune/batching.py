"""Problems -> tensors, on the GPU if there is one.

Letters: B problems of a batch, S words of the longest text, P subwords of the longest word,
T tokens of the longest equation.
"""
from dataclasses import dataclass

import torch
from torch import Tensor

from tinyprune import BOS, MIRROR, PAD
from tinyprune.tokenizer import mirror

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@dataclass
class Batch:
    source: Tensor  # (B, S, P), the subwords of each word, padded with PAD
    lengths: Tensor  # (B,), the words of each text
    target: Tensor  # (B, T), padded with PAD; or (2B, T): all equations, then all mirrored
    start: Tensor  # (B,) or (2B,): BOS before an equation, MIRROR before a mirrored one
    counts: Tensor  # (B,), how many numbers each problem has
    positions: list[int]  # of its problems in the list that was batched
    soft: Tensor | None = None  # (2B, T, V), the probabilities that teachers give to each token

    def real_queries(self):
        """Which queries of each kind of attention are no padding: {kind: (B, S) or (B, T)}"""
        words = self.source[..., 0] != PAD
        tokens = self.target != PAD
        return {"encoder": words, "decoder": tokens, "cross": tokens}


def fill_up(rows, filler, length):
    """Lists -> lists of this length."""
    return [row + [filler] * (length - len(row)) for row in rows]


def pad(rows):
    """Lists of ids -> (B, longest), filled up with PAD."""
    rows = list(rows)
    return torch.tensor(fill_up(rows, PAD, max(map(len, rows))), dtype=torch.long)


def pad_words(texts):
    """Texts of words of subwords, [[[id]]] -> (B, S, P), filled up with PAD."""
    P = max(len(word) for text in texts for word in text)
    filled = [fill_up(text, PAD, P) for text in texts]
    return torch.tensor(fill_up(filled, [PAD] * P, max(map(len, texts))))


def make_batch(problems, vocabularies, mirrored=False, positions=()):
    """[Problem] -> Batch

    mirrored: every equation is a target twice, as it is and mirrored
    positions: of the problems in the list that they come from
    """
    sources = [vocabularies.source.encode_words(problem.words) for problem in problems]
    equations = [problem.equation for problem in problems]
    start = [BOS] * len(problems)
    if mirrored:
        equations += [equation and mirror(equation) for equation in equations]  # [] stays []
        start += [MIRROR] * len(problems)
    parts = [pad_words(sources),
             torch.tensor(list(map(len, sources))),
             pad(map(vocabularies.target.encode, equations)),
             torch.tensor(start),
             torch.tensor([len(problem.numbers) for problem in problems])]
    return Batch(*(part.to(DEVICE) for part in parts), positions)


def pad_soft(rows):
    """Probabilities of each problem's equations, [(2, T, V)] -> (2B, longest, V), 0 for padding."""
    every_way = [row[direction] for direction in range(2) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(every_way, batch_first=True).to(DEVICE)


def group_by_length(problems, size, generator=None):
    """Which problems make a batch: `size` of similar length, so that little is padding.

    -> [[positions in the list of problems]]
    With a torch.Generator the batches come in random order, and a problem shares its batch with
    other problems of similar length each time. Without one, they come from short to long.
    """
    def lengths(position):
        return len(problems[position].words) // 3, len(problems[position].equation)

    order = range(len(problems))
    if generator:
        order = torch.randperm(len(problems), generator=generator).tolist()
    order = sorted(order, key=lengths)
    groups = [order[first:first + size] for first in range(0, len(order), size)]
    if generator:
        groups = [groups[i] for i in torch.randperm(len(groups), generator=generator)]
    return groups


def batches(problems, vocabularies, size, generator=None, mirrored=False):
    """[Problem] -> [Batch], grouped as by group_by_length"""
    result = []
    for group in group_by_length(problems, size, generator):
        result.append(make_batch([problems[i] for i in group], vocabularies, mirrored, group))
    return result
