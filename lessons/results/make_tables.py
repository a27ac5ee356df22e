"""Makes every table of the project from the result files beside this script.

`python lessons/results/make_tables.py` writes the tables into this folder's README.md, study.md and
heads.md, the summary into the project's README.md, and the assignments and their proof into
lessons/course's, between the marks <!-- table NAME --> and <!-- end -->. It also draws this
folder's pictures. No figure of a table is typed by hand.
"""
from check_tables import assignments_table, course_table, draw_cost, speed_table, trust_table
from ledger import ledger_table
from study_tables import draw_study, read_curves, study_tables
from tables import SETS, select
from teacher_tables import failures_table, ingredients_table, teacher_table
from tinyprune.figures import save_picture
from tinyprune.files import ROOT, read_json, write_text
from tinyprune.results import RESULTS, read_rows
from whole_method_tables import (
    draw_accuracy,
    reliability_table,
    shipped_table,
    summary_table,
    whole_method_table,
)


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
             ROOT / "lessons" / "course" / "README.md": {
                 "proof": course_table(course), "assignments": assignments_table()}}
    pages |= {RESULTS / page: tables for page, tables in study_tables(rounds, curves).items()}
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
