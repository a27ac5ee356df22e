"""What the whole study says: a line a question, with a word that says how sure the answer is."""
from head_tables import LOT, curve_of
from over_seeds import compare_both_ways, gains, how_sure
from plans import (
    ALONE_PRUNED,
    CROSS_FITTED,
    HIDDEN,
    LIVE,
    LIVE_COPY,
    LIVE_COPY_ALONE,
    MAIN,
    SMALLER_TAUGHT,
    TAUGHT,
    TOGETHER,
    VARIED,
    VARIED_ALONE,
    added_pairs,
    effect_pairs,
    smaller_pairs,
    two_sides,
)
from tables import SETS, markdown, select
from tinyprune.results import BEST, GREEDY

# {question: (study, [(plan, minus plan)])}
TRAINED = {
    "five teachers that answer together − one": ("rounds", [(TOGETHER, "teacher")]),
    "main student − plain teachers": ("rounds", [(MAIN, "teacher")]),
    "0 to 60% of each text's words hidden − 10%, no teacher":
        ("rounds", [(VARIED_ALONE, "teacher")]),
    "**pruning:** 30% pruned − not pruned; copies":
        ("factorial", effect_pairs("pruned − not pruned")),
    "the same; no teacher, 0 to 60% hidden": ("rounds", [(ALONE_PRUNED, VARIED_ALONE)]),
    "step by step (dynamic) − at once; copies": ("factorial", effect_pairs("dynamic − one-shot")),
    "greedy elimination − the paper's score, trained on afterwards; copies":
        ("factorial", effect_pairs("greedy elimination − the paper's score")),
    "smaller from the start − pruned copies, no teacher": ("factorial", smaller_pairs("equations")),
    "**teachers:** one − none; copies": ("factorial", added_pairs("one teacher")),
    "five recorded − none; copies": ("factorial", added_pairs("five teachers")),
    "five recorded and alignment − none; copies":
        ("factorial", added_pairs("five teachers and alignment")),
    "five recorded − none; smaller from the start": ("factorial", SMALLER_TAUGHT),
    "five recorded − none; from the start": ("from the start", [("scratch", "teacher")]),
    "five cross-fitted − none; from the start": ("from the start", [(CROSS_FITTED, "teacher")]),
    "five live − none; from the start, 30% hidden": ("rounds", [(LIVE, HIDDEN)]),
    "five live − none; from the start, 0 to 60% hidden": ("rounds", [(VARIED, VARIED_ALONE)]),
    "five live − none after a removal; from the start, 0 to 60% hidden":
        ("rounds", [(TAUGHT, ALONE_PRUNED)]),
    "five live − none after a removal; copies, 0 to 60% hidden":
        ("factorial", [(LIVE_COPY, LIVE_COPY_ALONE)])}
# {question: (a way to choose heads, minus another)}: 30% of them, no training after
UNTRAINED = {
    "**no training after 30%:** the paper's score − random heads; greedy answers": ("paper", LOT),
    "activation − random heads; greedy answers": ("activation", LOT),
    "greedy elimination − random heads; greedy answers": ("greedy", LOT)}
# {question: (a way to choose heads while a model answers, minus another)}
ROUTED = {"heads chosen for each problem − the same for all; greedy answers": ("router", "removed")}


def findings_table(of_sets):
    """of_sets: {data set: {"main": its main student's plan; a study: its rows}}"""
    lines = []
    for question, (study, pairs) in TRAINED.items():
        cells = []
        for data in of_sets.values():
            plans = [tuple(data["main"] if plan == MAIN else plan for plan in pair)
                     for pair in pairs]
            cells += [finding(*two_sides(data[study], plans, BEST)),
                      greedy_finding(*two_sides(data[study], plans, GREEDY))]
        lines.append([question, *cells])
    for question, ways in UNTRAINED.items():
        cells = []
        for data in of_sets.values():
            found = select(data["curves"], split="test", decoding=GREEDY)
            cells += [finding(*(curve_of(found, way).get(0.3, []) for way in ways)), ""]
        lines.append([question, *cells])
    for question, ways in ROUTED.items():
        cells = []
        for data in of_sets.values():
            cells += [finding(*(select(data["inference"], split="test", plan="30%", way=way)
                                for way in ways)), ""]
        lines.append([question, *cells])
    header = ["difference, in points"]
    for name in of_sets:
        header += [f"{SETS[name]} (over problems; ± over folds or seeds)", "both greedy"]
    return markdown(header, [line for line in lines if any(line[1:])])


def finding(rows, others):
    """A difference with its intervals, and how sure it is: a cell, empty where it was not run"""
    if not len(gains(rows, others)):
        return ""
    return f"{compare_both_ways(rows, others)[0]}: {how_sure(rows, others)}"


def greedy_finding(rows, others):
    """As finding, without the intervals"""
    gained = gains(rows, others)
    return f"{100 * gained.mean():+.1f}: {how_sure(rows, others)}" if len(gained) else ""
