"""What the whole study says of a data set: a line a question, and how sure the answer is."""
import itertools
from collections import Counter
from functools import partial

import plans
from curves_tables import LOT, curve_of
from differences import difference_of, finding, how_sure
from over_seeds import counted
from plans import added_pairs, effect_pairs, smaller_pairs, two_sides
from tables import filled, markdown, select
from tinyprune.results import BEST, GREEDY

PAPER_FIVE = plans.copy_of("dynamic, paper", "five teachers")
PAPER_RECIPE = plans.copy_of("dynamic, paper", "five teachers and alignment")
# {question: (study, [(plan, minus plan)])}
TRAINED = {
    "the five teachers together − one plain teacher": ("rounds", [(plans.TOGETHER, "teacher")]),
    "main student − plain teachers": ("rounds", [(plans.MAIN, "teacher")]),
    "the five teachers together − main student": ("rounds", [(plans.TOGETHER, plans.MAIN)]),
    "no teacher: 0 to 60% of a text's words hidden − 10%":
        ("rounds", [(plans.VARIED_ALONE, "teacher")]),
    "copies, no teacher: 0 to 60% of a text's words hidden − 10%":
        ("factorial", [(plans.WHOLE_COPY_ALONE, plans.copy_of("not pruned", "equations")),
                       (plans.LIVE_COPY_ALONE, plans.copy_of("one-shot, greedy", "equations"))]),
    "**pruning**; copies: 30% pruned − not pruned": ("factorial",
                                                     effect_pairs("pruned − not pruned")),
    "no teacher, 0 to 60% hidden: 30% pruned and trained on − before":
        ("rounds", [(plans.ALONE_PRUNED, plans.VARIED_ALONE)]),
    "copies, 0 to 60% hidden: 30% pruned − not pruned":
        ("factorial", [(plans.LIVE_COPY, plans.WHOLE_LIVE_COPY),
                       (plans.LIVE_COPY_ALONE, plans.WHOLE_COPY_ALONE)]),
    "from the start, five live, 30% hidden: 30% pruned and trained on − before":
        ("rounds", [(plans.LIVE_PRUNED, plans.LIVE)]),
    "from the start, five live, 0 to 60% hidden: 30% pruned and trained on − before":
        ("rounds", [(plans.VARIED_PRUNED, plans.VARIED)]),
    "from the start, five recorded: 30% pruned and trained on − before":
        ("rounds", [(plans.RECORDED_PRUNED, "scratch")]),
    "from the start, five recorded: 30% pruned and trained on − before (other runs)":
        ("cross-fitting", [(plans.RECORDED_PRUNED, "scratch")]),
    "copies: step by step − at once": ("factorial", effect_pairs("dynamic − one-shot")),
    "copies: heads by greedy elimination − by the paper's score":
        ("factorial", effect_pairs("greedy elimination − the paper's score")),
    "copies, step by step, five recorded: heads by the paper's score − random heads":
        ("factorial", [(PAPER_FIVE, "copy, dynamic, lot, five teachers")]),
    "copies, step by step, five recorded: pruned heads may come back − may not":
        ("factorial", [(PAPER_FIVE, "copy, monotone, paper, five teachers")]),
    "copies: the paper's recipe with five teachers − its score at once, no teacher":
        ("factorial", [(PAPER_RECIPE, plans.copy_of("one-shot, paper", "equations"))]),
    "copies: the paper's recipe with five teachers − all heads, no teacher":
        ("factorial", [(PAPER_RECIPE, plans.copy_of("not pruned", "equations"))]),
    "**smaller from the start**, no teacher − plain teachers":
        ("factorial", [(f"{shape}, equations", "teacher") for shape in plans.SHAPES]),
    "no teacher: smaller from the start − pruned copies": ("factorial", smaller_pairs("equations")),
    "no teacher: smaller from the start − copies pruned at once by greedy elimination":
        ("factorial", smaller_pairs("equations", ways=["one-shot, greedy"])),
    "five recorded: smaller from the start − pruned copies":
        ("factorial", smaller_pairs("five teachers")),
    "smaller from the start: five recorded − none": ("factorial", [*plans.SMALLER_TAUGHT.values()]),
    "**teachers**; copies: one − none": ("factorial", added_pairs("one teacher")),
    "copies: five recorded − none": ("factorial", added_pairs("five teachers")),
    "copies: five recorded, with alignment − none":
        ("factorial", added_pairs("five teachers and alignment")),
    "from the start: five recorded − none": ("rounds", [("scratch", "teacher")]),
    "from the start: five recorded − none (other runs)":
        ("cross-fitting", [("scratch", "teacher")]),
    "from the start: one recorded − none (other runs)":
        ("cross-fitting", [(plans.ONE_RECORDED, "teacher")]),
    "from the start: cross-fitted − none (other runs)":
        ("cross-fitting", [(plans.CROSS_FITTED, "teacher")]),
    "from the start, 30% hidden: five live − none": ("rounds", [(plans.LIVE, plans.HIDDEN)]),
    "from the start, 0 to 60% hidden: five live − none":
        ("rounds", [(plans.VARIED, plans.VARIED_ALONE)]),
    "from the start, 0 to 60% hidden; after a removal: five live − none":
        ("rounds", [(plans.TAUGHT, plans.ALONE_PRUNED)]),
    "copies, 0 to 60% hidden: five live − none":
        ("factorial", [*plans.LIVE_ADDED.values()])}
