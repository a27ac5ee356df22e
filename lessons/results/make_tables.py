"""Makes every table of the project from the result files beside this script.

`python lessons/results/make_tables.py` writes the tables into this folder's README.md and study.md,
the summary into the project's README.md, and the proof of the assignments into lessons/course's,
between the marks <!-- table NAME --> and <!-- end -->. It also draws this folder's pictures. No
figure of a table is typed by hand.
"""

import numpy as np

from differences import shown_difference
from head_tables import CURVE_LABELS, LOT, draw_curve
from over_seeds import accuracy_of, counted, shown_mean
from study_tables import draw_study, ledger_table, of_plan, read_curves, study_tables
from tables import SETS, against, markdown, mean, select
from tinyprune.figures import save_picture, show_legend
from tinyprune.files import ROOT, read_json, write_text
from tinyprune.recipe import MAIN_STUDENTS
from tinyprune.results import (
    BEAM,
    BEST,
    BIDIRECTIONAL,
    GREEDY,
    MAJORITY,
    NEAREST,
    RESULTS,
    is_correct,
    read_rows,
)

MODELS = {  # what a row is called in the tables -> the keys by which its result rows are known
    f"{MAJORITY} for such numbers": {"baseline": MAJORITY},
    "equation of the nearest training text": {"baseline": NEAREST},
    "teacher": {"model": "teacher"},
    "pruned, no training after": {"model": "pruned", "ratio": 0.3},
    "pruned, fine-tuned without the teacher": {"model": "student", "ratio": 0.3, "loss": "ce"},
    "**pruned and distilled**": {"model": "student", "loss": "ce+kl+attention"},
    "control: not pruned, the same extra training": {"model": "student", "ratio": 0.0},
}
# Answer accuracy without pre-training, in percent: Math23k's public test split (the systems' own
# papers), ASDiv-A's five folds (README of the MWPToolkit project, 2021).
PUBLISHED = [["*Transformer (MWPToolkit)*", "", "*59.3%*"], ["*GTS*", "*75.6%*", "*69.9%*"],
             ["*Graph2Tree*", "*77.4%*", "*75.3%*"], ["*MultiE&D*", "*78.4%*", "*72.6%*"]]


