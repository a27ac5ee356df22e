"""Tables of the factorial: how a copy is pruned, and what it learns from."""
from differences import shown_both_ways
from over_seeds import counted, origins
from plans import (
    CONTROLS,
    EFFECTS,
    LEARNED,
    LIVE_ADDED,
    PRUNED,
    SHAPES,
    SMALLER_TAUGHT,
    added_pairs,
    copy_of,
    effect_pairs,
    of_plan,
    shown_of_plans,
    smaller_pairs,
)
from rounds_tables import IN_POINTS, plan_table
from tables import filled, markdown
from tinyprune.results import BEST, GREEDY


def factorial_tables(rows):
    """{name: table}; the controls where any has been run"""
    tables = {"factorial": factorial_table(rows), "added": added_table(rows),
              "effects": effects_table(rows)}
    if any(of_plan(rows, plan) for plan in CONTROLS.keys() - {"teacher"}):
        tables["controls"] = plan_table(rows, CONTROLS)
    return tables


def factorial_table(rows):
    """What a student learns from across, how it is pruned down; points against the teachers.

    A cell that lacks some of the folds says how many it has.
    """
    teachers = of_plan(rows, "teacher")
    cells = {(way, learned): of_plan(rows, copy_of(way, learned))
             for way in PRUNED for learned in LEARNED}
    all_found = sum(cells.values(), [])
    folds = len({row["fold"] for row in all_found})
    lines = []
    for way, label in PRUNED.items():
        line = [label]
        for learned in LEARNED:
            found = cells[way, learned]
            cell = shown_both_ways(found, origins(found, teachers)) if found else ""
            own = len({row["fold"] for row in found})
            line.append(f"{cell}, {own} of {folds} folds" if 0 < own < folds else cell)
        lines.append(line)
    return f"{markdown(['30% pruned', *LEARNED.values()], lines)}\n\nSeeds: {counted(all_found)}."


def added_table(rows):
    """What teachers add to the equations alone; on both sides are copies of the same teachers."""
    sources = [learned for learned in LEARNED if learned != "equations"]
    lines = []
    for label, ways in ({way: [way] for way in PRUNED} | {"all of these": PRUNED}).items():
        cells = []
        for source in sources:
            cells.append(shown_of_plans(rows, added_pairs(source, ways)))
        lines.append([label, *cells, ""])
    live = {way: [pair] for way, pair in LIVE_ADDED.items()}
    live["both of these"] = [*LIVE_ADDED.values()]
    smaller = []
    for decoding, also in ((BEST, ""), (GREEDY, "; both answer greedily")):
        for label, pairs in live.items():
            lines.append([f"{label}, 0 to 60% hidden{also}", "", "", "",
                          shown_of_plans(rows, pairs, decoding)])
        smaller.append([f"smaller from the start, the three shapes{also}", "",
                        shown_of_plans(rows, SMALLER_TAUGHT, decoding), "", ""])
    found = filled(lines + smaller)
    return markdown([f"added: {IN_POINTS}", *sources, "five live teachers"], found)


def effects_table(rows):
    """What pruning costs, and what the schedule and the choice of heads do to that.

    And what models that are smaller from the start have more than pruned copies.
    """
    columns = {name: [learned] for learned, name in LEARNED.items()} | {"all four": LEARNED}
    lines = []
    for label in EFFECTS:
        cells = []
        for column in columns.values():
            cells.append(shown_of_plans(rows, effect_pairs(label, column)))
        lines.append([label, *cells])
    for shape in SHAPES:
        cells = {learned: shown_of_plans(rows, smaller_pairs(learned, [shape]))
                 for learned in ("equations", "five teachers")}
        lines.append([f"{shape}, from the start − pruned",
                      *(cells.get(learned, "") for learned in LEARNED), ""])
    return markdown([IN_POINTS, *columns], filled(lines))
