"""What the tables' modules share: rows of result files, and cells of tables."""
from tinyprune.results import MAJORITY, NEAREST

RIGHT = "answers right (95% interval)"  # the head of a column
SETS = {"math23k": "Math23k", "asdiv-a": "ASDiv-A"}
# {what a baseline is called in the tables: the keys by which its result rows are known}
BASELINES = {f"{MAJORITY} for such numbers": {"baseline": MAJORITY},
             "equation of the nearest training text": {"baseline": NEAREST}}


def select(rows, **wanted):
    """The rows with these values; decoding, baseline and the like stand in a row's settings."""
    return [row for row in rows if wanted.items() <= (row["settings"] | row).items()]


def markdown(header, rows):
    """Lists of cells -> the text of a Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def filled(lines):
    """Without those of which no cell but the first says anything."""
    return [line for line in lines if any(line[1:])]


def mean(rows, key):
    return sum(row[key] for row in rows) / len(rows)


def against(rows, teachers, key):
    """A cost relative to the teacher's."""
    share = mean(rows, key) / mean(teachers, key) - 1
    return f"{share:+.1%}" if abs(share) > 1e-9 else "–"
