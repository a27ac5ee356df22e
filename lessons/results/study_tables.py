"""All tables of the study (lessons/study), from the files in lessons/results/study."""
from functools import partial

from agreement_tables import agreement_table, targets_table
from criteria_tables import alpha_table, criteria_table, pairs_table, pruned_table, stability_table
from curves_tables import (
    choice_table,
    contrasts_table,
    costs_table,
    curves_table,
    draw_curves,
    trained_curves_table,
)
from factorial_tables import factorial_tables
from findings import findings_table
from inference_tables import inference_table
from plans import ROUNDS, of_plan, students
from rounds_tables import cross_fitting_table, plan_table, questions_table, smaller_table
from tables import SETS, select
from tinyprune.files import read_json
from tinyprune.recipe import MAIN_STUDENTS
from tinyprune.results import BEST, GREEDY, RESULTS, read_rows

# {study whose files hold no rows: {table: what makes it}}
FROM_FINDINGS = {"agreement": {"agreement": agreement_table},
                 "targets": {"targets": targets_table},
                 "costs": {"costs": costs_table},
                 "criteria": {"stability": stability_table, "pairs": pairs_table},
                 "pruned": {"criteria": criteria_table, "alpha": alpha_table,
                            "pruned": pruned_table}}
# The tables of the study's second page, heads.md; study.md has the others.
ON_HEADS = {"curves", "trained-curves", "choice", "contrasts", "costs", "criteria", "pruned",
            "alpha", "stability", "pairs", "inference"}
AFTER = {"nothing": "no training after", "training": "trained on afterwards"}
DECODED = {"nothing": GREEDY, "training": BEST}  # how the curves' models answer


def study_tables(rounds, curves):
    """{page: {name of a table: its text}}

    rounds: {data set: rows}; curves: {data set: as read_curves reads them}
    """
    pages = {"study.md": {}, "heads.md": {}}
    for data in SETS:
        for name, text in tables_of_set(data, rounds[data], curves[data]).items():
            page = "heads.md" if name in ON_HEADS else "study.md"
            pages[page][f"{name} {data}"] = text
    return pages


def tables_of_set(data, rounds, curves):
    """{name: text}; cross-fitting, trained curves and FROM_FINDINGS where they have files"""
    main = MAIN_STUDENTS[data]
    trials, factorial, crossed, routed = (
        read_rows(f"study/{study}-{data}-*.json")
        for study in ("trials", "factorial", "cross-fitting", "inference"))
    tried = trials + select(rounds, split="valid")  # of ASDiv-A's rounds, none
    studies = {"rounds": rounds, "factorial": factorial, "cross-fitting": crossed,
               "curves": curves["nothing"], "inference": routed}
    tables = {"findings": findings_table(main, studies),
              "smaller": smaller_table(rounds + students(factorial), main),
              "trials": plan_table(tried, ROUNDS, "valid", main),
              "rounds": plan_table(rounds, ROUNDS, main=main),
              "questions": questions_table(rounds, main),
              "inference": inference_table(routed)}
    tables |= factorial_tables(factorial)
    tables |= tables_of_curves(data, curves)
    if crossed:
        tables["cross-fitting"] = cross_fitting_table(crossed)
    for study, makers in FROM_FINDINGS.items():
        files = [read_json(path) for path in sorted(RESULTS.glob(f"study/{study}-{data}-*.json"))]
        if files:
            tables |= {name: make(files) for name, make in makers.items()}
    return tables


def read_curves(data):
    """{what follows the removal: test rows}, of what has files"""
    curves = {"nothing": read_rows(f"study/curves-{data}-*.json"),
              "training": students(read_rows(f"study/trained-curves-{data}-*.json"))}
    return {after: select(rows, split="test") for after, rows in curves.items() if rows}


def tables_of_curves(data, curves):
    """{name: table}; curves: as read_curves reads them"""
    shown = decoded(curves)
    greedy = {after: select(rows, decoding=GREEDY) for after, rows in curves.items()}
    tables = {"curves": curves_table(shown["nothing"]), "choice": choice_table(greedy),
              "contrasts": contrasts_table(greedy)}
    if "training" in shown:
        own = read_rows(f"study/trained-curves-{data}-*teacher-seed*.json")
        teachers = of_plan(own, "teacher")
        tables["trained-curves"] = trained_curves_table(shown["training"], teachers)
    return tables


def decoded(curves):
    """The rows that answer as the curves are drawn: curves as read_curves reads them"""
    return {after: select(rows, decoding=DECODED[after]) for after, rows in curves.items()}


def draw_study(save, curves):
    """Draws what has files; save: (name, draw, width), into the results' folder

    curves: {data set: as read_curves reads them}
    """
    for data, of_data in curves.items():
        for after, rows in decoded(of_data).items():
            label = f"{SETS[data]}: share of all heads removed, {AFTER[after]}"
            save(f"curves-{data}-{after}", partial(draw_curves, rows=rows, label=label), width=10)
