"""Results as JSON files, and the tables that are made from them: no figure is ever typed by hand.

A result file is one object: the command that wrote it, the tree and machine it ran on, and one row per measured
model. `python -m tinyprune.results` writes the tables of lessons/results/ into the README and draws its picture.
"""
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np
import torch

from tinyprune.data import ROOT, write_whole
from tinyprune.figures import save_picture

RESULTS = ROOT / "lessons" / "results"
KEYS = ("study data split fold model ratio criterion schedule loss seed teacher_seed steps answer_accuracy "
        "equation_accuracy commutative_accuracy strict_accuracy problems correct correct_by_rounding verdicts heads "
        "heads_kept parameters parameters_without_embeddings flops milliseconds_per_problem batch_size speedup "
        "settings").split()


def result_row(report, **facts):
    """One row: what a Report of train.evaluate says, and the facts; every key of KEYS is there, null by default.

    Raises KeyError for a fact that is not one of KEYS.
    """
    unknown = set(facts) - set(KEYS)
    if unknown:
        raise KeyError(f"no such key in a result row: {sorted(unknown)}")
    said = dict(answer_accuracy=report.answer_accuracy, equation_accuracy=report.equation_accuracy,
                commutative_accuracy=report.commutative_accuracy,
                strict_accuracy=float(right(report.strict).mean()),
                problems=len(report.verdicts), correct=int(right(report.verdicts).sum()),
                correct_by_rounding=report.verdicts.count("~"), verdicts=report.verdicts)
    return {key: {**said, **facts}.get(key) for key in KEYS}


def git(*words):
    """What git says, or None where there is no git or no repository."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(started):
    """Where and how a result came to be; started: time.time() at the beginning."""
    status = git("status", "--porcelain")
    return {"command": " ".join(["python", *sys.orig_argv[1:]]), "commit": git("rev-parse", "HEAD"),
            "dirty": None if status is None else bool(status),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
                       + (torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"),
            "threads": torch.get_num_threads(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": round(time.time() - started, 1)}


def write_text(path, text):
    """A whole file or nothing."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_result(path, rows, started):
    """Writes one result file: provenance and rows, a line a row."""
    head = json.dumps(provenance(started), ensure_ascii=False, indent=1)[:-2]
    body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    write_text(path, f'{head},\n "rows": [\n{body}\n]}}\n')


def write_predictions(path, problems, predictions):
    """One JSON line a problem: its id and the equation and verdict of each model; predictions: {model: Report}."""
    lines = [json.dumps({"id": problem.id, **{name: {"equation": " ".join(report.equations[place]),
                                                     "verdict": report.verdicts[place]}
                                              for name, report in predictions.items()}}, ensure_ascii=False)
             for place, problem in enumerate(problems)]
    write_text(path, "\n".join(lines) + "\n")


def right(verdicts):
    """Verdicts as 0 and 1: an array."""
    return np.array([verdict in "=~" for verdict in verdicts], dtype=float)


def interval(values, draws=2000, seed=0):
    """A 95% bootstrap interval of the mean, problems drawn with replacement. For the difference of two models give
    the differences problem by problem: that is the paired interval. -> (low, high)"""
    values = np.asarray(values)
    places = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    return tuple(np.quantile(values[places].mean(axis=1), [0.025, 0.975]).tolist())


NAMES = [("baseline", "the commonest equation for such numbers"), ("baseline", "the nearest training text's equation"),
         ("teacher", "teacher"), ("pruned", "pruned, no training after"), ("student", "pruned, not distilled"),
         ("student", "**pruned and distilled**"), ("student", "control: nothing pruned, only trained on")]


def name_of(row):
    """What a whole-method row is called in the table."""
    if row["model"] == "baseline":
        return row["settings"]["baseline"]
    if row["model"] != "student":
        return {"teacher": "teacher", "pruned": "pruned, no training after"}[row["model"]]
    return NAMES[6][1] if not row["ratio"] else NAMES[4][1] if row["loss"] == "ce" else NAMES[5][1]


