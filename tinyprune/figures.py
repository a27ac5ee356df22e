"""What a lesson shows: tables and pictures as text always, and as PNG files where matplotlib is installed.

Without matplotlib every drawing function prints its text version and one line says, once, how to get the rest.
"""
import sys
import warnings

from tinyprune.data import ROOT

CHINESE_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei")

try:
    import matplotlib

    if "ipykernel" not in sys.modules:
        matplotlib.use("Agg")  # write files, open no window
    import matplotlib.pyplot as plt
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    warnings.filterwarnings("ignore", "Glyph .* missing")  # without a Chinese font its words are drawn as boxes
    plt.rcParams["font.family"] = ["DejaVu Sans", *(name for name in CHINESE_FONTS if name in installed)]
except ImportError:
    plt = None

PICTURES = ROOT / "lessons" / "pictures"
SHADES = " ░▒▓█"
_hinted = []


def heading(text):
    print(f"\n{text}\n{'-' * len(text)}")


def table(rows, header):
    """Prints aligned columns: rows of texts and numbers, the floats with three digits after the point."""
    def shown(cell):
        return f"{cell:.3f}" if isinstance(cell, float) else str(cell)

    lines = [header, *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    for line in lines:
        print("  " + "  ".join(cell.rjust(width) if place else cell.ljust(width)
                               for place, (cell, width) in enumerate(zip(line, widths))).rstrip())


def shade(value, most=1.0):
    """One character, darker for more: a value in [0, most]."""
    place = int(len(SHADES) * value / most) if most else 0
    return SHADES[min(max(place, 0), len(SHADES) - 1)]


def save_picture(name, draw, size=(7, 4), folder=None):
    """Calls draw(plt.Axes) and writes NAME.png into the folder, by default lessons/pictures/; without matplotlib it
    says, once, how to get pictures."""
    folder = folder or PICTURES
    if plt is None:
        if not _hinted:
            _hinted.append(print("  (pictures as files: pip install matplotlib)"))
        return
    figure, axes = plt.subplots(figsize=size)
    draw(axes)
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=120)
    print(f"  picture: {folder.name}/{name}.png")
    if "ipykernel" not in sys.modules:
        plt.close(figure)


def matrix(values, rows, columns, name):
    """A matrix (R, C) as a grid of shades, with a label for each row and column number."""
    most = max(max(row) for row in values)
    width = max(len(row) for row in rows)
    for label, row in zip(rows, values):
        print(f"  {label.rjust(width)} |" + "".join(2 * shade(value, most) for value in row) + "|")
    print("  " + " " * width + "  " + "".join(f"{place:<2d}" for place in range(len(columns))))
    print("  " + "  ".join(f"{place} {column}" for place, column in enumerate(columns)))

    def draw(axes):
        image = axes.imshow(values, cmap="Blues", vmin=0)
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.figure.colorbar(image)

    save_picture(name, draw, (2 + 0.3 * len(columns), 1.8 + 0.3 * len(rows)))


def curves(lines, x_label, y_label, name, marks=()):
    """Lines {label: [(x, y)]} as sparklines of one scale and as a picture; marks: [(label, x, y)], single points."""
    width = max(len(label) for label in lines)
    every = [y for points in lines.values() for _, y in points]
    low, high = min(every), max(every)
    for label, points in lines.items():
        ys = [y for _, y in points]
        bars = "".join("▁▂▃▄▅▆▇█"[int(7 * (y - low) / (high - low)) if high > low else 0] for y in ys)
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
    """Scores {(kind, layer): (N,)} as shades, a row for each layer of each kind, darker = higher within its kind."""
    rows = {f"{kind} {layer}": values.tolist() for (kind, layer), values in scores.items()}
    for kind in dict.fromkeys(kind for kind, _ in scores):
        most = max(max(values) for label, values in rows.items() if label.startswith(kind))
        for label, values in rows.items():
            if label.startswith(kind):
                print(f"  {label:10} |" + "".join(2 * shade(value, most) for value in values) + "|  "
                      + "  ".join(f"{value:.2f}" for value in values))

    def draw(axes):
        most = max(map(len, rows.values()))
        axes.imshow([values + [float("nan")] * (most - len(values)) for values in rows.values()], cmap="Blues")
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlabel("head")

    save_picture(name, draw, (5, 1.5 + 0.3 * len(rows)))
