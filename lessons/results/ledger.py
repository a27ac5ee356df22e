"""The ledger: every figure of the paper beside ours, what arithmetic allows, and a verdict."""
from differences import difference_of
from over_seeds import shown_mean
from plans import of_plan
from tables import SETS, markdown, select
from tinyprune.recipe import MAIN_STUDENTS
from tinyprune.results import BEST, judge_claim, points

# arXiv 2511.17577: RoBERTa-base on Math23k at 30% of the heads; "at most", "at least": both models.
PAPER = {"answers": {"math23k": "84.4% base, 86.5% large", "asdiv-a": "86.4% base, 91.0% large"},
         "gained": -0.007, "gained at most": -0.004, "parameters": 0.187, "flops": 0.193,
         "speed": 0.275, "speed at least": 0.21}
ROBERTA_WIDTH = 768
ROBERTA_WORDS = 30  # of a problem, about


def ledger_table(whole_method, rounds):
    """The paper's figures beside ours -> a table

    whole_method: rows of lesson 10 on both sets; rounds: {data set: rows}
    """
    lines = []
    for data, name in SETS.items():
        teachers, students = teachers_and_students(whole_method, data)
        lines.append([f"{name}: answers right, whole model", PAPER["answers"][data],
                      shown_mean(teachers), "", "theirs is pre-trained"])
        lines += gained_lines(f"{name}, lesson 10's student", students, teachers)
        main = of_plan(rounds[data], MAIN_STUDENTS[data])
        if main:
            lines += gained_lines(f"{name}, the study's main student", main,
                                  of_plan(rounds[data], "teacher"))
    teachers, students = teachers_and_students(whole_method, "math23k")
    ceilings = dict(zip(("parameters", "flops"), roberta_shares()))
    for key, name in (("parameters", "parameters saved"), ("flops", "FLOPs saved")):
        row_key = "flops" if key == "flops" else "parameters_without_embeddings"
        saved = 1 - students[0][row_key] / teachers[0][row_key]
        lines.append([name, f"{PAPER[key]:.1%}", f"{saved:.1%}",
                      f"{ceilings[key]:.1%} of RoBERTa's blocks",
                      possible(PAPER[key], ceilings[key], "these heads alone")])
    fastest = 1 / (1 - PAPER["flops"]) - 1
    for key, name in (("speed", "faster by"), ("speed at least", "faster by, least of all models")):
        lines.append([name, f"{PAPER[key]:.1%}", f"{students[0]['speedup'] - 1:.1%}",
                      f"{fastest:.1%} for the paper's FLOPs",
                      possible(PAPER[key], fastest, "these FLOPs alone")])
    return markdown(["at 30% of the heads", "paper", "ours", "arithmetic allows", "verdict"], lines)


def gained_lines(name, students, teachers):
    """The paper's two changes, which are Math23k's, beside ours"""
    gained = difference_of(students, teachers)
    interval = gained.low, gained.high
    return [[f"{name}: change in points, {models}", f"{100 * claim:+.1f} on Math23k",
             points(gained.mean, *interval), "", judge_claim(claim, *interval)]
            for models, claim in (("base", PAPER["gained"]),
                                  ("best of base and large", PAPER["gained at most"]))]


def teachers_and_students(rows, data):
    rows = select(rows, data=data, decoding=BEST)
    return select(rows, model="teacher"), select(rows, model="student", loss="ce+kl+attention")


def roberta_shares(ratio=0.3):
    """What an encoder with feed-forward layers of four times its width saves: parameters, FLOPs"""
    D = ROBERTA_WIDTH
    n = ROBERTA_WORDS
    attention = 4 * D * D
    feedforward = 8 * D * D
    in_flops = 2 * n * attention + 4 * n * n * D
    parameters = ratio * attention / (attention + feedforward)
    return parameters, ratio * in_flops / (in_flops + 2 * n * feedforward)


def possible(claim, ceiling, cause):
    return "possible" if claim <= ceiling else f"cannot be derived from {cause}"
