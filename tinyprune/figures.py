"""What a lesson shows: tables and pictures as text always, and as PNG files where matplotlib is there.

Without matplotlib every drawing function prints its text version, and one line says, once, how to
get the rest.
"""
import functools
import sys
import warnings

from tinyprune.files import ROOT

PICTURES = ROOT / "lessons" / "pictures"
SHADES = " ░▒▓█"
BARS = "▁▂▃▄▅▆▇█"
CHINESE_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC",
                 "WenQuanYi Zen Hei")


@functools.cache
def pyplot():
    """matplotlib.pyplot, ready to draw; None, after a hint, where matplotlib is not installed."""
    try:
        import matplotlib
        if "ipykernel" not in sys.modules:
            matplotlib.use("Agg")  # write files, open no window
        import matplotlib.pyplot as plt
        from matplotlib import font_manager
    except ImportError:
        print("  (pictures as files: pip install matplotlib)")
        return None
    installed = {font.name for font in font_manager.fontManager.ttflist}
    chinese = [name for name in CHINESE_FONTS if name in installed]
    plt.rcParams["font.family"] = ["DejaVu Sans", *chinese]
    warnings.filterwarnings("ignore", "Glyph .* missing")  # without such a font words become boxes
    return plt


def heading(text):
    print(f"\n{text}\n{'-' * len(text)}")


def table(rows, header):
    """Prints aligned columns: rows of texts and numbers, floats with three digits after the point."""
    lines = [header]
    for row in rows:
        lines.append([f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row])
    widths = [max(map(len, column)) for column in zip(*lines)]
    for first, *others in lines:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:])]
        print("  " + "  ".join(cells).rstrip())


def shade(value, maximum=1.0):
    """One character, darker for more: a value in [0, maximum]."""
    level = int(len(SHADES) * value / maximum) if maximum else 0
    return SHADES[min(max(level, 0), len(SHADES) - 1)]


def shades(values, maximum):
    return "".join(2 * shade(value, maximum) for value in values)


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
    """A matrix (R, C) as a grid of shades, with a label for each row and a number for each column."""
    maximum = max(map(max, values))
    width = max(map(len, rows))
    for label, row in zip(rows, values):
        print(f"  {label.rjust(width)} |{shades(row, maximum)}|")
    numbers = range(len(columns))
    print("  " + " " * width + "  " + "".join(f"{number:<2d}" for number in numbers))
    print("  " + "  ".join(f"{number} {column}" for number, column in zip(numbers, columns)))

    def draw(axes):
        image = axes.imshow(values, cmap="Blues", vmin=0)
        axes.set_xticks(numbers, columns, rotation=60, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.figure.colorbar(image)

    save_picture(name, draw, (2 + 0.3 * len(columns), 1.8 + 0.3 * len(rows)))


def curves(lines, x_label, y_label, name, marks=()):
    """Lines {label: [(x, y)]} as sparklines of one scale and as a picture.

    marks: [(label, x, y)], single points of the picture
    """
    width = max(map(len, lines))
    every = [y for points in lines.values() for _, y in points]
    low = min(every)
    span = max(every) - low
    for label, points in lines.items():
        ys = [y for _, y in points]
        bars = "".join(BARS[int(7 * (y - low) / span) if span else 0] for y in ys)
        print(f"  {label.ljust(width)}  {bars}  {ys[0]:.3g} … {ys[-1]:.3g}")

    def draw(axes):
        for label, points in lines.items():
            axes.plot(*zip(*points), marker=".", label=label)
        for label, x, y in marks:
            axes.plot([x], [y], marker="*", markersize=12, linestyle="none", label=label)
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
    maxima = {}
    for head, score in scores.items():
        rows.setdefault((head.kind, head.layer), []).append(score)
        maxima[head.kind] = max(score, maxima.get(head.kind, score))
    for (kind, layer), values in rows.items():
        figures = "  ".join(f"{value:.2f}" for value in values)
        print(f"  {kind} {layer}".ljust(12) + f" |{shades(values, maxima[kind])}|  {figures}")

    def draw(axes):
        longest = max(map(len, rows.values()))
        gap = float("nan")
        filled = [values + [gap] * (longest - len(values)) for values in rows.values()]
        axes.imshow(filled, cmap="Blues")
        axes.set_yticks(range(len(rows)), [f"{kind} {layer}" for kind, layer in rows])
        axes.set_xlabel("head")

    save_picture(name, draw, (5, 1.5 + 0.3 * len(rows)))
