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


def beside(drawings):
    """Prints drawings {title: [line]} side by side, each under its title."""
    columns = []
    for title, lines in drawings.items():
        width = max(map(len, [title, *lines]))
        columns.append([line.ljust(width) for line in [title, *lines]])
    blanks = [" " * len(column[0]) for column in columns]
    for row in zip_longest(*columns):
        cells = [cell or blank for cell, blank in zip(row, blanks)]
        print(f"  {'    '.join(cells)}".rstrip())


def marked(rows, columns, own_rows=None, own_columns=None):
    """Draws a matrix as lines of text: # where its row and its column are own ones, else a dot.

    None: all rows, or all columns, are own ones
    """
    own_rows = range(rows) if own_rows is None else own_rows
    own_columns = range(columns) if own_columns is None else own_columns
    lines = []
    for row in range(rows):
        cells = ["#" if row in own_rows and column in own_columns else "."
                 for column in range(columns)]
        lines.append(" ".join(cells))
    return lines


def save_picture(name, draw, size=(7, 4), folder=None, title=""):
    """Calls draw(plt.Axes) and writes NAME.png into the folder, by default lessons/pictures/."""
    plt = pyplot()
    if plt is None:
        return
    folder = folder or PICTURES
    figure, axes = plt.subplots(figsize=size)
    draw(axes)
    if title:
        axes.set_title(title, fontsize="medium")
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=120)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    print(f"  picture: {shown.as_posix()}")
    if "ipykernel" not in sys.modules:
        plt.close(figure)


def show_legend(axes):
    """Names the lines beside the picture, where they cannot hide a point."""
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def matrix(values, rows, columns, name, title=""):
    """A matrix (R, C) as a grid of shades: a label for each row, a number for each column."""
    maximum = max(map(max, values))
    width = max(map(len, rows))
    for label, row in zip(rows, values):
        print(f"  {label.rjust(width)} |{shades(row, maximum)}|")
    ruler = " " * (width + 4)
    if len(columns) > 10:
        print(ruler + "".join(f"{tens:<20d}" for tens in range(1 + len(columns) // 10)))
    print(ruler + "".join(f"{number % 10} " for number in range(len(columns))))
    print("  " + "  ".join(f"{number}: {column}" for number, column in enumerate(columns)))

    def draw(axes):
        image = axes.imshow(values, cmap="Blues", vmin=0)
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.figure.colorbar(image)

    save_picture(name, draw, (2 + 0.3 * len(columns), 1.8 + 0.3 * len(rows)), title=title)


def curves(lines, x_label, y_label, name, title=""):
    """Lines {label: [(x, y)]} as sparklines of one scale and as a picture."""
    width = max(map(len, lines))
    every = [y for points in lines.values() for _, y in points]
    low = min(every)
    span = max(every) - low or 1
    for label, points in lines.items():
        ys = [y for _, y in points]
        bars = "".join(BARS[int(7 * (y - low) / span)] for y in ys)
        last = f" … {ys[-1]:.3g}" if len(ys) > 1 else ""
        print(f"  {label.ljust(width)}  {bars}  {ys[0]:.3g}{last}")

    def draw(axes):
        for label, points in lines.items():
            axes.plot(*zip(*points), marker=".", label=label)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        show_legend(axes)
        axes.grid(alpha=0.3)

    save_picture(name, draw, title=title)


def scatter(groups, x_label, y_label, name, title="", diagonal=False):
    """Points {label: [(x, y)]} as a picture only: print their table beside it.

    diagonal: draw the line where y = x
    """
    def draw(axes):
        for label, points in groups.items():
            axes.plot(*zip(*points), "o", label=label)
        if diagonal:
            axes.axline((0, 0), slope=1, color="grey", linestyle="--", label="y = x")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        show_legend(axes)
        axes.grid(alpha=0.3)

    save_picture(name, draw, title=title)


def head_map(scores, name, pruned=(), title=""):
    """Scores {Head: float} as shades of one scale, a row for each layer of each kind.

    Darker = higher. pruned: the Heads that are marked with x
    """
    rows = {}
    texts = {}
    for head, score in scores.items():
        label = f"{head.kind} {head.layer}"
        rows.setdefault(label, []).append(score)
        texts.setdefault(label, []).append(f"{score:.2f}{'x' if head in pruned else ' '}")
    maximum = max(scores.values())
    for label, values in rows.items():
        numbers = "  ".join(texts[label])
        print(f"  {label:10} |{shades(values, maximum)}|  {numbers}".rstrip())

    def draw(axes):
        grid = list(zip_longest(*zip_longest(*rows.values(), fillvalue=nan)))
        image = axes.imshow(grid, cmap="Blues", vmin=0)
        for y, (label, values) in enumerate(rows.items()):
            for x, score in enumerate(values):
                color = "white" if score > 0.6 * maximum else "black"
                axes.text(x, y, texts[label][x], ha="center", va="center", color=color,
                          fontsize="small")
        axes.set_xticks(range(len(grid[0])))
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlabel("head")
        axes.figure.colorbar(image, label="score")

    save_picture(name, draw, (5, 1.5 + 0.4 * len(rows)), title=title)