# the whole method

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
    return markdown(["answers right (95%)", *SETS.values(), "parameters", "FLOPs", "speed"], lines)


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
    header = ["model", "answers right (95%)", "against the teacher", "greedy", "not reranked",
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


# the teacher

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

    lines = [(name, MODELS[name], shown_mean) for name in list(MODELS)[:2]]
    lines += [(f"teacher, {decoding}", {"decoding": decoding}, shown_mean)
              for decoding in (GREEDY, BEAM, BIDIRECTIONAL)]
    best = {"decoding": BEST}
    lines += [(f"**teacher, {BEST}**", best, shown_mean),
              ("the same, without texts like one of training", best,
               lambda found: shown_mean(list(map(without_near, found)))),
              ("texts like one of training; equal to one but for numbers", best, near_and_equal),
              ("matrix products' share of a training step's time", best, products)]
    cells = []
    for name, keys, shown in lines:
        by_set = [select(rows, data=data, **keys) for data in SETS]
        cells.append([name, *(shown(found) if found else "–" for found in by_set)])
    header = ["answers right (95%)", "Math23k, public test", "ASDiv-A, five folds"]
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


# the solver

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


def shipped_table(rows):
    """Rows of shipped.json -> each model that came with the project; costs against its teacher."""
    lines = []
    for row in select(rows, decoding=BEST):
        [teacher] = select(rows, data=row["data"], model="teacher", decoding=BEST)
        lines.append([f"{SETS[row['data']]}, {row['model']}", shown_mean([row]), f"{row['heads']}",
                      against([row], [teacher], "parameters_without_embeddings"),
                      against([row], [teacher], "flops")])
    return markdown(["shipped model", "answers right (95%)", "heads", "parameters", "FLOPs"], lines)


# trust

def trust_table(found):
    """What tests/project/trust.py found, and below it what the records get wrong, by cause."""
    def agreement(name):
        counts = found[name]
        return f"{counts['right']:,} of {counts['asked']:,}: {counts['share']:.3%}"

    failures = f"{found['fuzz_failures']:,}; the slowest took {found['slowest_check_ms']:.0f} ms"
    remainders = found["asdiv_a"]["remainder_divisions"]
    lines = [["texts, token lists and mutated equations tried on the checker",
              f"{found['fuzz_inputs']:,}"],
             ["of these, a crash, 50 ms, or a value that an independent evaluator does not give",
              failures],
             ["checks a second, relative to sympy's sympify and simplify",
              f"×{found['times_as_fast']:.0f}"],
             ["trainings killed (SIGKILL); of these, the same bits at the end",
              f"{found['kills']}; {found['kills_bit_identical']}"],
             ["bad files tried; refused in a sentence",
              f"{found['bad_files_tried']}; {found['bad_files_refused']}"],
             ["Math23k's recorded equations that have the recorded answer", agreement("math23k")],
             [f"ASDiv-A's, without {remainders} divisions with remainder", agreement("asdiv_a")]]
    rest = found["math23k"]["rest"] | found["asdiv_a"]["rest"]
    causes = "; ".join(f"{id} ({cause})" for id, cause in rest.items())
    table = markdown(["checked", "found"], lines)
    return f"{table}\n\nRecords that disagree with themselves: {causes}."


# speed

def speed_table(cpu, gpu):
    """What tests/project/speed.py and gpu.py found."""
    def as_fast(ratio):
        return f"{ratio:.2f} times as fast"

    lines = []
    rivals = {"generate": "T5, one vocabulary for both sides", "t5_outputs": "T5, our outputs",
              "marian": "Marian, our outputs"}
    for name, rival in rivals.items():
        for size in (100, 1):
            lines.append([f"greedy decoding, batch {size}, against {rival}",
                          as_fast(cpu[f"decode_vs_{name}_batch{size}"])])
    lines += [["a training step, against torch.nn.Transformer's", as_fast(cpu["train_vs_torch"])],
              ["matrix products' share of its time", f"{cpu['matrix_share']:.0%}"]]
    for name, key in {"128": "pruned_speed", "1": "pruned_speed_batch1"}.items():
        for ratio, share in cpu[key]:
            if round(10 * ratio) in (1, 3, 5, 7):
                lines.append([f"{ratio:.0%} of the heads removed, batch {name}: speed, as a share "
                              "of what the FLOPs allow", f"{share:.0%}"])
    for name, took in gpu["milliseconds_a_step"].items():
        lines.append([f"a training step of the sample on {gpu['machine'].split(', ')[-1]}, {name}",
                      f"{took} ms"])
    table = markdown(["measured", "found"], lines)
    return f"{table}\n\nCPU: {cpu['threads']} thread, Math23k's teacher. {faults_of(gpu)}"


def faults_of(gpu):
    """What gpu.py said of its own checks, as a sentence."""
    worst = max(run["recorded_against_eager"] for run in gpu["recorded"].values())
    return (f"GPU: {len(gpu['faults'])} of its checks failed; recorded and eager losses differ by "
            f"at most {worst:.0e} of their size.")


def draw_cost(axes, cpu):
    """A training step's time against each size, both relative to the smallest."""
    for name, curve in cpu["cost_against_size"].items():
        sizes, times = zip(*curve)
        axes.plot([size / sizes[0] for size in sizes], times, marker=".",
                  label=f"{name}: {', '.join(map(str, sizes))}")
    axes.plot([1, 8], [1, 8], color="grey", linestyle=":", label="in proportion")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xlabel("size, relative to the smallest")
    axes.set_ylabel("time of a training step, relative")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


# the course

def course_table(found):
    """What lessons/course/prove.py found."""
    lines = [["mistakes planted in the solutions", f"{found['planted']}"],
             ["of these, caught by the test meant for them; named in its message",
              f"{found['caught']}; {found['named']}"],
             ["one-token mutations of the solutions; of these, caught",
              f"{found['mutations']}; {found['killed']} "
              f"({found['killed'] / found['mutations']:.1%})"]]
    survivors = [[f"`{name}`", why] for name, why in found["survivors"].items()]
    return markdown(["tried", "found"], lines) + "\n\n" + markdown(["survivor", "why"], survivors)


# pages

def put_tables(text, tables):
    """The text of a page with each table put between its marks. Raises ValueError for lost ones."""
    for name, table in tables.items():
        begin = f"<!-- table {name} -->\n"
        end = "<!-- end -->"
        before, mark, after = text.partition(begin)
        if not mark or end not in after:
            raise ValueError(f"the page has no place for the table {name}: put {begin.strip()} and "
                             f"{end} there")
        text = before + begin + table + "\n" + end + after.partition(end)[2]
    return text


def main():
    whole_method = read_rows("whole-method-*-seed0-ratio0.3.json")
    teachers = read_rows("teacher-*-seed0.json")
    shipped = read_rows("shipped.json")
    rounds = {data: read_rows(f"study/rounds-{data}-*.json") for data in SETS}
    curves = {data: read_curves(data) for data in SETS}
    trust, cpu, gpu, course = (read_json(RESULTS / f"{name}.json")
                               for name in ("trust", "speed", "gpu", "course"))
    pages = {ROOT / "README.md": {"summary": summary_table(whole_method, rounds)},
             RESULTS / "README.md": {
                 "teacher": teacher_table(teachers),
                 "failures": failures_table(teachers),
                 "ingredients": ingredients_table(read_rows("ingredients-*.json")),
                 "asdiv-a": whole_method_table(select(whole_method, data="asdiv-a")),
                 "math23k": whole_method_table(select(whole_method, data="math23k")),
                 "shipped": shipped_table(shipped),
                 "ledger": ledger_table(whole_method, rounds),
                 "reliability": reliability_table(shipped),
                 "trust": trust_table(trust),
                 "speed": speed_table(cpu, gpu)},
             ROOT / "lessons" / "course" / "README.md": {"proof": course_table(course)},
             RESULTS / "study.md": study_tables(rounds, curves)}
    for page, tables in pages.items():
        write_text(page, put_tables(page.read_text(encoding="utf-8"), tables))
        print(f"{page}: {', '.join(tables)}")

    def save(name, draw, width=7):
        save_picture(name, draw, (width, 4.5), RESULTS)

    save("accuracy", lambda axes: draw_accuracy(axes, whole_method, rounds, curves), width=10)
    save("cost", lambda axes: draw_cost(axes, cpu))
    draw_study(save, curves)


if __name__ == "__main__":
    main()
