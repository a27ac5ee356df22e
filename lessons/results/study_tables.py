"""Tables and pictures of the study (lessons/study), from the files in lessons/results/study.

A model's accuracy is the mean over its seeds, problem by problem, then over the problems of all
folds. Intervals are over problems; ± is the standard deviation of the seeds' own means.
"""
import json
import math
from collections import defaultdict
from functools import partial

import numpy as np

from tables import SETS, against, markdown, select
from tinyprune.results import (
    BEST,
    GREEDY,
    RESULTS,
    bootstrap_interval,
    is_correct,
    read_rows,
    verdict,
)

KINDS = ("encoder", "decoder", "cross")
CHECKED = {  # what a way to choose heads is called in the tables
    "paper": "the paper's score", "paper, entropy reversed": "the same, entropy reversed",
    "norm_qkvo": "norm of W_Q, W_K, W_V, W_O", "norm_ov": "norm of W_O W_V", "entropy": "entropy",
    "entropy, reversed": "entropy, reversed", "activation": "activation",
    "gradient": "gradient of the gate", "leave-one-out": "leave-one-out, asked once",
    "greedy": "leave-one-out, asked again after each head"}


# means over seeds, and what they leave open

def by_problem(rows):
    """Rows of one model, many seeds and folds -> {fold: the share of its seeds that are right}"""
    seeds = defaultdict(list)
    for row in rows:
        seeds[row["fold"]].append(is_correct(row["verdicts"]))
    return {fold: np.mean(correct, axis=0) for fold, correct in seeds.items()}


def of_all_folds(rows):
    """by_problem, one fold after the other: an array"""
    return np.concatenate(list(by_problem(rows).values()))


def accuracy_of(rows):
    return of_all_folds(rows).mean()


def gains(rows, others):
    """The difference of two models on the problems of the folds that both have: an array"""
    mine = by_problem(rows)
    theirs = by_problem(others)
    return np.concatenate([mine[fold] - theirs[fold] for fold in mine if fold in theirs] or [[]])


def spread(rows):
    """The standard deviation of the seeds' accuracies, or None for one seed."""
    seeds = defaultdict(list)
    for row in rows:
        seeds[row["seed"]].append(is_correct(row["verdicts"]))
    means = [np.concatenate(correct).mean() for correct in seeds.values()]
    return np.std(means, ddof=1) if len(means) > 1 else None


def shown_mean(rows):
    """Accuracy with its interval over problems, and ± over seeds: a cell."""
    if not rows:
        return ""
    values = of_all_folds(rows)
    low, high = bootstrap_interval(values)
    between = spread(rows)
    seeds = "" if between is None else f" ± {100 * between:.1f}"
    return f"{values.mean():.1%}{seeds} ({low:.1%} to {high:.1%})"


def shown_difference(rows, others):
    """In points, with an interval paired over problems, on the folds that both have: a cell."""
    values = gains(rows, others)
    if not len(values):
        return ""
    low, high = bootstrap_interval(values)
    return f"{100 * values.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def counted(rows):
    """How many seeds and folds stand behind a row: a cell."""
    seeds = defaultdict(set)
    for row in rows:
        seeds[row["fold"]].add(row["seed"])
    numbers = sorted({len(of_fold) for of_fold in seeds.values()})
    text = "–".join(map(str, [numbers[0], *numbers[1:][-1:]]))
    return text if len(seeds) == 1 else f"{text} × {len(seeds)} folds"


def relative(rows, whole, key):
    """A cost against the whole model's: a cell, empty where nobody has counted."""
    return "" if rows[0][key] is None else against(rows, whole, key)


def plan_table(rows, names, split="test"):
    """A line a plan: accuracy, against the plain teachers, costs.

    names: {plan: what the line is called}
    """
    rows = select(rows, split=split, decoding=BEST)
    lines = []
    teachers = select(rows, plan="teacher")
    for plan, name in names.items():
        found = select(rows, plan=plan)
        if found:
            versus = "" if plan == "teacher" else shown_difference(found, teachers)
            lines.append([name, shown_mean(found), versus, counted(found),
                          relative(found, teachers, "parameters_without_embeddings"),
                          relative(found, teachers, "flops")])
    header = ["model", "answers right (95%)", "against the plain teachers", "seeds", "parameters",
              "FLOPs"]
    return markdown(header, lines)


# rounds and the factorial

