"""The command line that the lessons share, and one sentence for what is no fault of the code."""
import argparse
import os
import sys
from pathlib import Path

from tinyprune import files
from tinyprune.data import DATA


def options(**extra):
    """The options that lessons share: data, fold, seed, ratio, batch, threads and out.

    extra: further options, as name=default
    In a notebook the kernel's own arguments are left alone, and the defaults count. From here on
    show_error says what went wrong with a file.
    """
    sys.excepthook = show_error
    accept_any_console()
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # torch's profiler would print its own log
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=DATA, default="sample")
    parser.add_argument("--fold", type=int, choices=range(5), default=0, help="ASDiv-A's test fold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ratio", type=float, default=0.3, help="share of the heads to remove")
    parser.add_argument("--threads", type=int, default=2,
                        help="the same number, seed and machine give the same result")
    parser.add_argument("--out", type=Path, default=files.RUNS, help="folder of result files")
    for name, default in extra.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    in_notebook = sys.argv[0].endswith("ipykernel_launcher.py")
    args = parse_with_batch(parser, [] if in_notebook else sys.argv[1:])
    if not 0 <= args.ratio <= 0.7:  # of four heads a layer one must stay: 3/4 is the end
        parser.error("--ratio must be between 0 and 0.7")
    check_seed(parser, args.seed)
    if args.threads < 1:
        parser.error("--threads must be 1 or more")
    if args.data != "asdiv-a":
        args.fold = None
    return args


def check_seed(parser, seed):
    """Ends the program unless torch's random generators can begin with this seed."""
    if not 0 <= seed < 2**31:
        parser.error("--seed must be 0 or more, and less than 2^31")


def parse_with_batch(parser, arguments=None):
    """What the parser reads, and --batch, which the lessons and the study share."""
    parser.add_argument("--batch", type=int, default=0,
                        help="problems in a training batch (default: the data set's setting); on a "
                             "GPU more cost little time. The learning rate grows with the size's "
                             "square root")
    args = parser.parse_args(arguments)
    if args.batch < 0:
        parser.error("--batch must be 1 or more")
    return args


def accept_any_console():
    """A console may know no Chinese: from here on what it cannot show is written as an escape."""
    if hasattr(sys.stdout, "reconfigure"):  # a notebook's has not, and knows all
        sys.stdout.reconfigure(errors="backslashreplace")


def show_error(kind, error, trace):
    """sys.excepthook: one sentence for files and Ctrl-C, a traceback for everything else."""
    if issubclass(kind, KeyboardInterrupt):
        print("\nstopped: the same command goes on where it was", file=sys.stderr)
    elif issubclass(kind, files.FileError):
        print(f"\n{error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
