"""Tables of the study (lessons/study), from the files in lessons/results/study."""
import json
from functools import partial

from head_tables import (
    alpha_table,
    choice_table,
    closed_table,
    costs_table,
    criteria_table,
    curves_table,
    draw_curves,
    inference_table,
    pairs_table,
    stability_table,
    trained_curves_table,
)
from over_seeds import counted, gains, relative, shown_difference, shown_mean
from tables import SETS, markdown, select
from tinyprune.results import BEST, GREEDY, RESULTS, bootstrap_interval, read_rows, verdict

# models

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

def read_findings(pattern):
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob(pattern))]


def read_curves(data):
    """{what follows the removal: test rows}, of what has files"""
    curves = {"nothing": (read_rows(f"study/curves-{data}-*.json"), GREEDY),
              "training": (read_rows(f"study/trained-curves-{data}-*.json"), BEST)}
    return {after: select(rows, split="test", decoding=decoding)
            for after, (rows, decoding) in curves.items() if rows}


def draw_study(save):
    """Draws what has files; save: figures.save_picture for the results' folder"""
    for data in SETS:
        for after, rows in read_curves(data).items():
            label = f"share of all heads removed, {after} after"
            save(f"curves-{data}-{after}", partial(draw_curves, rows=rows, label=label))


def study_tables():
    """{name of a table: its text} of the studies and sets that have files."""
    tables = {}
    for data in SETS:
        rounds = read_rows(f"study/rounds-{data}-*.json")
        trained = rounds + read_rows(f"study/factorial-{data}-*.json")
        curves = read_curves(data)
        costs = read_findings(f"study/costs-{data}-*.json")
        trials = read_rows(f"study/trials-{data}-*.json")
        routed = read_rows(f"study/inference-{data}-*.json")
        criteria = read_findings(f"study/criteria-{data}-*.json")
        if trials:
            tables[f"trials {data}"] = plan_table(trials, ROUNDS, split="valid")
        if rounds:
            tables[f"rounds {data}"] = plan_table(rounds, ROUNDS)
        if len(trained) > len(rounds):
            tables[f"factorial {data}"] = factorial_table(trained)
            tables[f"controls {data}"] = plan_table(trained, CONTROLS)
        if "nothing" in curves:
            tables[f"curves {data}"] = curves_table(curves["nothing"])
        if "training" in curves:
            teachers = select(rounds, plan="teacher", split="test", decoding=BEST)
            tables[f"trained-curves {data}"] = trained_curves_table(curves["training"], teachers)
        if len(curves) == 2:
            tables[f"choice {data}"] = choice_table(curves)
        if costs:
            tables[f"costs {data}"] = costs_table(costs)
        if criteria:
            tables |= {f"criteria {data}": criteria_table(criteria),
                       f"closed {data}": closed_table(criteria),
                       f"alpha {data}": alpha_table(criteria),
                       f"stability {data}": stability_table(criteria),
                       f"pairs {data}": pairs_table(criteria)}
        if routed:
            tables[f"inference {data}"] = inference_table(routed)
    return tables