def whole_method_table(rows):
    """Rows of lesson 10 on one data set, one file or five folds -> a Markdown table; accuracies are means of the
    files, intervals are drawn over all their problems, and costs are shares of the teacher's."""
    def of(name, decoding=None):
        return [row for row in rows if name_of(row) == name and decoding in (None, row["settings"].get("decoding"))
                and (row["model"] != "pruned" or row["speedup"])]

    def mean(some, key):
        return sum(row[key] for row in some) / len(some)

    best = "both ways, plausible values first"
    teacher = of("teacher", best)
    header = ["model", "answers right (95%)", "against the teacher", "greedy", "no rule", "equation", "parameters",
              "FLOPs", "speed"]
    lines = ["| " + " | ".join(header) + " |", "| --- " * len(header) + "|"]
    for kind, name in NAMES:
        mine = of(name) if kind == "baseline" else of(name, best)
        low, high = interval(np.concatenate([right(row["verdicts"]) for row in mine]))
        cells = [name, f"{mean(mine, 'answer_accuracy'):.1%} ({low:.1%} to {high:.1%})"]
        if kind == "baseline":
            cells += ["", "", "", f"{mean(mine, 'equation_accuracy'):.1%}", "", "", ""]
        else:
            differences = np.concatenate([right(row["verdicts"]) - right(base["verdicts"])
                                          for row, base in zip(mine, teacher)])
            low, high = interval(differences)
            gain = f"{100 * differences.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
            cells += ["" if name == "teacher" else gain]
            cells += [f"{mean(of(name, decoding), 'answer_accuracy'):.1%}" for decoding in ("greedy", "both ways")]
            cells += [f"{mean(mine, 'equation_accuracy'):.1%}"]
            cells += [f"{mean(mine, key) / mean(teacher, key) - 1:+.1%}".replace("+0.0%", "–")
                      for key in ("parameters_without_embeddings", "flops")]
            cells += [f"×{mean(mine, 'speedup'):.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    folds = [row["fold"] for row in teacher if row["fold"] is not None]
    asked = f"{sum(row['problems'] for row in teacher):,} problems asked"
    return "\n".join(lines + ["", asked + (f", in folds {folds}." if folds else ".")])


def accuracy_picture(found):
    """Draws greedy accuracy against the share of heads removed, a colour for each data set: found {data: [row]}."""
    def draw(axes):
        for data, rows in found.items():
            greedy = [row for row in rows if row["settings"].get("decoding") == "greedy"]
            curve = {}
            for row in greedy:
                if row["model"] in ("teacher", "pruned"):
                    curve.setdefault(row["ratio"], []).append(row["answer_accuracy"])
            line, = axes.plot(sorted(curve), [np.mean(curve[ratio]) for ratio in sorted(curve)], marker=".",
                              label=f"{data}: heads closed, no training after")
            for loss, marker, name in (("ce+kl+attention", "*", "pruned and distilled"),
                                       ("ce", "o", "trained on without the teacher")):
                for ratio in sorted({row["ratio"] for row in greedy if row["model"] == "student"}):
                    mine = [row["answer_accuracy"] for row in greedy
                            if (row["model"], row["loss"], row["ratio"]) == ("student", loss, ratio)]
                    if mine:
                        axes.plot([ratio], [np.mean(mine)], marker=marker, linestyle="none", color=line.get_color(),
                                  markersize=12 if marker == "*" else 6, fillstyle="none" if marker == "o" else "full",
                                  label=f"{data}: {name}" if ratio else None)
        axes.set_xlabel("share of all heads removed")
        axes.set_ylabel("answers right (greedy)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)

    save_picture("accuracy", draw, (7, 4.5), RESULTS)


def whole_method_rows():
    """The rows of lesson 10 at its default seed and ratio, from lessons/results/: {data: [row]}."""
    found = {}
    for path in sorted(RESULTS.glob("whole-method-*-seed0-ratio0.3.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for row in result["rows"]:
            found.setdefault(row["data"], []).append(row)
    return found


def update(text, made):
    """The README's text with each table put between its marks, <!-- table DATA --> and <!-- end -->."""
    for data, table in made.items():
        begin, end = f"<!-- table {data} -->\n", "<!-- end -->"
        before, mark, after = text.partition(begin)
        if not mark or end not in after:
            raise ValueError(f"the README has no place for the table of {data}: put {begin.strip()} and {end} there")
        text = before + begin + table + "\n" + end + after.partition(end)[2]
    return text


if __name__ == "__main__":
    readme = ROOT / "README.md"
    found = whole_method_rows()
    made = {data: whole_method_table(rows) for data, rows in found.items()}
    write_text(readme, update(readme.read_text(encoding="utf-8"), made))
    print(f"{readme}: tables of {', '.join(made)}")
    accuracy_picture(found)