# {question: (a way to choose heads, minus another)}
UNTRAINED = {"**no training** after 30% went: the paper's score − random heads": ("paper", LOT),
             "no training after 30% went: activation − random heads": ("activation", LOT),
             "no training after 30% went: greedy elimination − random heads": ("greedy", LOT)}
ROUTED = {"30% of the heads chosen for each problem − the same for all": ("router", "removed")}


def findings_table(main, studies):
    """main: the main student's plan; studies: {study: its rows}, "curves": those without training
    """
    lines = []
    for question, (study, pairs) in TRAINED.items():
        named = [plans.with_main(pair, main) for pair in pairs]
        lines.append(line_of(question, partial(two_sides, studies[study], named)))
    for question, ways in UNTRAINED.items():
        lines.append(line_of(question, partial(without_training, studies["curves"], ways)))
    for question, ways in ROUTED.items():
        lines.append(line_of(question, partial(routed, studies["inference"], ways)))
    header = ["difference, in points", "over problems; ± over folds or seeds", "the same, greedy",
              "first models"]
    table = markdown(header, filled(lines))
    words = false_alarms([studies["rounds"], studies["factorial"]])
    if not words:
        return table
    said = ", ".join(f"{word}: {count}" for word, count in words.most_common())
    return (f"{table}\n\nPlain teachers against plain teachers, {words.total()} comparisons: "
            f"{said}.")


def false_alarms(sets):
    """What is said of plain teachers that differ in nothing but their seeds: {word: how often}

    sets: the rows of each set of teachers. Two seeds against the others, in every way, with both
    ways to answer; nothing where there is one fold.
    """
    words = Counter()
    for rows, decoding in itertools.product(sets, (BEST, GREEDY)):
        teachers = plans.of_plan(rows, "teacher", decoding)
        if len({row["fold"] for row in teachers}) < 2:
            continue
        for two in itertools.combinations({row["seed"] for row in teachers}, 2):
            first = [row for row in teachers if row["seed"] in two]
            second = [row for row in teachers if row["seed"] not in two]
            words[how_sure(difference_of(first, second))] += 1
    return words


def line_of(question, sides):
    """sides: (decoding) -> the rows of the first models, of the others"""
    best = sides(BEST)
    greedy = sides(GREEDY)
    first, _ = best if best[0] else greedy
    return [question, finding(*best), finding(*greedy), counted(first) if first else ""]


def without_training(rows, ways, decoding):
    found = select(rows, decoding=decoding)
    return [curve_of(found, way).get(0.3, []) for way in ways]


def routed(rows, ways, decoding):
    return [select(rows, split="test", plan="30%", way=way, decoding=decoding) for way in ways]
