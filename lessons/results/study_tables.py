"""Tables of the study (lessons/study), from the files in lessons/results/study."""
from functools import partial

from differences import difference_of, shown_both_ways
from findings import findings_table
from head_tables import (
    agreement_table,
    alpha_table,
    choice_table,
    contrasts_table,
    costs_table,
    criteria_table,
    curves_table,
    draw_curves,
    inference_table,
    pairs_table,
    pruned_table,
    stability_table,
    targets_table,
    trained_curves_table,
)
from over_seeds import began_as, counted, origins, relative, shown_mean
from plans import (
    ALONE_PRUNED,
    CROSS_FITTED,
    EFFECTS,
    HIDDEN,
    LEARNED,
    LIVE,
    LIVE_ADDED,
    LIVE_COPY,
    LIVE_COPY_ALONE,
    LIVE_PRUNED,
    MAIN,
    ONE_RECORDED,
    PRUNED,
    RECORDED_PRUNED,
    ROUNDS,
    SHAPES,
    SMALLER_TAUGHT,
    TAUGHT,
    THEN,
    TOGETHER,
    VARIED,
    VARIED_ALONE,
    VARIED_PRUNED,
    WHOLE_COPY_ALONE,
    WHOLE_LIVE_COPY,
    added_pairs,
    copy_of,
    effect_pairs,
    of_plan,
    shown_of_plans,
    smaller_pairs,
    students,
    teachers_for,
)
from tables import SETS, filled, markdown, select
from tinyprune.files import read_json
from tinyprune.recipe import MAIN_STUDENTS
from tinyprune.results import BEST, GREEDY, RESULTS, judge_claim, points, read_rows

IN_POINTS = "points (95% over problems; ± over folds or seeds)"

# models

def plan_table(rows, names, split="test", main=None):
    """A line a plan: accuracy, against the plain teachers, costs.

    names: {plan: what the line is called}; main: the main student's plan
    A copy is compared with the teachers that it began as, other models with all of them. The
    teachers' own line has the folds of the other lines.
    """
    best = select(rows, split=split, decoding=BEST)
    folds = {row["fold"] for row in best if row["settings"]["plan"] in names.keys() - {"teacher"}}
    teachers = [row for row in select(best, plan="teacher") if row["fold"] in folds or not folds]
    lines = []
    for plan, name in names.items():
        found = select(best, plan=plan) if plan != "teacher" else teachers
        if found:
            versus = against_teachers(rows, plan, split) if plan != "teacher" else ["", "", ""]
            lines.append([called(plan, name, main), shown_mean(found), *versus, counted(found),
                          *costs_against(found, teachers)])
    header = ["model", "answers right (95%)", "compared with", IN_POINTS, "the same, both greedy",
              "seeds", "parameters", "FLOPs"]
    return markdown(header, lines)


def called(plan, name, main):
    return f"**main student**: {name}" if plan == main else name


def costs_against(found, teachers):
    """Two cells: parameters and FLOPs, relative to the teachers'"""
    return [relative(found, teachers, key) for key in ("parameters_without_embeddings", "flops")]


def against_teachers(rows, plan, split):
    """Three cells: which teachers, and the differences with the best and with greedy decoding"""
    copies = began_as(select(rows, split=split, plan=plan))
    cells = ["the teacher it was" if copies else "all five teachers"]
    for decoding in (BEST, GREEDY):
        of_decoding = select(rows, split=split, decoding=decoding)
        found = select(of_decoding, plan=plan)
        others = origins(found, select(of_decoding, plan="teacher"))
        cells.append(shown_both_ways(found, others))
    return cells


# Two models of the rounds against each other; the main student and what it was are added.
QUESTIONS = {
    "main student − the pruned control without a teacher": (MAIN, ALONE_PRUNED),
    "the five teachers together − the main student": (TOGETHER, MAIN),
    "the five teachers together − the control with 0 to 60% hidden": (TOGETHER, VARIED_ALONE),
    f"from the start, five recorded teachers: {THEN} − before": (RECORDED_PRUNED, "scratch"),
    "a copy, five recorded teachers: 30% pruned − not pruned": ("copy, 30% pruned", "copy"),
    "no teacher: 0 to 60% hidden − 30%": (VARIED_ALONE, HIDDEN),
    "five live teachers: 0 to 60% hidden − 30%": (VARIED, LIVE),
    "30% hidden: five live teachers − no teacher": (LIVE, HIDDEN),
    "0 to 60% hidden: five live teachers − no teacher": (VARIED, VARIED_ALONE),
    f"0 to 60% hidden, no teacher: {THEN} − before": (ALONE_PRUNED, VARIED_ALONE),
    f"0 to 60% hidden, five live teachers: {THEN} − before": (VARIED_PRUNED, VARIED),
    f"0 to 60% hidden, no teacher: {THEN} with five live teachers − before":
        (TAUGHT, VARIED_ALONE),
    "0 to 60% hidden, trained on after the removal: with five live teachers − alone":
        (TAUGHT, ALONE_PRUNED)}


