"""Tables of the criteria: what they agree with, how stable they are, and which heads they prune."""
import itertools
from functools import partial

import numpy as np

from curves_tables import CURVE_LABELS, LABELS, LOT
from over_seeds import over_files, with_half
from tables import markdown
from tinyprune.transformer import KINDS


def ranks(values):
    """From 0; equal values share the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[places]


def spearman(a, b):
    return np.corrcoef(ranks(a), ranks(b))[0, 1]


def of_kind(found, scores, kind):
    return [score for head, score in zip(found["heads"], scores) if head[0] == kind]


def with_teachers(table, files):
    """A table, and below it how many teachers it was made from."""
    return f"{table}\n\nTeachers: {len(files)}."


def shown_correlation(files, correlation):
    mean, half = over_files(files, correlation)
    return with_half(f"{mean:+.2f}", half, 2)


def criteria_table(files):
    """Rank correlation with leave-one-out, within each kind of attention."""
    lines = []
    for choice, name in LABELS.items():
        if choice == "leave-one-out":
            continue
        cells = [name]
        cells += [shown_correlation(files, partial(with_oracle, choice=choice, kind=kind))
                  for kind in KINDS]
        lines.append(cells)
    return with_teachers(markdown(["criterion", *KINDS], lines), files)


def with_oracle(found, choice, kind):
    """The rank correlation of a criterion and leave-one-out, among the heads of a kind."""
    return spearman(of_kind(found, found["scores"][choice], kind),
                    of_kind(found, found["scores"]["leave-one-out"], kind))


def alpha_table(files):
    """The mix of norm and entropy: correlation with leave-one-out, a mean over kinds."""
    lines = []
    for alpha in (0, 0.25, 0.5, 0.75, 1):
        cells = [f"{alpha:g}"]
        for sign in (1, -1):
            cells.append(shown_correlation(
                files, partial(mixed_correlation, alpha=alpha, sign=sign)))
        lines.append(cells)
    header = ["α", "high entropy kept (the paper, at α = 0.5)", "low entropy kept"]
    return with_teachers(markdown(header, lines), files)


def mixed_correlation(found, alpha, sign):
    """The paper's score with another α or sign against leave-one-out: a mean over kinds."""
    values = []
    for kind in KINDS:
        norm, entropy, oracle = (np.array(of_kind(found, found["scores"][name], kind))
                                 for name in ("norm_qkvo", "entropy", "leave-one-out"))
        mixed = alpha * (norm - norm.min()) / np.ptp(norm)
        mixed += sign * (1 - alpha) * (entropy - entropy.min()) / np.ptp(entropy)
        values.append(spearman(mixed, oracle))
    return np.mean(values)


def stability_table(files):
    """How far two draws of so many calibration problems agree: rank correlation within a kind."""
    lines = []
    sizes = sorted({entry["size"] for entry in files[0]["calibration"]})
    names = dict.fromkeys(entry["criterion"] for entry in files[0]["calibration"])
    for name in names:
        cells = [LABELS[name]]
        for size in sizes:
            measure = partial(agreement_of_draws, criterion=name, size=size)
            cells.append(shown_correlation(files, measure))
        lines.append(cells)
    header = ["criterion", *(f"{size} problems" for size in sizes)]
    return with_teachers(markdown(header, lines), files)


def agreement_of_draws(found, criterion, size):
    """The mean rank correlation of two draws' scores, within each kind of attention."""
    draws = [entry["scores"] for entry in found["calibration"]
             if entry["criterion"] == criterion and entry["size"] == size]
    values = []
    for one, other in itertools.combinations(draws, 2):
        values += [spearman(of_kind(found, one, kind), of_kind(found, other, kind))
                   for kind in KINDS]
    return np.mean(values)


# the heads that a criterion prunes

READERS = ("encoder", "cross")  # the kinds of attention that look at the text's words


def pruned_table(files):
    """What the heads are like that a way prunes: means over teachers.

    Ranks are within a kind, 0 to 1. The last columns show how much the loss rises without these
    heads: the sum of what each costs alone, and what they cost together.
    """
    lots = [way for way in files[0]["pruned"] if way.startswith("lot ")]
    ways = {name: [way] for way, name in LABELS.items() if way in files[0]["pruned"]}
    lines = []
    for name, of_name in (ways | {CURVE_LABELS[LOT]: lots}).items():
        found = [properties_of_pruned(file, way) for file in files for way in of_name]
        *shares, alone, together = np.mean(found, axis=0)
        lines.append([name, *(f"{share:.2f}" for share in shares), f"{alone:.2f}",
                      f"{together:.2f}"])
    cells = []
    for kind in READERS:
        even = [file["on numbers"][kind][-1] for file in files]
        cells.append(f"{np.mean(even):.2f}")
    lines.append(["(a head that looks at all words alike)", "", "", *cells, "", ""])
    header = ["30% pruned by", "rank in norm", "rank in entropy", "attention on numbers, encoder",
              "attention on numbers, cross", "costs, one at a time, summed", "cost together"]
    return with_teachers(markdown(header, lines), files)


def properties_of_pruned(file, way):
    """-> [mean rank in norm, in entropy, mean attention on numbers of each of READERS, the sum of
    the single costs in nats, the cost together]"""
    positions = file["pruned"][way]
    ranked = [relative_ranks(file, file["scores"][name])[positions].mean()
              for name in ("norm_qkvo", "entropy")]
    on_numbers = []
    for kind in READERS:
        of_kind = [position for position, head in enumerate(file["heads"]) if head[0] == kind]
        shares = dict(zip(of_kind, file["on numbers"][kind]))  # the last share is no head's
        on_numbers.append(np.mean([shares[position] for position in positions
                                   if position in shares]))
    alone = np.array(file["scores"]["leave-one-out"])[positions].sum()
    return [*ranked, *on_numbers, alone, file["losses"][way] - file["loss"]]


def relative_ranks(found, scores):
    """Each head's rank among the heads of its kind, 0 for the lowest and 1 for the highest."""
    kinds = np.array([kind for kind, _, _ in found["heads"]])
    relative = np.zeros(len(kinds))
    for kind in KINDS:
        relative[kinds == kind] = ranks(np.array(scores)[kinds == kind]) / (sum(kinds == kind) - 1)
    return relative


def pairs_table(files):
    """Pairs of heads: the loss's rise without both, beside the sum of the single rises."""
    worst = []
    shares = []
    for found in files:
        single = found["leave-one-out"]
        places = np.triu_indices(len(single), 1)
        sums = np.add.outer(single, single)[places]
        joint = np.array(found["pairs"]) - found["loss"]
        worst.append((joint - sums).max())
        shares.append(np.mean(joint > 2 * np.maximum(sums, 0.01)))
    lines = [["cost more than twice the sum of their single costs, and at least 0.02 nats",
              f"{np.mean(shares):.1%} of all pairs"],
             ["the largest cost above that sum, a mean over teachers",
              f"{np.mean(worst):.2f} nats"]]
    return with_teachers(markdown(["pairs of heads", "found"], lines), files)