ROUNDS = {"teacher": "round 1: plain teachers, one at a time",
          "teachers together": "round 1: the five teachers answer together",
          "scratch": "round 2: from the start, not pruned",
          "scratch, 30% pruned": "round 2: from the start, 30% pruned while it learns",
          "copy": "round 2: a copy trains on, not pruned",
          "copy, 30% pruned": "round 2: a copy trains on, 30% pruned meanwhile",
          "scratch, not pruned, equations, 30% hidden":
              "control: from the start, no teacher, 30% of the words hidden",
          "copy, 30% pruned, live teachers, 30% hidden":
              "round 2: a copy trains on with live teachers, 30% pruned meanwhile",
          "scratch, 30% pruned, live teachers, 30% hidden":
              "round 2: from the start with live teachers, 30% pruned while it learns",
          "scratch, not pruned, live teachers, 30% hidden":
              "round 2: from the start with live teachers, not pruned",
          "live, then pruned and trained on":
              "**main student**: the model above, then 30% pruned at once, and trained on"}
LEARNED = {"equations": "equations alone", "one teacher": "and one teacher",
           "five teachers": "and five teachers",
           "five teachers and alignment": "and five, attention aligned"}
PRUNED = {"not pruned": "not pruned: the same extra training",
          "one-shot, paper": "one-shot, paper's score", "dynamic, paper": "dynamic, paper's score",
          "one-shot, greedy": "one-shot, greedy elimination",
          "dynamic, greedy": "dynamic, greedy elimination"}
CONTROLS = {"teacher": "plain teacher",
            "copy, dynamic, lot, five teachers": "dynamic, heads drawn by lot, five teachers",
            "copy, monotone, paper, five teachers": "dynamic, no way back, five teachers"}
for shape in ("narrower, equal parameters", "narrower, equal FLOPs", "shallower"):
    CONTROLS |= {f"{shape}, equations": f"{shape}, from the start, equations alone",
                 f"{shape}, five teachers": f"{shape}, from the start, five teachers"}


def factorial_table(rows):
    """What a student learns from across, how it is pruned down; points against the teachers."""
    rows = select(rows, split="test", decoding=BEST)
    teachers = select(rows, plan="teacher")
    lines = []
    for pruning, label in PRUNED.items():
        cells = [label]
        for learned in LEARNED:
            found = select(rows, plan=f"copy, {pruning}, {learned}")
            cells.append(shown_difference(found, teachers) if found else "")
        lines.append(cells)
    found = select(rows, study="factorial")
    return f"{markdown(['30% pruned', *LEARNED.values()], lines)}\n\nSeeds: {counted(found)}."


# curves

def curve_of(rows, choice):
    """{ratio: by_problem} of one way to choose heads; the five lots count as five seeds."""
    lots = choice == "lot"
    of_choice = [row for row in rows if row["settings"]["plan"] == choice
                 or lots and row["settings"]["plan"].startswith("lot ")]
    ratios = sorted({row["ratio"] for row in of_choice})
    return {ratio: select(of_choice, ratio=ratio) for ratio in ratios}


def curves_table(rows, ratios=(0.1, 0.3, 0.5, 0.7)):
    """Without training after, greedy answers: a line a way to choose heads."""
    rows = select(rows, split="test", decoding=GREEDY)
    lines = []
    for choice, name in (CHECKED | {"lot": "by lot, mean of five draws"}).items():
        curve = curve_of(rows, choice)
        if curve:
            shares = [accuracy_of(curve[ratio]) for ratio in ratios]
            lines.append([name, *(f"{share:.1%}" for share in shares)])
    lines.sort(key=lambda cells: -float(cells[2].rstrip("%")))
    whole = curve_of(rows, "paper")[0.0]
    header = ["heads chosen by", *(f"{ratio:.0%} removed" for ratio in ratios)]
    return f"{markdown(header, lines)}\n\nNothing removed: {shown_mean(whole)}, greedy."


