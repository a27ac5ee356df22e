"""Tables of the study's questions about heads: curves, criteria, and heads chosen while a model
answers.
"""
import itertools
from functools import partial

import numpy as np

from differences import difference_of, shown_both_ways, verdict
from over_seeds import accuracy_of, by_model, counted, mean_and_half, origins, shown_mean
from tables import markdown, select
from tinyprune.figures import show_legend
from tinyprune.results import COMPARED
from tinyprune.transformer import KINDS

LABELS = {  # what a way to choose heads is called in the tables
    "paper": "the paper's score", "paper, entropy reversed": "the paper's score, entropy reversed",
    "norm_qkvo": "norm of W_Q, W_K, W_V, W_O", "norm_ov": "norm of W_O W_V", "entropy": "entropy",
    "entropy, reversed": "entropy, reversed", "activation": "activation",
    "gradient": "gradient of the gate", "leave-one-out": "leave-one-out, asked once",
    "greedy": "greedy elimination"}  # leave-one-out, asked again after each head


# curves

LOT = "lot"  # the five random draws of heads, together
ALLOWED = 0.7  # points: the paper's loss
REACH = f"largest ratio that loses under {ALLOWED} points"
CURVE_LABELS = LABELS | {"greedy, all kinds": "greedy elimination, any kind of head",
                         LOT: "random, the mean of five draws"}


def curve_of(rows, way):
    """{ratio: rows} of one way to choose heads; the five random draws count as five seeds."""
    of_way = [row for row in rows if row["criterion"] == way
              or way == LOT and row["criterion"].startswith("lot ")]
    return {ratio: select(of_way, ratio=ratio) for ratio in ratios_of(of_way)}


def ratios_of(rows):
    return sorted({row["ratio"] for row in rows})


def curves_table(rows):
    """Without training after: a line a way to choose heads, the best at 30% first."""
    whole = select(rows, ratio=0.0)
    lines = []
    for way, name in CURVE_LABELS.items():
        curve = curve_of(rows, way)
        if curve:
            shares = {ratio: accuracy_of(found) for ratio, found in curve.items() if ratio}
            points = {ratio: 100 * (share - accuracy_of(whole)) for ratio, share in shares.items()}
            lines.append((shares[0.3], [name, *(f"{share:.1%}" for share in shares.values()),
                                        largest_ratio(points)]))
    lines = [cells for _, cells in sorted(lines, reverse=True)]
    ratios = [f"{ratio:.0%}" for ratio in ratios_of(rows) if ratio]
    table = markdown(["heads chosen by", *ratios, REACH], lines)
    return f"{table}\n\nNothing removed: {shown_mean(whole)}. Seeds: {counted(whole)}."


def trained_curves_table(rows, teachers):
    """Trained on afterwards: points against the teachers that the copies began as, and how far a
    way reaches."""
    ratios = ratios_of(rows)
    lines = []
    halves = []
    for way, name in CURVE_LABELS.items():
        points = {}
        for ratio, found in curve_of(rows, way).items():
            gained = difference_of(found, origins(found, teachers))
            points[ratio] = 100 * gained.mean
            halves.append(100 * (gained.high - gained.low) / 2)
        if points:
            cells = [f"{points[ratio]:+.1f}" if ratio in points else "" for ratio in ratios]
            lines.append([name, *cells, largest_ratio(points)])
    cells = []
    for ratio in ratios:
        found = [row for row in select(rows, ratio=ratio) if row["criterion"] in LABELS]
        cells.append(shown_both_ways(found, origins(found, teachers)))
    lines.append(["all of these but random", *cells, ""])
    header = ["heads chosen by", *(f"{ratio:.0%}" for ratio in ratios), REACH]
    return (f"{markdown(header, lines)}\n\nSeeds: {counted(rows)}. Intervals over problems: "
            f"± {min(halves):.1f} to {max(halves):.1f} points.")


def largest_ratio(points):
    """{ratio: points gained, in the order of the ratios} -> the ratio up to which none loses more
    than ALLOWED points: a cell"""
    within = list(itertools.takewhile(lambda ratio: points[ratio] >= -ALLOWED, points))
    return f"{within[-1]:.0%}" if within else f"under {min(points):.0%}"


PAIRS = {"the paper's score − random": ("paper", LOT), "activation − random": ("activation", LOT),
         "greedy elimination − random": ("greedy", LOT),
         "greedy elimination − activation": ("greedy", "activation")}


