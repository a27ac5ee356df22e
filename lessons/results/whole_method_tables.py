"""Tables and the picture of the whole method (lesson 10), and of the models that it ships."""
import numpy as np

from curves_tables import CURVE_LABELS, LOT, draw_curve
from differences import shown_difference
from over_seeds import accuracy_of, counted, shown_mean
from plans import of_plan
from tables import BASELINES, RIGHT, SETS, against, markdown, mean, select
from tinyprune.figures import show_legend
from tinyprune.recipe import MAIN_STUDENTS
from tinyprune.results import BEST, BIDIRECTIONAL, GREEDY, MAJORITY, is_correct

# {what a row is called in the tables: the keys by which its result rows are known}
MODELS = BASELINES | {
    "teacher": {"model": "teacher"},
    "pruned, no training after": {"model": "pruned", "ratio": 0.3},
    "pruned, fine-tuned without the teacher": {"model": "student", "ratio": 0.3, "loss": "ce"},
    "**pruned and distilled**": {"model": "student", "loss": "ce+kl+attention"},
    "control: not pruned, the same extra training": {"model": "student", "ratio": 0.0},
}


def summary_table(rows, rounds):
    """Rows of lesson 10 on both sets, and {data set: the rounds' rows} -> the README's table."""
    teachers = select(rows, model="teacher", decoding=BEST)
    lines = []
    for name, keys in MODELS.items():
        if keys == {"baseline": MAJORITY}:
            continue  # the weaker baseline stands on the results page alone
        found = select(rows, **keys)
        costs = ["", "", ""]
        if "model" in keys:
            found = select(found, decoding=BEST)
            costs = costs_of(select(found, data="math23k"), select(teachers, data="math23k"))
        lines.append([name, *(shown_mean(select(found, data=data)) for data in SETS), *costs])
    studied = {"plain teachers": dict.fromkeys(SETS, "teacher"), "main student": MAIN_STUDENTS}
    for name, plans in studied.items():
        of_sets = [of_plan(rounds[data], plans[data]) for data in SETS]
        seeds = " and ".join(counted(found) for found in of_sets if found)
        lines.append([f"[the study's](lessons/results/study.md) {name}, seeds: {seeds}",
                      *map(shown_mean, of_sets), "", "", ""])
    return markdown([RIGHT, *SETS.values(), "parameters", "FLOPs", "speed"], lines)


def costs_of(rows, teachers):
    parameters = against(rows, teachers, "parameters_without_embeddings")
    return [parameters, against(rows, teachers, "flops"), f"×{mean(rows, 'speedup'):.2f}"]


def whole_method_table(rows):
    """Rows of lesson 10 on one data set, one file or five folds -> a table.

    Accuracies and differences are means of the files, costs are relative to the teacher's.
    """
    teachers = select(rows, model="teacher", decoding=BEST)
    lines = []
    for name, keys in MODELS.items():
        found = select(rows, **keys)
        if "baseline" in keys:
            equation = f"{mean(found, 'equation_accuracy'):.1%}"
            lines.append([name, shown_mean(found), "", "", "", equation, "", "", ""])
            continue
        best = select(found, decoding=BEST)
        others = [select(found, decoding=decoding) for decoding in (GREEDY, BIDIRECTIONAL)]
        versus = "" if name == "teacher" else shown_difference(best, teachers)
        lines.append([name, shown_mean(best), versus,
                      *(f"{mean(other, 'answer_accuracy'):.1%}" for other in others),
                      f"{mean(best, 'equation_accuracy'):.1%}", *costs_of(best, teachers)])
    header = ["model", RIGHT, "against the teacher", "greedy", "not reranked",
              "equation", "parameters", "FLOPs", "speed"]
    folds = [row["fold"] for row in teachers if row["fold"] is not None]
    asked = f"{sum(row['problems'] for row in teachers):,} problems asked"
    return markdown(header, lines) + f"\n\n{asked}" + (f", in folds {folds}." if folds else ".")


def draw_accuracy(axes, whole_method, rounds, curves):
    """Greedy accuracy against the share of heads removed: a colour for each data set.

    Lines: without training after, a style for each way to choose the heads. Marks: students.
    """
    for (data, label), color in zip(SETS.items(), ("tab:blue", "tab:orange")):
        for way, style in {"greedy": "--", LOT: ":", "paper": "-"}.items():
            draw_curve(axes, curves[data]["nothing"], way, linestyle=style, color=color,
                       label=f"{label}: {CURVE_LABELS[way]}")
        students = {
            "lesson 10's student": ("o", select(whole_method, data=data, loss="ce+kl+attention")),
            "main student": ("*", select(rounds[data], split="test", plan=MAIN_STUDENTS[data]))}
        for name, (marker, rows) in students.items():
            axes.plot([0.3], [accuracy_of(select(rows, decoding=GREEDY))], marker, markersize=10,
                      color=color, markeredgecolor="black", label=f"{label}: {name}")
    axes.set_xlabel("share of all heads removed")
    axes.set_ylabel("answers right (greedy)")
    axes.grid(alpha=0.3)
    show_legend(axes)


# the models that came with the project

def shipped_table(rows):
    """Rows of shipped.json -> each model that came with the project; costs against its teacher."""
    lines = []
    for row in select(rows, decoding=BEST):
        [teacher] = select(rows, data=row["data"], model="teacher", decoding=BEST)
        lines.append([f"{SETS[row['data']]}, {row['model']}", shown_mean([row]), f"{row['heads']}",
                      against([row], [teacher], "parameters_without_embeddings"),
                      against([row], [teacher], "flops")])
    return markdown(["shipped model", RIGHT, "heads", "parameters", "FLOPs"], lines)


def reliability_table(rows):
    """Rows of shipped.json -> how often the solver's answers to test problems are right, by what it
    said of them."""
    bands = [("under 50%, with a warning", 0.0, 0.5), ("50% to 70%", 0.5, 0.7),
             ("70% to 90%", 0.7, 0.9), ("90% or more", 0.9, 1.01), ("without a warning", 0.5, 1.01)]
    lines = []
    for name, low, high in bands:
        cells = [name]
        for data in SETS:
            [row] = select(rows, data=data, model="teacher", decoding=BEST)
            sure = np.array(row["settings"]["confidence"])
            chosen = (low <= sure) & (sure < high)
            right = is_correct(row["verdicts"])[chosen]
            cells += [f"{chosen.mean():.1%}", f"{sure[chosen].mean():.1%}", f"{right.mean():.1%}"]
        lines.append(cells)
    header = ["how sure the solver was"]
    for label in SETS.values():
        header += [f"{label}: answers", "sure, mean", "right"]
    return markdown(header, lines)