def draw_curves(axes, rows):
    """Accuracy against the ratio; the band holds the lots' five draws."""
    rows = select(rows, split="test", decoding=GREEDY)
    for choice, name in CHECKED.items():
        curve = curve_of(rows, choice)
        axes.plot(list(curve), list(map(accuracy_of, curve.values())), marker=".", label=name)
    draws = [curve_of(rows, f"lot {draw}") for draw in range(5)]
    means = np.array([list(map(accuracy_of, draw.values())) for draw in draws])
    axes.fill_between(list(draws[0]), means.min(axis=0), means.max(axis=0), color="grey",
                      alpha=0.3, label="by lot, five draws")
    axes.set_xlabel("share of all heads removed, no training after")
    axes.set_ylabel("answers right (test, greedy)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


# criteria

def ranks(values):
    return np.argsort(np.argsort(values))


def spearman(a, b):
    return np.corrcoef(ranks(a), ranks(b))[0, 1]


def of_kind(found, scores, kind):
    return [score for head, score in zip(found["heads"], scores) if head[0] == kind]


def shown_correlation(values):
    """The mean of several models' correlations, with a 95% interval: a cell."""
    half = 1.96 * np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{np.mean(values):+.2f} ± {half:.2f}"


def criteria_table(files):
    """Rank correlation with leave-one-out, within each kind of attention."""
    lines = []
    for choice, name in CHECKED.items():
        if choice == "leave-one-out":
            continue
        cells = [name]
        for kind in KINDS:
            values = [spearman(of_kind(found, found["scores"][choice], kind),
                               of_kind(found, found["scores"]["leave-one-out"], kind))
                      for found in files]
            cells.append(shown_correlation(values))
        lines.append(cells)
    return f"{markdown(['criterion', *KINDS], lines)}\n\nTeachers: {len(files)}."


def alpha_table(files):
    """The mix of norm and entropy: correlation with leave-one-out, a mean over kinds."""
    lines = []
    for alpha in (0, 0.25, 0.5, 0.75, 1):
        cells = [f"{alpha:g}"]
        for sign in (1, -1):
            values = [mixed_correlation(found, alpha, sign) for found in files]
            cells.append(shown_correlation(values))
        lines.append(cells)
    return markdown(["α", "high entropy kept (the paper)", "low entropy kept"], lines)


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
    """How far two draws of so many calibration problems agree: rank correlation over all heads."""
    lines = []
    sizes = sorted({entry["size"] for entry in files[0]["calibration"]})
    names = dict.fromkeys(entry["criterion"] for entry in files[0]["calibration"])
    for name in names:
        cells = [CHECKED[name]]
        for size in sizes:
            values = [agreement(found, name, size) for found in files]
            cells.append(shown_correlation(values))
        lines.append(cells)
    return markdown(["criterion", *(f"{size} problems" for size in sizes)], lines)


def agreement(found, criterion, size):
    draws = [entry["scores"] for entry in found["calibration"]
             if entry["criterion"] == criterion and entry["size"] == size]
    pairs = [(a, b) for position, a in enumerate(draws) for b in draws[position + 1:]]
    return np.mean([spearman(a, b) for a, b in pairs])


def pairs_table(files):
    """Pairs of heads: the loss's rise without both, beside the sum of the single rises."""
    worst = []
    shares = []
    for found in files:
        single = found["scores"]["leave-one-out"]
        places = np.triu_indices(len(single), 1)
        sums = np.add.outer(single, single)[places]
        joint = np.array(found["pairs"]) - found["loss"]
        worst.append((joint - sums).max())
        shares.append(np.mean(joint > 2 * np.maximum(sums, 0.01)))
    lines = [["pairs that cost more than twice the sum of their single costs (and 0.02)",
              f"{np.mean(shares):.1%}"],
             ["the largest cost above the sum, in nats: a mean over teachers",
              f"{np.mean(worst):.2f}"]]
    return markdown(["pairs of heads", "found"], lines)


# dynamic at inference

WAYS = {"whole": "whole model", "removed": "the same heads removed for all problems",
        "router": "heads chosen for each problem by the router",
        "oracle": "heads chosen by each problem's own gradients"}


def inference_table(rows):
    lines = []
    for plan in ("30%", "50%"):
        found = select(rows, plan=plan)
        for way, name in WAYS.items():
            of_way = select(found, way=way)
            if not of_way or (way == "whole" and plan != "30%"):
                continue
            speeds = [row["speedup"] for row in of_way if row["speedup"]]
            choices = np.mean([row["settings"]["different choices"] for row in of_way])
            lines.append(["–" if way == "whole" else plan, name, shown_mean(of_way),
                          f"×{np.mean(speeds):.2f}" if speeds else "", f"{choices:.0f}"])
        clocks = [row["settings"]["milliseconds"] for row in select(found, way="router")]
        if clocks:
            speed = np.mean([clock["whole"] / clock["in groups"] for clock in clocks])
            lines.append([plan, "the router's, problems of one choice together", "",
                          f"×{speed:.2f}", ""])
    return markdown(["heads left out", "model", "answers right (greedy)", "speed at batch 1",
                     "different choices"], lines)


# the ledger

# arXiv 2511.17577, 30% of the heads of RoBERTa-base on Math23k unless a line says otherwise.
PAPER = {"gained": -0.007, "parameters": 0.187, "flops": 0.193, "speed": 0.275}
ROBERTA_WIDTH = 768
ROBERTA_WORDS = 30  # of a problem, about


def roberta_shares(ratio=0.3):
    """What an encoder with feed-forward layers of four times its width saves: parameters, FLOPs"""
    D = ROBERTA_WIDTH
    n = ROBERTA_WORDS
    attention = 4 * D * D
    feedforward = 8 * D * D
    in_flops = 2 * n * attention + 4 * n * n * D
    parameters = ratio * attention / (attention + feedforward)
    return parameters, ratio * in_flops / (in_flops + 2 * n * feedforward)


def ledger_table(whole_method):
    """The paper's figures beside ours: rows of lesson 10 on Math23k -> a table"""
    [teacher] = select(whole_method, model="teacher", decoding=BEST)
    [student] = select(whole_method, model="student", loss="ce+kl+attention", decoding=BEST)
    parameters, in_flops = roberta_shares()
    saved = {key: 1 - student[key] / teacher[key]
             for key in ("parameters_without_embeddings", "flops")}
    allowed = 1 / (1 - PAPER["flops"]) - 1
    low, high = bootstrap_interval(gains([student], [teacher]))
    lines = [["answers gained by the pruned student (paper: -0.4 to -0.7 over both models)",
              f"{100 * PAPER['gained']:+.1f}", shown_difference([student], [teacher]), "",
              verdict(PAPER["gained"], low, high)],
             ["parameters saved", f"{PAPER['parameters']:.1%}",
              f"{saved['parameters_without_embeddings']:.1%}",
              f"{parameters:.1%} of RoBERTa's blocks", "cannot come from these heads alone"],
             ["FLOPs saved", f"{PAPER['flops']:.1%}", f"{saved['flops']:.1%}",
              f"{in_flops:.1%} of RoBERTa's blocks", "cannot come from these heads alone"],
             ["faster by", f"{PAPER['speed']:.1%}", f"{student['speedup'] - 1:.1%}",
              f"{allowed:.1%} for the paper's FLOPs",
              "needs another cause than FLOPs" if PAPER["speed"] > allowed else "possible"]]
    return markdown(["at 30% of the heads", "paper", "ours", "arithmetic allows", "verdict"], lines)


# all of it

def draw_study(save):
    """Draws what has files; save: figures.save_picture for the results' folder"""
    for data in SETS:
        rows = read_rows(f"study/curves-{data}-*.json")
        if rows:
            save(f"curves-{data}", partial(draw_curves, rows=rows))


def study_tables():
    """{name of a table: its text} of the studies and sets that have files."""
    tables = {}
    for data in SETS:
        rounds = read_rows(f"study/rounds-{data}-*.json")
        trained = rounds + read_rows(f"study/factorial-{data}-*.json")
        curves = read_rows(f"study/curves-{data}-*.json")
        trials = read_rows(f"study/trials-{data}-*.json")
        routed = read_rows(f"study/inference-{data}-*.json")
        criteria = [json.loads(path.read_text(encoding="utf-8"))
                    for path in sorted(RESULTS.glob(f"study/criteria-{data}-*.json"))]
        if trials:
            tables[f"trials {data}"] = plan_table(trials, ROUNDS, split="valid")
        if rounds:
            tables[f"rounds {data}"] = plan_table(rounds, ROUNDS)
        if len(trained) > len(rounds):
            tables[f"factorial {data}"] = factorial_table(trained)
            tables[f"controls {data}"] = plan_table(trained, CONTROLS)
        if curves:
            tables[f"curves {data}"] = curves_table(curves)
        if criteria:
            tables |= {f"criteria {data}": criteria_table(criteria),
                       f"alpha {data}": alpha_table(criteria),
                       f"stability {data}": stability_table(criteria),
                       f"pairs {data}": pairs_table(criteria)}
        if routed:
            tables[f"inference {data}"] = inference_table(routed)
    return tables
