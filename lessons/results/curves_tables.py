"""Tables and pictures of the curves: answers right against the share of heads removed."""
import itertools

import numpy as np

from differences import difference_of, shown_both_ways, verdict
from over_seeds import accuracy_of, by_model, counted, origins, shown_mean
from tables import markdown, select
from tinyprune.figures import show_legend
from tinyprune.results import COMPARED

LABELS = {  # what a way to choose heads is called in the tables
    "paper": "the paper's score", "paper, entropy reversed": "the paper's score, entropy reversed",
    "norm_qkvo": "norm of W_Q, W_K, W_V, W_O", "norm_ov": "norm of W_O W_V", "entropy": "entropy",
    "entropy, reversed": "entropy, reversed", "activation": "activation",
    "gradient": "gradient of the gate", "leave-one-out": "leave-one-out, asked once",
    "greedy": "greedy elimination"}  # leave-one-out, asked again after each head
LOT = "lot"  # the five random draws of heads, together
CURVE_LABELS = LABELS | {"greedy, all kinds": "greedy elimination, any kind of head",
                         LOT: "random, the mean of five draws"}
ALLOWED = 0.7  # points: the paper's loss
REACH = f"largest ratio that loses under {ALLOWED} points"


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


# where the choice of heads counts

PAIRS = {"the paper's score − random": ("paper", LOT), "activation − random": ("activation", LOT),
         "greedy elimination − random": ("greedy", LOT),
         "greedy elimination − activation": ("greedy", "activation"),
         "greedy elimination, any kind of head − of each kind": ("greedy, all kinds", "greedy")}


def ways_at(curves):
    """(what follows the removal, ratio, {way: rows}) of the ratios at which ways are compared

    curves: {what follows the removal: rows}
    """
    for after, rows in curves.items():
        by_way = {way: curve_of(rows, way) for way in CURVE_LABELS}
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


# costs and pictures

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
