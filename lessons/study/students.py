"""The students of the study: how each starts, what it learns from, and how it loses heads.

PLANS has them all. The tables know them by the same names (lessons/results/plans.py).
"""
from dataclasses import dataclass, replace

from runs import CHOICES, TEACHERS


@dataclass(frozen=True)
class Plan:
    """How a student starts, what it learns from, and how it loses heads."""
    start: str = "scratch"  # or "copy": of the plain teacher with the same seed
    teachers: int = 0  # how many it learns from, beside the recorded equations
    aligned: bool = False  # whether its attention is aligned with its origin's
    ratio: float = 0.0
    schedule: str = "none"
    criterion: str = "paper"
    origin: str | None = None  # a plan: what a copy is copied from, by default the plain teacher
    live: bool = False  # whether the teachers read texts with hidden words
    cross_fitted: bool = False  # whether each problem's teacher has not learned from it
    word_dropout: float | tuple | None = None  # by default the data set's share of hidden words
    calibration: int | None = None  # problems to score heads on, by default the data set's number
    shape: str = "whole"  # a name in SHAPES: of a model that is smaller from the start


FIVE = dict(teachers=TEACHERS)
THIRTY = dict(ratio=0.3, schedule="dynamic")
TOGETHER = "teachers together"
ROUND_1 = {"teacher": Plan(), TOGETHER: Plan(**FIVE)}

# Round 2. Recorded teachers were asked once, on whole texts; live ones read what the student reads.
RECORDED_TEACHERS = {"scratch": Plan(**FIVE), "scratch, 30% pruned": Plan(**FIVE, **THIRTY),
                     "copy": Plan("copy", **FIVE),
                     "copy, 30% pruned": Plan("copy", **FIVE, **THIRTY)}
LIVE_TEACHERS = {
    f"{start}, {name}, live teachers, {hidden:.0%} hidden": Plan(
        start, live=True, word_dropout=hidden, **FIVE, **pruned)
    for start in ("scratch", "copy")
    for name, pruned in (("not pruned", {}), ("30% pruned", THIRTY))
    for hidden in (0.1, 0.3)}
LIVE = "scratch, not pruned, live teachers, 30% hidden"
# Is it the teachers, or the hidden words alone?
HIDDEN = "scratch, not pruned, equations, 30% hidden"
# A share of hidden words is drawn for each text, so some texts are whole.
VARIED = "scratch, not pruned, live teachers, 0 to 60% hidden"
VARIED_ALONE = "scratch, not pruned, equations, 0 to 60% hidden"
SHARES = {HIDDEN: Plan(word_dropout=0.3),
          VARIED: replace(LIVE_TEACHERS[LIVE], word_dropout=(0.0, 0.6))}
for highest in (0.2, 0.4, 0.6):
    hidden = dict(word_dropout=(0.0, highest))
    SHARES |= {f"scratch, not pruned, equations, 0 to {highest:.0%} hidden": Plan(**hidden),
               f"scratch, 0 to {highest:.0%} hidden": Plan(**FIVE, **hidden),
               f"scratch, 30% pruned, 0 to {highest:.0%} hidden": Plan(**FIVE, **THIRTY, **hidden)}
ROUND_2 = RECORDED_TEACHERS | LIVE_TEACHERS | SHARES
# A copy of such a model loses 30% of its heads at once, and learns on as before.
RECORDED_PRUNED = "recorded, then pruned and trained on"
LIVE_PRUNED = "live, then pruned and trained on"
VARIED_PRUNED = "varied, then pruned and trained on"
ALONE_PRUNED = "varied, no teacher, then pruned and trained on"
ORIGINS = {RECORDED_PRUNED: "scratch", LIVE_PRUNED: LIVE, VARIED_PRUNED: VARIED,
           ALONE_PRUNED: VARIED_ALONE}
ROUND_2 |= {plan: replace(ROUND_2[origin], start="copy", origin=origin, ratio=0.3,
                          schedule="one-shot", criterion="greedy 30%")
            for plan, origin in ORIGINS.items()}
# Do teachers help to win back what pruning costs? The same models lose the same heads.
TAUGHT = "varied, no teacher, then pruned and trained on with teachers"
ROUND_2[TAUGHT] = replace(ROUND_2[VARIED_PRUNED], origin=VARIED_ALONE)

# The factorial: how copies are pruned, times what they learn from.
LOSSES = {"equations": dict(teachers=0), "one teacher": dict(teachers=1), "five teachers": FIVE,
          "five teachers and alignment": dict(aligned=True, **FIVE)}
# Models that are smaller from the start: as a student without 30% of its heads in parameters, in
# FLOPs, or as near as a layer fewer comes.
SHAPES = {"asdiv-a": {"narrower, equal parameters": dict(width=100),
                      "narrower, equal FLOPs": dict(width=94),
                      "shallower": dict(encoder_layers=1)},
          "math23k": {"narrower, equal parameters": dict(width=152),
                      "narrower, equal FLOPs": dict(width=150),
                      "shallower": dict(encoder_layers=3)}}


def make_factorial():
    """{name: Plan} of all cells, and of the controls"""
    plans = {}
    for loss, learned in LOSSES.items():
        plans[f"copy, not pruned, {loss}"] = Plan("copy", **learned)
        for schedule in ("one-shot", "dynamic"):
            pruned = dict(ratio=0.3, schedule=schedule)
            plans[f"copy, {schedule}, paper, {loss}"] = Plan("copy", **pruned, **learned)
            plans[f"copy, {schedule}, greedy, {loss}"] = Plan(
                "copy", criterion="greedy 30%", calibration=64, **pruned, **learned)
    for shape in SHAPES["asdiv-a"]:
        plans[f"{shape}, equations"] = Plan(shape=shape)
        plans[f"{shape}, five teachers"] = Plan(shape=shape, **FIVE)
    plans["copy, dynamic, lot, five teachers"] = Plan("copy", criterion="lot", **THIRTY, **FIVE)
    plans["copy, monotone, paper, five teachers"] = Plan("copy", ratio=0.3, schedule="monotone",
                                                         **FIVE)
    # Live teachers after a removal, as TAUGHT has them, or none; and both without a removal.
    for way in ("one-shot, greedy", "not pruned"):
        alone = replace(plans[f"copy, {way}, equations"], word_dropout=(0.0, 0.6))
        plans[f"copy, {way}, equations, 0 to 60% hidden"] = alone
        plans[f"copy, {way}, five live teachers, 0 to 60% hidden"] = replace(alone, live=True,
                                                                             **FIVE)
    return plans


FACTORIAL = make_factorial()


def curve_plan(choice, tenths):
    """The name of a copy that loses tenths of its heads at once, chosen in this way"""
    return f"{choice}, {10 * tenths}%"


CURVES = {curve_plan(choice, tenths): Plan("copy", ratio=tenths / 10, schedule="one-shot",
                                           criterion=choice, **FIVE)
          for tenths in range(1, 8) for choice in CHOICES}

ONE_RECORDED = "scratch, one recorded teacher"  # the one with its seed
CROSS_FITTED = "scratch, cross-fitted teachers"
CROSS_FITTING = {ONE_RECORDED: Plan(teachers=1), CROSS_FITTED: Plan(cross_fitted=True, **FIVE)}

PLANS = ROUND_1 | ROUND_2 | FACTORIAL | CURVES | CROSS_FITTING
