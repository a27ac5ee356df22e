"""Tables of trained students, a line a plan: the rounds, their questions, cross-fitted teachers."""
from differences import shown_both_ways
from over_seeds import began_as, counted, origins, relative, shown_mean
from plans import (
    ALONE_PRUNED,
    CONTROLS,
    CROSS_FITTING,
    HIDDEN,
    LIVE,
    LIVE_COPY,
    LIVE_COPY_ALONE,
    LIVE_PRUNED,
    MAIN,
    RECORDED_PRUNED,
    ROUNDS,
    SHAPES,
    TAUGHT,
    THEN,
    TOGETHER,
    VARIED,
    VARIED_ALONE,
    VARIED_PRUNED,
    of_plan,
    shown_of_plans,
    with_main,
)
from tables import RIGHT, filled, markdown, select
from tinyprune.results import BEST, GREEDY

IN_POINTS = "points (95% over problems; ± over folds or seeds)"


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
    header = ["model", RIGHT, "compared with", IN_POINTS, "the same, both greedy", "seeds",
              "parameters", "FLOPs"]
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


# models of about the same size

# The plain teachers, and models of about four fifths of their size.
SMALLER = {plan: ROUNDS[plan] for plan in ("teacher", LIVE_PRUNED, "scratch, 30% pruned",
                                           RECORDED_PRUNED, ALONE_PRUNED, TAUGHT, VARIED_PRUNED)}
SMALLER |= {plan: CONTROLS[plan] for plan in (LIVE_COPY_ALONE, LIVE_COPY)}
SMALLER |= {f"{shape}, equations": CONTROLS[f"{shape}, equations"] for shape in SHAPES}


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
    return markdown(["model", RIGHT, "the same, greedy", "seeds", "parameters", "FLOPs"], lines)


# two models against each other

# {main student: the same student with all its heads}
BEFORE = {LIVE_PRUNED: LIVE, "scratch, 30% pruned": "scratch"}
# Two models of the rounds against each other, beside those of the findings; the main student and
# what it was are added.
QUESTIONS = {
    "main student − the pruned control without a teacher": (MAIN, ALONE_PRUNED),
    "the five teachers together − the control with 0 to 60% hidden": (TOGETHER, VARIED_ALONE),
    "a copy, five recorded teachers: 30% pruned − not pruned": ("copy, 30% pruned", "copy"),
    "no teacher: 0 to 60% hidden − 30%": (VARIED_ALONE, HIDDEN),
    "five live teachers: 0 to 60% hidden − 30%": (VARIED, LIVE),
    f"0 to 60% hidden, no teacher: {THEN} with five live teachers − before":
        (TAUGHT, VARIED_ALONE)}


def questions_table(rows, main):
    """Two models of the rounds against each other, the first minus the second."""
    questions = {"main student − such a student with all its heads": (MAIN, BEFORE[main])}
    lines = []
    for question, pair in (questions | QUESTIONS).items():
        pair = with_main(pair, main)
        cells = [shown_of_plans(rows, [pair], decoding) for decoding in (BEST, GREEDY)]
        lines.append([question, *cells])
    return markdown(["question", IN_POINTS, "the same, both greedy"], filled(lines))


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
    return markdown(["model", RIGHT, f"minus plain teachers: {IN_POINTS}",
                     "minus students of one", "minus students of five",
                     "minus students of five, pruned", "seeds"], lines)