def ways_at(curves):
    """(what follows the removal, ratio, {way: rows}) of the ratios at which ways are compared

    curves: {what follows the removal: rows}
    """
    for after, rows in curves.items():
        by_way = {way: curve_of(rows, way) for way in (*LABELS, LOT)}
        for ratio in (0.1, 0.3, 0.5, 0.7):
            found = {way: curve[ratio] for way, curve in by_way.items() if ratio in curve}
            if LOT in found:
                yield after, ratio, found


def choice_table(curves):
    """Where the choice of heads counts: curves as ways_at takes them

    For each ratio: the points between the best and the worst way, how many ten equally good ways
    may have, and how many ways did better and worse than random heads.
    """
    lines = []
    for after, ratio, found in ways_at(curves):
        ways = [found[way] for way in LABELS if way in found]
        shares = list(map(accuracy_of, ways))
        words = [verdict(difference_of(way, found[LOT])) for way in ways]
        lines.append([after, f"{ratio:.0%}", f"{100 * (max(shares) - min(shares)):.1f}",
                      f"{100 * gap_by_chance(ways):.1f}",
                      *(str(words.count(word)) for word in COMPARED)])
    header = ["after the removal", "removed", "best minus worst, in points",
              "by chance alone, at most", *(f"ways that {word}" for word in COMPARED)]
    return markdown(header, lines)


def gap_by_chance(ways, draws=10_000):
    """The gap between the best and the worst of equally good ways: 95% of all draws stay within it.

    ways: the rows of each, with the same folds and seeds. Each draw exchanges the ways' names, for
    every model anew. It leaves a model's answers together: a set of heads may be bad for one model.
    """
    right = []  # (ways, models): how many problems
    for rows in ways:
        correct = by_model(rows)
        right.append([correct[model].sum() for model in sorted(correct)])
    problems = sum(map(len, correct.values()))
    rng = np.random.default_rng(0)
    gaps = [np.ptp(rng.permuted(right, axis=0).sum(axis=1)) for _ in range(draws)]
    return np.quantile(gaps, 0.95) / problems


def contrasts_table(curves):
    """The differences of some ways to choose heads: curves as ways_at takes them"""
    lines = []
    for after, ratio, found in ways_at(curves):
        cells = [shown_pair(found, *pair) for pair in PAIRS.values()]
        lines.append([after, f"{ratio:.0%}", *cells])
    return markdown(["after the removal", "removed", *PAIRS], lines)


def shown_pair(found, first, second):
    """The difference of two ways, {way: rows}: a cell, empty where one has not been run"""
    return shown_both_ways(found[first], found[second]) if {first, second} <= set(found) else ""


def costs_table(files):
    """What a ratio buys, against the whole model: medians over the files, and speeds' extremes."""
    def shares(key):  # (files, ratios)
        return np.array([np.array(found[key]) / found[key][0] for found in files])

    def speed(times):
        speeds = 1 / times
        extremes = f" ({speeds.min():.2f} to {speeds.max():.2f})" if len(files) > 1 else ""
        return f"×{np.median(speeds):.2f}{extremes}"

    parameters, flops = (np.median(shares(key), axis=0) - 1 for key in ("parameters", "flops"))
    single, together = (shares(f"seconds, batch {size}") for size in (1, 128))
    lines = []
    for place, ratio in enumerate(files[0]["ratios"]):
        lines.append([f"{ratio:.0%}", f"{parameters[place]:+.1%}", f"{flops[place]:+.1%}",
                      speed(single[:, place]), speed(together[:, place])])
    header = ["removed", "parameters", "FLOPs", "speed, one problem at a time",
              "speed, 128 problems together"]
    return markdown(header, lines)


def draw_curve(axes, rows, way, **style):
    """Accuracy against the ratio, of one way to choose heads."""
    curve = curve_of(rows, way)
    axes.plot(list(curve), list(map(accuracy_of, curve.values())), **style)


def draw_curves(axes, rows, label):
    """Accuracy against the ratio; the band holds the five random draws."""
    for choice, name in LABELS.items():
        draw_curve(axes, rows, choice, marker=".", label=name)
    draws = [curve_of(rows, f"lot {draw}") for draw in range(5)]
    means = np.array([list(map(accuracy_of, draw.values())) for draw in draws])
    axes.fill_between(list(draws[0]), means.min(axis=0), means.max(axis=0), color="grey",
                      alpha=0.3, label="random, five draws")
    axes.set_xlabel(label)
    axes.set_ylabel("answers right (test)")
    axes.grid(alpha=0.3)
    show_legend(axes)