def smaller_table(rows, main):
    """Models of about the same size: what they answer, and what they cost"""
    teachers = of_plan(rows, "teacher")
    lines = []
    for plan, name in SMALLER.items():
        found = of_plan(rows, plan)
        if found:
            lines.append([called(plan, name, main), shown_mean(found),
                          shown_mean(of_plan(rows, plan, GREEDY)), counted(found),
                          *costs_against(found, teachers)])
    return markdown(["model", "answers right (95%)", "the same, greedy", "seeds", "parameters",
                     "FLOPs"], lines)


def questions_table(rows, main):
    """Two models of the rounds against each other, the first minus the second."""
    questions = {"main student − such a student with all its heads": (MAIN, BEFORE[main])}
    lines = []
    for question, pair in (questions | QUESTIONS).items():
        plans = tuple(main if plan == MAIN else plan for plan in pair)
        cells = [shown_of_plans(rows, [plans], decoding) for decoding in (BEST, GREEDY)]
        lines.append([question, *cells])
    return markdown(["question", IN_POINTS, "the same, both greedy"], filled(lines))


# rounds and the factorial

# {main student: the same student with all its heads}
BEFORE = {LIVE_PRUNED: LIVE, "scratch, 30% pruned": "scratch"}
AGREEMENT = ROUNDS | {"teacher": "another plain teacher"}
AGREEMENT_PAIRS = {
    "30% hidden: the student of live teachers − the control without a teacher": (LIVE, HIDDEN),
    "0 to 60% hidden: the same": (VARIED, VARIED_ALONE)}
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


# The plain teachers, and models of about four fifths of their size.
SMALLER = {plan: ROUNDS[plan] for plan in ("teacher", LIVE_PRUNED, "scratch, 30% pruned",
                                           RECORDED_PRUNED, ALONE_PRUNED, TAUGHT)}
SMALLER |= {plan: CONTROLS[plan] for plan in (LIVE_COPY_ALONE, LIVE_COPY)}
SMALLER |= {f"{shape}, equations": CONTROLS[f"{shape}, equations"] for shape in SHAPES}
CROSS_FITTING = {"teacher": "plain teachers, one at a time",
                 ONE_RECORDED: "from the start, one recorded teacher",
                 "scratch": "from the start, five recorded teachers",
                 RECORDED_PRUNED: f"the same; {THEN} with them",
                 CROSS_FITTED: "from the start, cross-fitted teachers"}


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


def cross_fitting_table(rows):
    """Students of teachers that have learned from each problem, or that have not; a line a model.

    Each is compared with those before it, on the folds and seeds that both have.
    """
    lines = []
    for decoding, also in ((BEST, ""), (GREEDY, "; all answer greedily")):
        before = []
        for plan, name in CROSS_FITTING.items():
            found = of_plan(rows, plan, decoding)
            cells = [shown_of_plans(rows, [(plan, other)], decoding) for other in before]
            before.append(plan)
            if found:
                lines.append([name + also, shown_mean(found), *cells,
                              *[""] * (len(CROSS_FITTING) - len(before)), counted(found)])
    return markdown(["model", "answers right (95%)", f"minus plain teachers: {IN_POINTS}",
                     "minus students of one", "minus students of five",
                     "minus students of five, pruned", "seeds"], lines)


def factorial_tables(rows):
    """{name: table}; the controls where any has been run"""
    tables = {"factorial": factorial_table(rows), "added": added_table(rows),
              "effects": effects_table(rows)}
    if any(of_plan(rows, plan) for plan in CONTROLS.keys() - {"teacher"}):
        tables["controls"] = plan_table(rows, CONTROLS)
    return tables


# the ledger

