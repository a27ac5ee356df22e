"""The table of heads that are chosen for each problem, while the model answers."""
import numpy as np

from differences import shown_both_ways
from over_seeds import counted, shown_mean
from tables import markdown, select

ANSWERED = {"whole": "whole model", "removed": "the same heads removed for all problems",
        "router": "heads chosen for each problem by the router",
        "oracle": "the same by an oracle, which reads the recorded equation"}


def inference_table(rows):
    """Accuracy one problem at a time, and speeds against the whole model one problem at a time."""
    lines = []
    for plan in ("30%", "50%"):
        for way, name in ANSWERED.items():
            of_way = select(rows, plan=plan, way=way)
            if not of_way or (way == "whole" and plan != "30%"):
                continue
            choices = (sum(row["settings"]["different choices"] for row in of_way)
                       / sum(row["problems"] for row in of_way))
            removed = select(rows, plan=plan, way="removed")
            versus = shown_both_ways(of_way, removed) if way in ("router", "oracle") else ""
            lines.append(["–" if way == "whole" else plan, name, shown_mean(of_way), versus,
                          *(speed_of(of_way, select(rows, plan=plan, way="whole"), size)
                            for size in ("1", "32")),
                          f"{choices:.0%}" if way in ("router", "oracle") else ""])
    header = ["heads left out", "model", "answers right (greedy)", "against removal",
              "speed, one at a time", "speed, those of one choice together (32 at most)",
              "distinct choices / problems"]
    whole = counted(select(rows, plan="30%", way="whole"))
    return f"{markdown(header, lines)}\n\nTeachers: {whole}."


def speed_of(rows, whole, size):
    """The median over runs, in batches of `size`, against the whole model one problem at a time.

    -> a cell, empty for a way that was not timed
    """
    took = [row["settings"]["milliseconds"][size] for row in rows]
    if None in took:
        return ""
    by_whole = [row["settings"]["milliseconds"]["1"] for row in whole]
    return f"×{np.median(np.array(by_whole) / took):.2f}"
