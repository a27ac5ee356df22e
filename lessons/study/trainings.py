"""The studies of trainings: which students they train, and how one is trained and asked.

trials:    what round 2 should be, chosen on validation problems; no test problem is asked
rounds:    round 1, five plain teachers, alone and together; round 2, students of all five
factorial: {not pruned, one-shot, dynamic} x {what a student learns from}, and the controls
trained-curves: copies that lose more and more heads at once, and then learn from five teachers
cross-fitting: students of teachers that have not learned from the problems they are asked about
"""
from dataclasses import replace
from functools import partial

from committee import Committee
from cross_fitting import teachers_of_others
from runs import CHOICES, TEACHERS, Run, answers, folds_of, row, teacher_of
from students import (
    ALONE_PRUNED,
    CROSS_FITTED,
    FACTORIAL,
    HIDDEN,
    LIVE,
    LIVE_PRUNED,
    ONE_RECORDED,
    PLANS,
    RECORDED_PRUNED,
    RECORDED_TEACHERS,
    ROUND_2,
    SHAPES,
    TAUGHT,
    TOGETHER,
    VARIED,
    VARIED_ALONE,
    VARIED_PRUNED,
    curve_plan,
)
from tinyprune import recipe
from tinyprune.measure import costs_of
from tinyprune.rivals import greedy_score
from tinyprune.train import steps_of
from tinyprune.vocabulary import Vocabularies

SEEDS = 3  # of each student
# A copy learns for about three tenths of a teacher's epochs, as on ASDiv-A. In lesson 10 Math23k's
# learns for fewer, so that it ends soon on a CPU.
COPY_EPOCHS = {"math23k": 15}
# Ranks 30% of the heads turn by turn, of all kinds together, and the rest by one more pass. Then
# each kind loses its lowest.
CRITERIA = CHOICES | {"greedy 30%": partial(greedy_score, share=0.3)}


# which students


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


# how one is trained and asked


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