# arXiv 2511.17577: RoBERTa-base on Math23k at 30% of the heads; "at most", "at least": both models.
PAPER = {"answers": {"math23k": "84.4% base, 86.5% large", "asdiv-a": "86.4% base, 91.0% large"},
         "gained": -0.007, "gained at most": -0.004, "parameters": 0.187, "flops": 0.193,
         "speed": 0.275, "speed at least": 0.21}
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
    gained = difference_of(students, teachers)
    interval = gained.low, gained.high
    return [[f"{name}: change in points, {models}", f"{100 * claim:+.1f}",
             points(gained.mean, *interval), "", judge_claim(claim, *interval)]
            for models, claim in (("base", PAPER["gained"]),
                                  ("best of base and large", PAPER["gained at most"]))]


def teachers_and_students(rows, data):
    rows = select(rows, data=data, decoding=BEST)
    return select(rows, model="teacher"), select(rows, model="student", loss="ce+kl+attention")


def possible(claim, ceiling, cause):
    return "possible" if claim <= ceiling else f"cannot be derived from {cause}"


# all of it

def read_findings(pattern):
    return list(map(read_json, sorted(RESULTS.glob(pattern))))


# {study whose files hold no rows: {table: what makes it}}
FROM_FINDINGS = {"agreement": {"agreement": partial(agreement_table, names=AGREEMENT,
                                                    pairs=AGREEMENT_PAIRS)},
                 "targets": {"targets": targets_table},
                 "costs": {"costs": costs_table},
                 "criteria": {"stability": stability_table, "pairs": pairs_table},
                 "pruned": {"criteria": criteria_table, "alpha": alpha_table,
                            "pruned": pruned_table}}
AFTER = {"nothing": "no training after", "training": "trained on afterwards"}
DECODED = {"nothing": GREEDY, "training": BEST}  # how the curves' models answer


def read_curves(data):
    """{what follows the removal: test rows}, of what has files"""
    curves = {"nothing": read_rows(f"study/curves-{data}-*.json"),
              "training": students(read_rows(f"study/trained-curves-{data}-*.json"))}
    return {after: select(rows, split="test") for after, rows in curves.items() if rows}


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


def tables_of_curves(data, curves, rounds):
    """{name: table}, of what has files; curves: as read_curves reads them"""
    tables = {}
    shown = decoded(curves)
    if "nothing" in shown:
        tables["curves"] = curves_table(shown["nothing"])
    if "training" in shown:
        own = read_rows(f"study/trained-curves-{data}-*teacher-seed*.json")
        teachers = of_plan(teachers_for(own, rounds), "teacher")
        tables["trained-curves"] = trained_curves_table(shown["training"], teachers)
    if curves:
        greedy = {after: select(rows, decoding=GREEDY) for after, rows in curves.items()}
        tables["choice"] = choice_table(greedy)
        tables["contrasts"] = contrasts_table(greedy)
    return tables


def study_tables(all_rounds, all_curves):
    """{name of a table: its text} of the studies and sets that have files.

    all_rounds: {data set: rows}; all_curves: {data set: as read_curves reads them}
    """
    tables = {}
    for data, main in MAIN_STUDENTS.items():
        rounds = all_rounds[data]
        factorial = read_rows(f"study/factorial-{data}-*.json")
        copies = students(factorial)
        trials = read_rows(f"study/trials-{data}-*.json")
        routed = read_rows(f"study/inference-{data}-*.json")
        tried = trials + select(rounds, split="valid")  # of ASDiv-A's rounds, none
        if tried:
            tables[f"trials {data}"] = plan_table(tried, ROUNDS, "valid", main)
        if rounds:
            tables[f"rounds {data}"] = plan_table(rounds, ROUNDS, main=main)
        if of_plan(rounds, main):
            tables[f"questions {data}"] = questions_table(rounds, main)
            tables[f"smaller {data}"] = smaller_table(rounds + copies, main)
        if factorial:
            rows = copies + teachers_for(factorial, rounds)
            tables |= {f"{name} {data}": text for name, text in factorial_tables(rows).items()}
        crossed = read_rows(f"study/cross-fitting-{data}-*.json")
        studies = {"rounds": rounds, "factorial": copies, "cross-fitting": crossed,
                   "curves": all_curves[data].get("nothing", []), "inference": routed}
        tables[f"findings {data}"] = findings_table(main, studies)
        if crossed:
            tables[f"cross-fitting {data}"] = cross_fitting_table(crossed)
        curves = tables_of_curves(data, all_curves[data], rounds)
        tables |= {f"{name} {data}": text for name, text in curves.items()}
        if routed:
            tables[f"inference {data}"] = inference_table(routed)
        for study, makers in FROM_FINDINGS.items():
            found = read_findings(f"study/{study}-{data}-*.json")
            if found:
                tables |= {f"{name} {data}": make(found) for name, make in makers.items()}
    return tables
