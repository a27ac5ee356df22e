"""Tables of the teachers (lessons 05 and 11): answers, failures, the worth of each ingredient."""
import numpy as np

from differences import shown_difference
from over_seeds import shown_mean
from tables import BASELINES, RIGHT, SETS, markdown, select
from tinyprune.results import (
    BEAM,
    BEST,
    BIDIRECTIONAL,
    GREEDY,
    MAJORITY,
    NEAREST,
    is_correct,
)

# Answer accuracy without pre-training, in percent: Math23k's public test split (the systems' own
# papers), ASDiv-A's five folds (README of the MWPToolkit project, 2021).
PUBLISHED = [["*Transformer (MWPToolkit)*", "", "*59.3%*"], ["*GTS*", "*75.6%*", "*69.9%*"],
             ["*Graph2Tree*", "*77.4%*", "*75.3%*"], ["*MultiE&D*", "*78.4%*", "*72.6%*"]]


def teacher_table(rows):
    """Rows of lesson 05 on both sets -> the teacher beside baselines and published solvers."""
    def without_near(row):
        near = set(row["settings"]["near_texts"])
        kept = [letter for position, letter in enumerate(row["verdicts"]) if position not in near]
        return row | {"verdicts": "".join(kept)}

    def near_and_equal(found):
        near = sum(len(row["settings"]["near_texts"]) for row in found)
        return f"{near}; {sum(row['settings']['equal_texts'] for row in found)}"

    def products(found):
        return f"{np.mean([row['settings']['time']['matrix products'] for row in found]):.0%}"

    lines = [(name, keys, shown_mean) for name, keys in BASELINES.items()]
    lines += [(f"teacher, {decoding}", {"decoding": decoding}, shown_mean)
              for decoding in (GREEDY, BEAM, BIDIRECTIONAL)]
    best = {"decoding": BEST}
    lines += [(f"**teacher, {BEST}**", best, shown_mean),
              ("the same, asked only texts unlike every training text", best,
               lambda found: shown_mean(list(map(without_near, found)))),
              ("test texts like a training text; equal to one but for the numbers", best,
               near_and_equal),
              ("matrix products' share of a training step's time", best, products)]
    cells = []
    for name, keys, shown in lines:
        by_set = [select(rows, data=data, **keys) for data in SETS]
        cells.append([name, *(shown(found) if found else "–" for found in by_set)])
    header = [RIGHT, "Math23k, public test", "ASDiv-A, five folds"]
    return markdown(header, cells + PUBLISHED)


def failures_table(rows):
    """Rows of lesson 05 -> answers right by kind of problem, beside the baselines."""
    rows = select(rows, decoding=BEST)
    sets = [data for data in SETS if select(rows, data=data)]
    header = ["answers right"]
    for data in sets:
        header += [f"{SETS[data]}: problems", "teacher", MAJORITY, NEAREST]
    kinds = sorted({kind for row in rows for kind in row["settings"]["kinds"]})
    lines = []
    for kind in kinds:
        cells = [kind]
        for data in sets:
            of_set = select(rows, data=data)
            counts = [row["settings"]["kinds"].get(kind, [0] * 4) for row in of_set]
            problems, *correct = np.sum(counts, axis=0)
            shares = [f"{number / problems:.0%}" if problems else "" for number in correct]
            cells += [f"{problems:,}", *shares]
        lines.append(cells)
    return markdown(header, lines)


def ingredients_table(rows):
    """Rows of lesson 11 -> what the teacher loses on validation problems without each ingredient.

    Over all seeds, with paired intervals, for each data set and number of epochs.
    """
    columns = sorted({(row["data"], row["settings"]["epochs"]) for row in rows})
    names = dict.fromkeys((row["settings"]["without"], row["settings"]["decoding"]) for row in rows)
    header = ["without", "decoding"]
    for data, epochs in columns:
        header += [f"{SETS[data]}, {epochs} epochs: right", "difference (95%)"]
    lines = []
    for name, decoding in names:
        cells = [name, decoding]
        for data, epochs in columns:
            of_column = select(rows, data=data, epochs=epochs)
            found = select(of_column, without=name, decoding=decoding)
            base = BEST if name == "nothing" else decoding
            whole = select(of_column, without="nothing", decoding=base)
            cells += ingredient_cells(found, whole, is_base=(name, decoding) == ("nothing", BEST))
        lines.append(cells)
    notes = []
    for data in dict(columns):
        of_set = select(rows, data=data)
        models = {(row["fold"], row["seed"]) for row in of_set}
        each = "with a seed and a fold of its own, " if data == "asdiv-a" else ""
        notes.append(f"{SETS[data]}: {len(models)} model(s) for each cell, {each}"
                     f"{of_set[0]['problems']} validation problems each.")
    return "\n\n".join([markdown(header, lines), *notes])


def ingredient_cells(found, whole, is_base):
    """Answers right, and the difference from the whole model of the same seed and fold."""
    if not found:
        return ["", ""]
    partners = [select(whole, seed=row["seed"], fold=row["fold"])[0] for row in found]
    correct = np.concatenate([is_correct(row["verdicts"]) for row in found])
    return [f"{correct.mean():.1%}", "" if is_base else shown_difference(found, partners)]
