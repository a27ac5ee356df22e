"""Tables of trained students, the findings and the ledger."""
import math

import agreement_tables
import curves_tables
import factorial_tables
import findings
import ledger
import plans
import rounds_tables
import students
from study_rows import TEACHERS, over_problems, row, with_greedy
from tinyprune.results import BEST, GREEDY


def test_students_of_cross_fitted_teachers_are_compared_with_those_of_the_same_seed():
    rows = [row("====", "teacher", 0), row("==xx", "teacher", 1)]
    rows += [row("==xx", "scratch", 1, decoding=decoding) for decoding in (BEST, GREEDY)]
    rows += [row(verdicts, plans.CROSS_FITTED, seed, decoding=decoding)
             for seed, verdicts in ((0, "xxxx"), (1, "===x")) for decoding in (BEST, GREEDY)]
    cells = [line.split(" | ") for line in rounds_tables.cross_fitting_table(rows).splitlines()[2:]]
    assert len(cells) == 5, "no line for what has not been run"
    assert cells[0][2:6] == ["", "", "", ""] and cells[1][3:6] == ["", "", ""]
    assert cells[1][2].startswith("-25.0 ("), "all teachers"
    assert cells[2][2].startswith("-37.5 (") and cells[2][4].startswith("+25.0 (")
    assert cells[4][2] == "" and cells[4][4].startswith("+25.0 ("), "no teacher answered greedily"


def test_each_finding_is_a_line():
    main = with_greedy(row("====", "copy"), row("==xx", "teacher", 0), row("xxxx", "teacher", 1))
    copies = with_greedy(row("==xx", "copy, not pruned, equations"),
                         row("===x", "copy, not pruned, one teacher"))
    curve = [row("===x", "", ratio=0.3, criterion=way, decoding=GREEDY)
             for way in ("greedy", "lot 0", "lot 1")]
    routed = [row("===x", "30%", decoding=GREEDY) for _ in range(2)]
    for found, way in zip(routed, ("router", "removed")):
        found["settings"]["way"] = way
    table = findings.findings_table("copy", {"rounds": main, "factorial": copies,
                                             "cross-fitting": [], "curves": curve,
                                             "inference": routed})
    lines = [line[2:-2].split(" | ") for line in table.splitlines()[2:]]
    assert [line[0].split(" − ")[0] for line in lines] == [
        "main student", "**teachers**; copies: one",
        "no training after 30% went: greedy elimination",
        "30% of the heads chosen for each problem"]
    assert lines[0][1].startswith("+75.0 (") and lines[0][1].endswith("): one model")
    assert lines[1][1] == lines[1][2] and lines[1][1].startswith("+25.0 (")
    assert lines[2][1:] == ["", "+0.0 (+0.0 to +0.0; ± 0.0): not shown", "1"]
    named = {way for pair in findings.UNTRAINED.values() for way in pair}
    assert named <= {*curves_tables.LABELS, curves_tables.LOT}


def test_teachers_that_differ_in_their_seeds_alone_show_how_often_chance_makes_a_finding():
    """Seed 0 is right at all problems of both folds, seeds 1 and 2 at half of them."""
    teachers = [row("=" * 50 + "=x"[seed > 0] * 50, "teacher", seed, fold)
                for seed in range(3) for fold in range(2)]
    words = findings.false_alarms([with_greedy(*teachers), teachers[:1]])
    # {0, 1} - 2 and {0, 2} - 1: a quarter of the problems; {1, 2} - 0: half of them
    assert words == {"shown": 6}
    alike = [row("==xx", "teacher", seed, fold) for seed in range(3) for fold in range(2)]
    assert findings.false_alarms([alike]) == {"not shown": 3}


def test_a_table_has_a_line_for_each_plan_that_was_run():
    copy = row("====", "copy", parameters_without_embeddings=8, flops=90)
    rows = [*TEACHERS, copy, copy | {"fold": 1, "verdicts": "=="}]
    lines = rounds_tables.plan_table(rows, plans.ROUNDS).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| round 1: plain teachers, one at a time | 33.3%")
    assert lines[3].startswith("| round 2: a copy, five recorded teachers | 100.0% (")
    assert lines[3].endswith(" |  | 1 × 2 folds | -20.0% | -10.0% |"), "it was not asked greedily"


def test_greedy_answers_are_compared_with_greedy_ones():
    rows = [row("xx", "teacher"), row("==", "teacher", decoding=GREEDY), row("==", "copy"),
            row("xx", "copy", decoding=GREEDY)]
    differences = ["+100.0 (+100.0 to +100.0)", "-100.0 (-100.0 to -100.0)"]
    cells = rounds_tables.against_teachers(rows, "copy", "test")
    assert cells == ["all five teachers", *differences]
    copies = [found | dict(teacher_seed=0, settings=found["settings"] | {"start": "copy"})
              for found in rows[2:]]
    cells = rounds_tables.against_teachers(rows[:2] + copies, "copy", "test")
    assert cells == ["the teacher it was", *differences]


def test_the_teachers_line_has_the_folds_of_the_others():
    rows = [*TEACHERS, row("==", "copy", fold=1)]
    line = rounds_tables.plan_table(rows, plans.ROUNDS).splitlines()[2]
    assert line.split(" | ")[1].startswith("25.0% ")


