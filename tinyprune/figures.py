"""What a lesson shows: tables and pictures, as text and, with matplotlib, as PNG files.

Without matplotlib every drawing function prints its text version, and one line says, once, how to
get the rest.
"""
import functools
import logging
import sys
import warnings
from itertools import zip_longest
from math import nan

from tinyprune.files import ROOT

PICTURES = ROOT / "lessons" / "pictures"
SHADES = " ░▒▓█"
BARS = "▁▂▃▄▅▆▇█"
FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC",
         "WenQuanYi Zen Hei"]  # the first that has a character draws it


@functools.cache
def pyplot():
    """matplotlib.pyplot, ready to draw; None, after a hint, where matplotlib is not installed."""
    try:
        import matplotlib
        if "ipykernel" not in sys.modules:
            matplotlib.use("Agg")  # write files, open no window
        import matplotlib.pyplot as plt
    except ImportError:
        print("  (pictures as files: pip install matplotlib)")
        return None
    plt.rcParams["font.family"] = FONTS
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # of fonts not installed
    warnings.filterwarnings("ignore", "Glyph .* missing")  # without one of them words become boxes
    return plt


def heading(text):
    print(f"\n{text}\n{'-' * len(text)}")


def table(rows, header):
    """Prints aligned columns: rows of texts and numbers, floats with three decimals."""
    lines = [header]
    for row in rows:
        lines.append([f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row])
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        cells = list(map(str.rjust, line, widths))
        cells[0] = line[0].ljust(widths[0])
        print("  " + "  ".join(cells).rstrip())


def shades(values, maximum):
    """Two characters for each value in [0, maximum], darker for more."""
    levels = [int(len(SHADES) * value / maximum) if maximum else 0 for value in values]
    return "".join(2 * SHADES[min(max(level, 0), len(SHADES) - 1)] for level in levels)


def save_picture(name, draw, size=(7, 4), folder=None):
    """Calls draw(plt.Axes) and writes NAME.png into the folder, by default lessons/pictures/."""
    plt = pyplot()
    if plt is None:
        return
    folder = folder or PICTURES
    figure, axes = plt.subplots(figsize=size)
    draw(axes)
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=120)
    print(f"  picture: {folder.name}/{name}.png")
    if "ipykernel" not in sys.modules:
        plt.close(figure)


def matrix(values, rows, columns, name):
    """A matrix (R, C) as a grid of shades: a label for each row, a number for each column."""
    maximum = max(map(max, values))
    width = max(map(len, rows))
    for label, row in zip(rows, values):
        print(f"  {label.rjust(width)} |{shades(row, maximum)}|")
    print(" " * (width + 4) + "".join(f"{number:<2d}" for number in range(len(columns))))
    print("  " + "  ".join(f"{number} {column}" for number, column in enumerate(columns)))

    def draw(axes):
        image = axes.imshow(values, cmap="Blues", vmin=0)
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.figure.colorbar(image)

    save_picture(name, draw, (2 + 0.3 * len(columns), 1.8 + 0.3 * len(rows)))


def curves(lines, x_label, y_label, name):
    """Lines {label: [(x, y)]} as sparklines of one scale and as a picture."""
    width = max(map(len, lines))
    every = [y for points in lines.values() for _, y in points]
    low = min(every)
    span = max(every) - low or 1
    for label, points in lines.items():
        ys = [y for _, y in points]
        bars = "".join(BARS[int(7 * (y - low) / span)] for y in ys)
        print(f"  {label.ljust(width)}  {bars}  {ys[0]:.3g} … {ys[-1]:.3g}")

    def draw(axes):
        for label, points in lines.items():
            axes.plot(*zip(*points), marker=".", label=label)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.legend()
        axes.grid(alpha=0.3)

    save_picture(name, draw)


def head_map(scores, name):
    """Scores {Head: float} as shades, a row for each layer of each kind.

    Darker = higher within its kind of attention.
    """
    rows = {}
    for head, score in scores.items():
        rows.setdefault(f"{head.kind} {head.layer}", []).append(score)
    for label, values in rows.items():
        kind = label.split()[0]
        maximum = max(score for head, score in scores.items() if head.kind == kind)
        figures = "  ".join(f"{value:.2f}" for value in values)
        print(f"  {label:10} |{shades(values, maximum)}|  {figures}")

    def draw(axes):
        axes.imshow(list(zip_longest(*zip_longest(*rows.values(), fillvalue=nan))), cmap="Blues")
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlabel("head")

    save_picture(name, draw, (5, 1.5 + 0.3 * len(rows)))
