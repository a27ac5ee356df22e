"""The study's plans (lessons/study/students.py): their names in tables, and their rows."""
from differences import shown_both_ways
from over_seeds import by_model
from tables import select
from tinyprune.results import BEST

# Plans that more than one table names:
MAIN = "main student"  # stands for a data set's own plan
TOGETHER = "teachers together"
LIVE = "scratch, not pruned, live teachers, 30% hidden"
HIDDEN = "scratch, not pruned, equations, 30% hidden"
VARIED = "scratch, not pruned, live teachers, 0 to 60% hidden"
VARIED_ALONE = "scratch, not pruned, equations, 0 to 60% hidden"
RECORDED_PRUNED = "recorded, then pruned and trained on"
LIVE_PRUNED = "live, then pruned and trained on"
VARIED_PRUNED = "varied, then pruned and trained on"
ALONE_PRUNED = "varied, no teacher, then pruned and trained on"
TAUGHT = "varied, no teacher, then pruned and trained on with teachers"
ONE_RECORDED = "scratch, one recorded teacher"
CROSS_FITTED = "scratch, cross-fitted teachers"
THEN = "then 30% pruned at once, and trained on"
ROUNDS = {"teacher": "round 1: plain teachers, one at a time",
          TOGETHER: "round 1: the five teachers answer together",
          "scratch": "round 2: from the start, five recorded teachers",
          RECORDED_PRUNED: f"round 2: from the start, five recorded teachers; {THEN} with them",
          "scratch, 30% pruned":
              "round 2: from the start, five recorded teachers, 30% pruned meanwhile",
          "copy": "round 2: a copy, five recorded teachers",
          "copy, 30% pruned": "round 2: a copy, five recorded teachers, 30% pruned meanwhile",
          HIDDEN: "control: from the start, no teacher, 30% hidden",
          "copy, 30% pruned, live teachers, 30% hidden":
              "round 2: a copy, five live teachers, 30% hidden, 30% pruned meanwhile",
          "scratch, 30% pruned, live teachers, 30% hidden":
              "round 2: from the start, five live teachers, 30% hidden, 30% pruned meanwhile",
          LIVE: "round 2: from the start, five live teachers, 30% hidden",
          LIVE_PRUNED:
              f"round 2: from the start, five live teachers, 30% hidden; {THEN} with them",
          VARIED_ALONE: "control: from the start, no teacher, 0 to 60% hidden",
          ALONE_PRUNED: f"control: from the start, no teacher, 0 to 60% hidden; {THEN} alone",
          TAUGHT: f"round 2: from the start, no teacher, 0 to 60% hidden; {THEN} with five live "
                  "teachers",
          VARIED: "round 2: from the start, five live teachers, 0 to 60% hidden",
          VARIED_PRUNED:
              f"round 2: from the start, five live teachers, 0 to 60% hidden; {THEN} with them"}
# Copies: how they are pruned, and what they learn from.
LEARNED = {"equations": "equations alone", "one teacher": "and one teacher",
           "five teachers": "and five teachers",
           "five teachers and alignment": "and five, attention aligned"}
PRUNED = {"not pruned": "not pruned: the same extra training",
          "one-shot, paper": "one-shot, paper's score", "dynamic, paper": "dynamic, paper's score",
          "one-shot, greedy": "one-shot, greedy elimination",
          "dynamic, greedy": "dynamic, greedy elimination"}
WAYS = [way for way in PRUNED if way != "not pruned"]
# {what they tell: [(a way to prune, the one that is subtracted)]}
EFFECTS = {"pruned − not pruned": [(way, "not pruned") for way in WAYS],
           "dynamic − one-shot": [("dynamic, paper", "one-shot, paper"),
                                  ("dynamic, greedy", "one-shot, greedy")],
           "greedy elimination − the paper's score": [("one-shot, greedy", "one-shot, paper"),
                                                      ("dynamic, greedy", "dynamic, paper")]}