# criteria

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


def over_files(files, measure):
    """The mean over models, and half of its 95% interval; measure: (file) -> number"""
    return mean_and_half({(file["fold"], file["seed"]): measure(file) for file in files})


def shown_correlation(files, correlation):
    mean, half = over_files(files, correlation)
    return f"{mean:+.2f}" if half is None else f"{mean:+.2f} ± {half:.2f}"


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


# agreement

MEASURES = {"train": "KL on training problems", "test": "KL on test problems",
            "same equations": "the same equation on test problems",
            "whole": "training problems right",
            "one in ten hidden": "the same, one word in ten hidden"}


def agreement_table(files, names, pairs):
    """How far models say what four teachers say: means over runs, with an interval over folds.

    names: {plan: what the line is called}, of the plans that are shown
    pairs: {what their difference is called: (plan, minus plan)}, in a table of its own
    """
    lines = []
    for plan, name in names.items():
        if plan in files[0]["models"]:
            lines.append([name, *(shown_agreement(files, measure, plan) for measure in MEASURES)])
    text = f"{markdown(['model', *MEASURES.values()], lines)}\n\nModels of each line: {len(files)}."
    found = {label: pair for label, pair in pairs.items() if set(pair) <= set(files[0]["models"])}
    differences = []
    for label, pair in found.items():
        cells = [shown_agreement(files, measure, *pair) for measure in MEASURES]
        differences.append([label, *cells])
    header = ["difference", *MEASURES.values()]
    return f"{text}\n\n{markdown(header, differences)}" if differences else text


def targets_table(files):
    """What teachers say of problems that they have learned from, and of others: means over runs."""
    lines = [[name, shown_said(files, name, "best"), shown_said(files, name, "probability")]
             for name in files[0]["said"]]
    return markdown(["who is asked, and about what", "the recorded token is the best one",
                     "probability of the recorded token"], lines)


def shown_said(files, name, measure):
    mean, half = over_files(files, lambda file: file["said"][name][measure])
    return f"{mean:.1%}" + ("" if half is None else f" ± {100 * half:.1f}")


def shown_agreement(files, measure, plan, minus=None):
    """A measure of a plan, or of a plan minus the same of another one: a cell"""
    def measured(file):
        models = file["models"]
        return models[plan][measure] - (models[minus][measure] if minus else 0)

    mean, half = over_files(files, measured)
    sign = "+" if minus else ""
    if measure in ("train", "test"):
        return f"{mean:{sign}.3f}" + ("" if half is None else f" ± {half:.3f}")
    shown = f"{100 * mean:+.1f}" if minus else f"{mean:.1%}"
    return shown if half is None else f"{shown} ± {100 * half:.1f}"


# dynamic at inference

ANSWERED = {"whole": "whole model", "removed": "the same heads removed for all problems",
        "router": "heads chosen for each problem by the router",
        "oracle": "the same by an oracle, which reads the recorded equation"}


def inference_table(rows):
    """Accuracy one problem at a time, and speeds against the whole model one problem at a time."""
    lines = []
    for plan in ("30%", "50%"):
        for way, name in ANSWERED.items():
            of_way = select(rows, plan=plan, way=way)
            if not of_way or (way == "whole" and plan != "30%"):
                continue
            choices = (sum(row["settings"]["different choices"] for row in of_way)
                       / sum(row["problems"] for row in of_way))
            removed = select(rows, plan=plan, way="removed")
            versus = shown_both_ways(of_way, removed) if way in ("router", "oracle") else ""
            lines.append(["–" if way == "whole" else plan, name, shown_mean(of_way), versus,
                          *(speed_of(of_way, select(rows, plan=plan, way="whole"), size)
                            for size in ("1", "32")),
                          f"{choices:.0%}" if way in ("router", "oracle") else ""])
    header = ["heads left out", "model", "answers right (greedy)", "against removal",
              "speed, one at a time", "speed, those of one choice together (32 at most)",
              "distinct choices / problems"]
    whole = counted(select(rows, plan="30%", way="whole"))
    return f"{markdown(header, lines)}\n\nTeachers: {whole}."


def speed_of(rows, whole, size):
    """The median over runs, in batches of `size`, against the whole model one problem at a time.

    -> a cell, empty for a way that was not timed
    """
    took = [row["settings"]["milliseconds"][size] for row in rows]
    if None in took:
        return ""
    by_whole = [row["settings"]["milliseconds"]["1"] for row in whole]
    return f"×{np.median(np.array(by_whole) / took):.2f}"
