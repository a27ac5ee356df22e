"""What make_tables.py and study_tables.py share: rows of result files, and cells of tables."""
import numpy as np

from tinyprune.results import bootstrap_interval, is_correct

SETS = {"math23k": "Math23k", "asdiv-a": "ASDiv-A"}


def select(rows, **wanted):
    """The rows with these values; decoding, baseline and the like stand in a row's settings."""
    return [row for row in rows if wanted.items() <= (row["settings"] | row).items()]


def markdown(header, rows):
    """Lists of cells -> the text of a Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def mean(rows, key):
    return sum(row[key] for row in rows) / len(rows)


def accuracy(rows, keep=lambda row: slice(None)):
    """Answers right: the mean of the files, and an interval over all their problems.

    keep: row -> the positions of the problems to count
    """
    correct = [is_correct(row["verdicts"])[keep(row)] for row in rows]
    low, high = bootstrap_interval(np.concatenate(correct))
    return f"{np.mean([part.mean() for part in correct]):.1%} ({low:.1%} to {high:.1%})"


def difference(rows, others):
    """In points, with a paired interval: rows and others are of the same problems, file by file."""
    pairs = zip(rows, others)
    differences = [is_correct(a["verdicts"]) - is_correct(b["verdicts"]) for a, b in pairs]
    low, high = bootstrap_interval(np.concatenate(differences))
    middle = np.mean([part.mean() for part in differences])
    return f"{100 * middle:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def against(rows, teachers, key):
    """A cost relative to the teacher's."""
    share = mean(rows, key) / mean(teachers, key) - 1
    return f"{share:+.1%}" if abs(share) > 1e-9 else "–"
