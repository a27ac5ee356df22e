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
    """What teachers add to the equations alone; on both sides are copies of the same teachers.

    Or, in the last lines, models that are smaller from the start.
    """
    sources = [learned for learned in LEARNED if learned != "equations"]
    live = "five live teachers"
    lines = []
    for label, ways in ({way: [way] for way in PRUNED} | {"all of these": PRUNED}).items():
        cells = [shown_of_plans(rows, added_pairs(source, ways)) for source in sources]
        lines.append([label, *cells, ""])
    hidden = {f"{way}, 0 to 60% hidden": [pair] for way, pair in LIVE_ADDED.items()}
    if all(of_plan(rows, plan) for plan, _ in LIVE_ADDED.values()):
        hidden["both of these, 0 to 60% hidden"] = [*LIVE_ADDED.values()]
    smaller = {f"{shape}, from the start": [pair] for shape, pair in SMALLER_TAUGHT.items()}
    smaller["the three shapes, from the start"] = [*SMALLER_TAUGHT.values()]
    for groups, column in ((hidden, live), (smaller, "five teachers")):
        for decoding, also in ((BEST, ""), (GREEDY, "; both answer greedily")):
            for label, pairs in groups.items():
                cells = dict.fromkeys([*sources, live], "")
                cells[column] = shown_of_plans(rows, pairs, decoding)
                lines.append([label + also, *cells.values()])
    return markdown([f"added: {IN_POINTS}", *sources, live], filled(lines))


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
