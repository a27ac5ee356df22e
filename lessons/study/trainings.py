"""Studies of trainings.

trials:    what round 2 should be, chosen on validation problems; no test problem is asked
rounds:    round 1, five plain teachers, alone and together; round 2, students of all five
factorial: {not pruned, one-shot, dynamic} x {what a student learns from}, and the controls
trained-curves: copies that lose more and more heads at once, and then learn from five teachers
cross-fitting: students of teachers that have not learned from the problems they are asked about
"""
from dataclasses import dataclass, replace
from functools import partial

from committee import Committee
from cross_fitting import teachers_of_others
from runs import CHOICES, TEACHERS, Run, answers, folds_of, row, teacher_of
from tinyprune import recipe
from tinyprune.measure import costs_of
from tinyprune.rivals import greedy_score
from tinyprune.train import steps_of
from tinyprune.vocabulary import Vocabularies


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


SEEDS = 3  # of each student
# A copy learns for about three tenths of a teacher's epochs, as on ASDiv-A. In lesson 10 Math23k's
# learns for fewer, so that it ends soon on a CPU.
COPY_EPOCHS = {"math23k": 15}
# Ranks 30% of the heads turn by turn, of all kinds together, and the rest by one more pass. Then
# each kind loses its lowest.
CRITERIA = CHOICES | {"greedy 30%": partial(greedy_score, share=0.3)}
TOGETHER = "teachers together"
# Models that are smaller from the start: as a student without 30% of its heads in parameters, in
# FLOPs, or as near as a layer fewer comes.
SHAPES = {"asdiv-a": {"narrower, equal parameters": dict(width=100),
                      "narrower, equal FLOPs": dict(width=94),
                      "shallower": dict(encoder_layers=1)},
          "math23k": {"narrower, equal parameters": dict(width=152),
                      "narrower, equal FLOPs": dict(width=150),
                      "shallower": dict(encoder_layers=3)}}
LOSSES = {"equations": dict(teachers=0),
          "one teacher": dict(teachers=1),
          "five teachers": dict(teachers=TEACHERS),
          "five teachers and alignment": dict(teachers=TEACHERS, aligned=True)}
THIRTY = dict(ratio=0.3, schedule="dynamic")
# Recorded teachers were asked once, on whole texts; live ones read what the student reads.
RECORDED_TEACHERS = {"scratch": Plan(teachers=TEACHERS),
                     "scratch, 30% pruned": Plan(teachers=TEACHERS, **THIRTY),
                     "copy": Plan("copy", teachers=TEACHERS),
                     "copy, 30% pruned": Plan("copy", teachers=TEACHERS, **THIRTY)}
LIVE_TEACHERS = {
    f"{start}, {name}, live teachers, {hidden:.0%} hidden": Plan(
        start, teachers=TEACHERS, live=True, word_dropout=hidden, **pruned)
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
               f"scratch, 0 to {highest:.0%} hidden": Plan(teachers=TEACHERS, **hidden),
               f"scratch, 30% pruned, 0 to {highest:.0%} hidden": Plan(teachers=TEACHERS, **THIRTY,
                                                                       **hidden)}
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


def trials(data):
    runs = []
    for fold in folds_of(data):
        runs += [Run("trials", data, fold, "teacher", seed) for seed in range(TEACHERS)]
        runs += [Run("trials", data, fold, plan, 0) for plan in ROUND_2]
    return runs


def rounds(data):
    runs = []
    for fold in folds_of(data):
        runs += [Run("rounds", data, fold, "teacher", seed) for seed in range(TEACHERS)]
        runs.append(Run("rounds", data, fold, TOGETHER, 0))
    students = [*RECORDED_TEACHERS, RECORDED_PRUNED, LIVE, LIVE_PRUNED, HIDDEN,
                VARIED_ALONE, ALONE_PRUNED, TAUGHT, VARIED, VARIED_PRUNED]
    return runs + [Run("rounds", data, fold, plan, seed) for seed in range(SEEDS)
                   for fold in folds_of(data) for plan in students]


def factorial(data):
    """Asks its own teachers: they need not be those of the rounds, which another machine may have
    trained, to other last bits."""
    runs = [Run("factorial", data, fold, "teacher", seed)
            for fold in folds_of(data) for seed in range(TEACHERS)]
    return runs + [Run("factorial", data, fold, name, seed)
                   for seed in range(SEEDS) for fold in folds_of(data) for name in FACTORIAL]


def make_factorial():
    """{name: Plan} of all cells."""
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
        plans[f"{shape}, five teachers"] = Plan(shape=shape, teachers=TEACHERS)
    five = dict(teachers=TEACHERS)
    plans["copy, dynamic, lot, five teachers"] = Plan("copy", criterion="lot", **THIRTY, **five)
    plans["copy, monotone, paper, five teachers"] = Plan("copy", ratio=0.3, schedule="monotone",
                                                         **five)
    # Live teachers after a removal, as TAUGHT has them, or none; and both without a removal.
    for way in ("one-shot, greedy", "not pruned"):
        alone = replace(plans[f"copy, {way}, equations"], word_dropout=(0.0, 0.6))
        plans[f"copy, {way}, equations, 0 to 60% hidden"] = alone
        plans[f"copy, {way}, five live teachers, 0 to 60% hidden"] = replace(alone, live=True,
                                                                             **five)
    return plans