def test_a_plan_that_a_table_names_is_one_of_the_study():
    named = {*plans.ROUNDS, *plans.CONTROLS, *rounds_tables.BEFORE}
    named |= {f"copy, {pruned}, {learned}"
              for pruned in plans.PRUNED for learned in plans.LEARNED}
    pairs = [*rounds_tables.QUESTIONS.values(), *agreement_tables.PAIRS.values()]
    for _, of_question in findings.TRAINED.values():
        pairs += of_question
    named |= {plan for pair in pairs for plan in pair if plan != plans.MAIN}
    assert named <= set(students.PLANS)


def test_the_main_student_is_compared_with_what_it_was_before():
    rows = [row("==", "scratch, 30% pruned", seed) for seed in range(2)]
    rows += [row("xx", "scratch", 0), row("=x", "scratch", 1), row("=x", plans.ALONE_PRUNED)]
    greedy = [row("==", "scratch, 30% pruned", seed, decoding=GREEDY) for seed in range(2)]
    greedy += [row("=x", plan, decoding=GREEDY) for plan in ("scratch", plans.ALONE_PRUNED)]
    table = rounds_tables.questions_table(rows + greedy, "scratch, 30% pruned")
    lines = [line.split(" | ") for line in table.splitlines()[2:]]
    assert [cells[1].split()[0] for cells in lines] == ["+75.0", "+50.0"]
    half = 100 * math.hypot(12.71 / 4, over_problems([0.5, 1]))  # two seeds: 100 and 50 points
    assert lines[0][1].endswith(f"; ± {half:.1f})")
    assert lines[0][2].startswith("+50.0 ("), "greedy answers: one seed that both have"
    assert rounds_tables.questions_table(rows[:1], "scratch, 30% pruned").count("\n") == 1


def test_students_are_compared_on_the_seeds_that_both_have():
    rows = [row("==", plans.VARIED), row("==", plans.LIVE), row("xx", plans.LIVE, 1)]
    rows += [found | {"settings": found["settings"] | {"decoding": GREEDY}} for found in rows]
    lines = rounds_tables.questions_table(rows, "scratch, 30% pruned").splitlines()
    assert lines[-1].endswith(2 * "| +0.0 (+0.0 to +0.0) " + "|")


def test_the_factorial_leaves_cells_that_were_not_run_empty():
    rows = [*TEACHERS, row("====", "copy, not pruned, equations", study="factorial")]
    lines = factorial_tables.factorial_table(rows).splitlines()
    assert lines[2].startswith("| not pruned: the same extra training | +62.5 (")
    assert lines[2].endswith("|  |  |  |")
    rows.append(row("==", "copy, not pruned, one teacher", study="factorial", fold=1))
    rows.append(row("==", "copy, not pruned, equations", study="factorial", fold=1))
    cells = factorial_tables.factorial_table(rows).splitlines()[2].split(" | ")
    assert cells[1].endswith(")") and cells[2].endswith("), 1 of 2 folds")


def test_what_teachers_add_is_taken_from_copies_that_learned_alone():
    def cell(verdicts, pruned, learned, **more):
        return row(verdicts, f"copy, {pruned}, {learned}", study="factorial", **more)

    rows = [cell("==xx", "not pruned", "equations"), cell("===x", "not pruned", "five teachers"),
            cell("=xxx", "one-shot, greedy", "equations"),
            cell("====", "one-shot, greedy", "five teachers")]
    lines = [line.split(" | ") for line in factorial_tables.added_table(rows).splitlines()[2:]]
    of_five = {cells[0].strip("| "): cells[2].split(" ")[0] for cells in lines}
    assert of_five["not pruned"] == "+25.0"
    assert of_five["one-shot, greedy"] == "+75.0"
    assert of_five["all of these"] == "+50.0"
    cost = factorial_tables.effects_table(rows).splitlines()[2].split(" | ")
    assert cost[0] == "| pruned − not pruned"
    assert cost[1].startswith("-25.0 ("), "pruning cost those that learned alone"
    assert cost[3].startswith("+25.0 (") and cost[5].startswith("+0.0 (")
    # What lacks its counterpart, or a seed of it, does not count.
    rows += [cell("====", "dynamic, paper", "five teachers"),
             cell("====", "one-shot, greedy", "five teachers", seed=1)]
    again = factorial_tables.added_table(rows).splitlines()[2:]
    assert [line.split(" | ") for line in again] == lines
    lines = factorial_tables.effects_table(rows).splitlines()
    assert len(lines) == 3, "a line without a figure is left out"


def test_the_ledger_judges_by_our_own_interval():
    teacher = row("=" * 50 + "x" * 50, "teacher")
    student = row("=" * 20 + "x" * 80, "copy")
    base, best = ledger.gained_lines("ours", [student], [teacher])
    assert base[1] == "-0.7 on Math23k" and best[1] == "-0.4 on Math23k"
    assert base[2].startswith("-30.0 (") and base[-1] == "does not hold here: ours is lower"
    assert ledger.gained_lines("ours", [teacher], [teacher])[0][-1].endswith("ours is higher")
    assert ledger.possible(0.2, 0.1, "heads") == "cannot be derived from heads"
    assert ledger.possible(0.1, 0.2, "heads") == "possible"


def test_roberta_cannot_save_more_than_a_third_of_what_its_heads_lose():
    parameters, flops = ledger.roberta_shares(0.3)
    assert math.isclose(parameters, 0.1)
    assert 0.1 < flops < 0.105