# Trained on with 0 to 60% of the words hidden, with live teachers or without: pruned first, or not.
LIVE_COPY = "copy, one-shot, greedy, five live teachers, 0 to 60% hidden"
LIVE_COPY_ALONE = "copy, one-shot, greedy, equations, 0 to 60% hidden"
WHOLE_LIVE_COPY = "copy, not pruned, five live teachers, 0 to 60% hidden"
WHOLE_COPY_ALONE = "copy, not pruned, equations, 0 to 60% hidden"
# {a way to prune: (with live teachers, minus without)}
LIVE_ADDED = {"not pruned": (WHOLE_LIVE_COPY, WHOLE_COPY_ALONE),
              "one-shot, greedy": (LIVE_COPY, LIVE_COPY_ALONE)}
SHAPES = ("narrower, equal parameters", "narrower, equal FLOPs", "shallower")  # from the start
# {a shape: (with five recorded teachers, minus without)}
SMALLER_TAUGHT = {shape: (f"{shape}, five teachers", f"{shape}, equations") for shape in SHAPES}

CONTROLS = {"teacher": "plain teacher",
            "copy, dynamic, lot, five teachers": "a copy, dynamic, random heads, five teachers",
            "copy, monotone, paper, five teachers": "a copy, dynamic, no way back, five teachers",
            WHOLE_COPY_ALONE: "a copy, no teacher, 0 to 60% hidden",
            WHOLE_LIVE_COPY: "a copy, five live teachers, 0 to 60% hidden",
            LIVE_COPY_ALONE: "a copy, no teacher, 0 to 60% hidden, 30% pruned at once",
            LIVE_COPY: "a copy, five live teachers, 0 to 60% hidden, 30% pruned at once"}
for shape in SHAPES:
    CONTROLS |= {f"{shape}, equations": f"{shape}, from the start, equations alone",
                 f"{shape}, five teachers": f"{shape}, from the start, five teachers"}
CROSS_FITTING = {"teacher": "plain teachers, one at a time",
                 ONE_RECORDED: "from the start, one recorded teacher",
                 "scratch": "from the start, five recorded teachers",
                 RECORDED_PRUNED: f"the same; {THEN} with them",
                 CROSS_FITTED: "from the start, cross-fitted teachers"}


def copy_of(way, learned):
    """A plan: a copy of a plain teacher, pruned in this way, learning from this."""
    return f"copy, {way}, {learned}"


def with_main(pair, main):
    """A pair of plans, with a data set's main student in the place of MAIN"""
    return tuple(main if plan == MAIN else plan for plan in pair)


def effect_pairs(effect, learned=LEARNED):
    """[(plan, minus plan)] of copies that tell an effect, for these things to learn from"""
    return [(copy_of(way, source), copy_of(other, source))
            for way, other in EFFECTS[effect] for source in learned]


def added_pairs(source, ways=PRUNED):
    """[(plan, minus plan)]: what it adds to learn from this source, for these ways to prune"""
    return [(copy_of(way, source), copy_of(way, "equations")) for way in ways]


def smaller_pairs(learned, shapes=SHAPES, ways=WAYS):
    """[(plan, minus plan)]: models that are smaller from the start, minus copies so pruned"""
    return [(f"{shape}, {learned}", copy_of(way, learned)) for shape in shapes for way in ways]


def of_plan(rows, plan, decoding=BEST):
    """The test rows of all seeds of a plan; [] where they have not been run"""
    return select(rows, split="test", decoding=decoding, plan=plan)


def students(rows):
    """A study's rows without its plain teachers."""
    return [row for row in rows if row["settings"]["plan"] != "teacher"]


def in_all(found):
    """[rows] -> [the rows of the folds and seeds that all have]"""
    shared = set.intersection(*(set(by_model(rows)) for rows in found))
    return [list(filter(lambda row: (row["fold"], row["seed"]) in shared, rows)) for rows in found]


def two_sides(rows, pairs, decoding=BEST):
    """[(plan, minus plan)] -> the rows of the first plans, the rows of the second ones

    Of each pair the folds and seeds that both have. Teachers count with all their seeds.
    """
    first = []
    second = []
    for pair in pairs:
        found = [of_plan(rows, plan, decoding) for plan in pair]
        if not {"teacher", TOGETHER} & set(pair):
            found = in_all(found)
        first += found[0]
        second += found[1]
    return first, second


def shown_of_plans(rows, pairs, decoding=BEST):
    """[(plan, minus plan)]: the mean difference of all pairs, a cell"""
    return shown_both_ways(*two_sides(rows, pairs, decoding))