def trained_curves(data):
    """Three seeds; on ASDiv-A each on a fold of its own. On Math23k at three ratios.

    Asks its own teachers, as the factorial does.
    """
    ratios = range(1, 8) if data == "asdiv-a" else (3, 5, 7)
    plans = ["teacher"] + [curve_plan(choice, tenths) for tenths in ratios for choice in CHOICES]
    return [Run("trained-curves", data, seed if data == "asdiv-a" else None, plan, seed)
            for seed in range(SEEDS) for plan in plans]


def cross_fitting(data):
    """Plain teachers, and students of one recorded teacher, of five (then also pruned), and of
    cross-fitted ones.

    Of each problem a cross-fitted student has what one teacher says, which has learned from four
    fifths of the problems.
    """
    plans = ["teacher", ONE_RECORDED, "scratch", RECORDED_PRUNED, CROSS_FITTED]
    return [Run("cross-fitting", data, fold, plan, seed)
            for seed in range(SEEDS) for fold in folds_of(data) for plan in plans]


def curve_plan(choice, tenths):
    return f"{choice}, {10 * tenths}%"


FACTORIAL = make_factorial()
CURVES = {curve_plan(choice, tenths): Plan("copy", teachers=TEACHERS, ratio=tenths / 10,
                                           schedule="one-shot", criterion=choice)
          for tenths in range(1, 8) for choice in CHOICES}
ONE_RECORDED = "scratch, one recorded teacher"  # the one with its seed
CROSS_FITTED = "scratch, cross-fitted teachers"
PLANS = {"teacher": Plan(), TOGETHER: Plan(teachers=TEACHERS)} | ROUND_2 | FACTORIAL | CURVES
PLANS |= {ONE_RECORDED: Plan(teachers=1),
          CROSS_FITTED: Plan(teachers=TEACHERS, cross_fitted=True)}


def criterion_of(plan, seed):
    """The plan's criterion; lots differ from seed to seed."""
    return CRITERIA[f"lot {seed}" if plan.criterion == "lot" else plan.criterion]


def train_plan(run, splits):
    """-> the model of the run's plan, or all teachers as one, its vocabularies, its TrainConfig"""
    plan = PLANS[run.plan]
    experiment = recipe.EXPERIMENTS[run.data]
    config = experiment.teacher
    if plan.start == "copy":
        config = experiment.student
        config = replace(config, epochs=COPY_EPOCHS.get(run.data, config.epochs))
    if plan.word_dropout is not None:
        config = replace(config, word_dropout=plan.word_dropout)
    if run.plan == "teacher":
        return *teacher_of(run, splits, run.seed), config
    vocabularies = Vocabularies.of(splits.train, experiment.min_count)
    own = None
    if plan.cross_fitted:
        teachers, own = teachers_of_others(run, splits, plan.teachers, vocabularies.target)
    else:
        seeds = [run.seed] if plan.teachers == 1 else range(plan.teachers)
        teachers = [teacher_of(run, splits, seed)[0] for seed in seeds]
    if run.plan == TOGETHER:
        return Committee(teachers), vocabularies, config
    origin = None
    if plan.origin:
        origin, _, _ = train_plan(replace(run, plan=plan.origin), splits)
    elif plan.start == "copy":
        origin, _ = teacher_of(run, splits, run.seed)
    trained = recipe.load_or_train_ensemble_student(
        run.data, run.fold, splits, vocabularies, teachers, replace(config, seed=run.seed),
        origin=origin, aligned=plan.aligned,
        shape=None if plan.shape == "whole" else SHAPES[run.data][plan.shape],
        ratio=plan.ratio, schedule=plan.schedule, criterion=criterion_of(plan, run.seed),
        calibration=plan.calibration, live=plan.live, own=own)
    return trained.model, vocabularies, config


def execute(run):
    """Trains, and asks the problems: -> [row]"""
    plan = PLANS[run.plan]
    splits = run.splits()
    loss = "ce+kl" if plan.teachers else "ce"
    facts = dict(loss=loss + "+attention" * plan.aligned, ratio=plan.ratio,
                 schedule=plan.schedule, criterion=plan.criterion if plan.ratio else None,
                 model="student" if plan.start == "copy" else "scratch",
                 teacher_seed=run.seed if plan.start == "copy" else None)
    together = run.plan == TOGETHER
    if run.plan == "teacher" or together:
        facts |= {"model": "teacher", "loss": "ce"}
    experiment = recipe.EXPERIMENTS[run.data]
    settings = {"round": 1 if facts["model"] == "teacher" else 2, "teachers": plan.teachers,
                "start": plan.start, "origin": plan.origin,
                "shape": plan.shape, "live": plan.live, "cross_fitted": plan.cross_fitted,
                "scope": "kind",
                "calibration": plan.calibration or experiment.calibration,
                "batch": experiment.teacher.batch_size}
    model, vocabularies, config = train_plan(run, splits)
    settings["word_dropout"] = config.word_dropout
    if not together:
        facts["steps"] = steps_of(config, splits.train, vocabularies)
        facts |= costs_of(model, splits.test or splits.valid)
    return rows_of(run, splits, model, vocabularies, settings, facts)


def rows_of(run, splits, model, vocabularies, settings, facts):
    """-> [row], one for each split that is asked and each way to answer"""
    rows = []
    for split in run.asked():
        reports = answers(run.data, model, getattr(splits, split), vocabularies)
        rows += [row(run, report, split, decoding, settings, facts)
                 for decoding, report in reports.items()]
    return rows
