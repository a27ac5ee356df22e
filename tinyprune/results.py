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
BEST = "both ways, plausible values first"  # the decoding that counts; ONE_WAY is the same without mirrored equations
ONE_WAY = "beam 5, plausible values first"
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


def result_path(folder, row, more=""):
    """The result file of a lesson, named after what its first row is about: study, data, fold and seed, then `more`."""
    fold = "" if row["fold"] is None else f"-fold{row['fold']}"
    return folder / f"{row['study']}-{row['data']}{fold}-seed{row['seed']}{more}.json"


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


def markdown(header, rows):
    """Lists of cells -> the lines of a Markdown table."""
    return ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]]


def whole_method_table(rows):
    """Rows of lesson 10 on one data set, one file or five folds -> a Markdown table; accuracies and differences are
    means of the files, intervals are drawn over all their problems, and costs are shares of the teacher's."""
    def of(name, decoding=None):
        return [row for row in rows if name_of(row) == name and decoding in (None, row["settings"].get("decoding"))
                and (row["model"] != "pruned" or row["speedup"])]

    def mean(some, key):
        return sum(row[key] for row in some) / len(some)

    teacher = of("teacher", BEST)
    header = ["model", "answers right (95%)", "against the teacher", "greedy", "no rule", "equation", "parameters",
              "FLOPs", "speed"]
    made = []
    for kind, name in NAMES:
        mine = of(name) if kind == "baseline" else of(name, BEST)
        low, high = interval(np.concatenate([right(row["verdicts"]) for row in mine]))
        cells = [name, f"{mean(mine, 'answer_accuracy'):.1%} ({low:.1%} to {high:.1%})"]
        if kind == "baseline":
            cells += ["", "", "", f"{mean(mine, 'equation_accuracy'):.1%}", "", "", ""]
        else:
            differences = np.concatenate([right(row["verdicts"]) - right(base["verdicts"])
                                          for row, base in zip(mine, teacher)])
            low, high = interval(differences)
            difference = mean(mine, "answer_accuracy") - mean(teacher, "answer_accuracy")
            gain = f"{100 * difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
            cells += ["" if name == "teacher" else gain]
            cells += [f"{mean(of(name, decoding), 'answer_accuracy'):.1%}" for decoding in ("greedy", "both ways")]
            cells += [f"{mean(mine, 'equation_accuracy'):.1%}"]
            cells += [f"{mean(mine, key) / mean(teacher, key) - 1:+.1%}".replace("+0.0%", "–")
                      for key in ("parameters_without_embeddings", "flops")]
            cells += [f"×{mean(mine, 'speedup'):.2f}"]
        made.append(cells)
    folds = [row["fold"] for row in teacher if row["fold"] is not None]
    asked = f"{sum(row['problems'] for row in teacher):,} problems asked"
    return "\n".join(markdown(header, made) + ["", asked + (f", in folds {folds}." if folds else ".")])


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
            for loss, marker, size, fill, name in (  # a ring stays in sight around a star
                    ("ce+kl+attention", "*", 10, "full", "pruned and distilled"),
                    ("ce", "o", 16, "none", "trained on without the teacher")):
                for ratio in sorted({row["ratio"] for row in greedy if row["model"] == "student"}):
                    mine = [row["answer_accuracy"] for row in greedy
                            if (row["model"], row["loss"], row["ratio"]) == ("student", loss, ratio)]
                    if mine:
                        axes.plot([ratio], [np.mean(mine)], marker=marker, markersize=size, fillstyle=fill,
                                  linestyle="none", color=line.get_color(),
                                  label=f"{data}: {name}" if ratio else None)
        axes.set_xlabel("share of all heads removed")
        axes.set_ylabel("answers right (greedy)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)

    save_picture("accuracy", draw, (7, 4.5), RESULTS)


# Answer accuracy without pre-training, in percent: Math23k's public test split (the systems' own papers), ASDiv-A's
# five folds (README of the MWPToolkit project, 2021, which keeps the best epoch on the test fold).
PUBLISHED = [("Transformer (MWPToolkit)", None, 59.3), ("GTS", 75.6, 69.9), ("Graph2Tree", 77.4, 75.3),
             ("MultiE&D", 78.4, 72.6)]


def teacher_table(rows):
    """Rows of lesson 05 -> a Markdown table, a column for each set: the teacher beside solvers that learn nothing and
    beside published ones. Means over folds; intervals over all problems of all folds."""
    def of(wanted):
        return [[row for row in rows if row["data"] == data and wanted(row)] for data in ("math23k", "asdiv-a")]

    def accuracy(mine, keep=lambda row: slice(None)):
        hits = [right(row["verdicts"])[keep(row)] for row in mine]
        low, high = interval(np.concatenate(hits))
        return f"{np.mean([part.mean() for part in hits]):.1%} ({low:.1%} to {high:.1%})"

    def without_near(mine):
        return accuracy(mine, lambda row: np.setdiff1d(np.arange(row["problems"]), row["settings"]["near_texts"]))

    def near_and_equal(mine):
        return "; ".join(str(sum(counts)) for counts in zip(*(
            (len(row["settings"]["near_texts"]), row["settings"]["equal_texts"]) for row in mine)))

    def products(mine):
        return f"{np.mean([row['settings']['time']['matrix products'] for row in mine]):.0%}"

    def decoded(name):
        return of(lambda row: row["settings"].get("decoding") == name)

    lines = [(name, accuracy, of(lambda row: row["settings"].get("baseline") == name)) for _, name in NAMES[:2]]
    lines += [("teacher, greedy", accuracy, decoded("greedy")), ("teacher, beam of 5", accuracy, decoded("beam 5")),
              ("teacher, both ways", accuracy, decoded("both ways")),
              ("**teacher, both ways, plausible values**", accuracy, decoded(BEST)),
              ("the same, texts like one of training left out", without_near, decoded(BEST)),
              ("such texts; those equal to one but for the numbers", near_and_equal, decoded(BEST)),
              ("matrix products' share of the time of forward, backward and optimizer", products, decoded(BEST))]
    made = [[name, *(shown(mine) if mine else "–" for mine in found)] for name, shown, found in lines]
    made += [[f"*{name}*", *("" if figure is None else f"*{figure}%*" for figure in figures)]
             for name, *figures in PUBLISHED]
    return "\n".join(markdown(["answers right (95%)", "Math23k, public test", "ASDiv-A, five folds"], made))


def failures_table(rows):
    """Rows of lesson 05 -> a Markdown table: where the teacher fails, beside the solvers that learn nothing."""
    counts, sets = {}, [data for data in ("math23k", "asdiv-a") if any(row["data"] == data for row in rows)]
    for row in rows:
        for kind, numbers in row["settings"].get("kinds", {}).items():
            counts.setdefault(kind, {}).setdefault(row["data"], []).append(numbers)
    solvers = ("teacher", "numbers alone", "nearest text")
    header = ["answers right"] + [f"{data}: {name}" for data in sets for name in ("problems", *solvers)]
    made = []
    for kind in sorted(counts):
        cells = [kind]
        for data in sets:
            asked, *hits = np.sum(counts[kind][data], axis=0) if data in counts[kind] else [0] * 4
            cells += [f"{asked:,}"] + [f"{hit / asked:.0%}" if asked else "" for hit in hits]
        made.append(cells)
    return "\n".join(markdown(header, made))


def ingredients_table(rows):
    """Rows of lesson 11 -> a Markdown table: what the teacher loses on validation problems without each ingredient,
    over all seeds, with paired intervals, for each data set and number of epochs."""
    answers = {}  # {(data, epochs, without, decoding): {(seed, fold): 0 or 1 for each problem}}
    for row in rows:
        key = row["data"], *(row["settings"][what] for what in ("epochs", "without", "decoding"))
        answers.setdefault(key, {})[row["seed"], row["fold"]] = right(row["verdicts"])
    sets, names = sorted({key[:2] for key in answers}), list(dict.fromkeys(key[2:] for key in answers))
    header = ["without", "written"] + [f"{data}, {epochs} epochs: {what}" for data, epochs in sets
                                       for what in ("right", "difference (95%)")]
    made, notes = [], []
    for name, decoding in names:
        cells = [name, decoding]
        for data, epochs in sets:
            found = answers.get((data, epochs, name, decoding))
            if not found:
                cells += ["", ""]
                continue
            whole = answers[data, epochs, "nothing", BEST if name == "nothing" else decoding]
            differences = np.concatenate([found[key] - whole[key] for key in found])
            low, high = interval(differences)
            cells += [f"{np.concatenate(list(found.values())).mean():.1%}",
                      "" if (name, decoding) == ("nothing", BEST) else
                      f"{100 * differences.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"]
        made.append(cells)
    for data in dict(sets):
        mine = [row for row in rows if row["data"] == data]
        notes += ["", f"{data}: {len({row['seed'] for row in mine})} seed(s), "
                      f"{mine[0]['problems']} validation problems each."]
    return "\n".join(markdown(header, made) + notes)


def trust_table(found):
    """What tests/trust.py found -> a Markdown table, and below it what the records get wrong, by cause."""
    def agreement(name):
        return f"{found[name]['right']:,} of {found[name]['asked']:,}: {found[name]['share']:.3%}"

    lines = [("texts, token lists and mutated equations tried on the checker", f"{found['fuzz_inputs']:,}"),
             ("of these, a crash, a value that an independent evaluator does not give, or over 50 ms",
              f"{found['fuzz_failures']:,}; the slowest took {found['slowest_check_ms']:.0f} ms"),
             ("as many checks a second as sympy's sympify and simplify", f"×{found['times_as_fast']:.0f}"),
             ("trainings killed (SIGKILL); of these, the same bits at the end",
              f"{found['kills']}; {found['kills_bit_identical']}"),
             ("bad files tried; refused in a sentence", f"{found['bad_files_tried']}; {found['bad_files_refused']}"),
             ("Math23k's recorded equations that have the recorded answer", agreement("math23k")),
             (f"ASDiv-A's, {found['asdiv_a']['remainder_divisions']} divisions with remainder aside",
              agreement("asdiv_a"))]
    rest = {**found["math23k"]["rest"], **found["asdiv_a"]["rest"]}
    return "\n".join(markdown(["checked", "found"], lines)
                     + ["", "Not in agreement with themselves: " + "; ".join(f"{id} ({cause})" for id, cause in
                                                                             rest.items()) + "."])


def rows_of(pattern):
    """All rows of the result files in lessons/results/ whose name fits."""
    return [row for path in sorted(RESULTS.glob(pattern))
            for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def by_data(rows):
    """{data: [row]}"""
    found = {}
    for row in rows:
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
    found = by_data(rows_of("whole-method-*-seed0-ratio0.3.json"))
    made = {data: whole_method_table(rows) for data, rows in found.items()}
    made |= {"teacher": teacher_table(rows_of("teacher-*-seed0.json")),
             "failures": failures_table(rows_of("teacher-*-seed0.json")),
             "ingredients": ingredients_table(rows_of("ingredients-*.json")),
             "trust": trust_table(json.loads((RESULTS / "trust.json").read_text(encoding="utf-8")))}
    write_text(readme, update(readme.read_text(encoding="utf-8"), made))
    print(f"{readme}: tables of {', '.join(made)}")
    accuracy_picture(found)
