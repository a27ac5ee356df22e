"""One line that says how far a long run is, and how long it will still take."""
import sys
import time


class Progress:
    """An updating line in a terminal, a plain line at each tenth of the steps elsewhere."""

    def __init__(self, name, steps, done=0):
        self.name = name
        self.steps = steps
        self.first = done
        self.started = time.time()
        self.last_mark = None

    def show(self, step, text):
        terminal = sys.stdout.isatty()
        mark = int(4 * time.time()) if terminal else 10 * step // self.steps
        if mark == self.last_mark and step < self.steps:
            return
        self.last_mark = mark
        seconds = (time.time() - self.started) / max(step - self.first, 1) * (self.steps - step)
        print("\r" if terminal else "", f" {self.name}: step {step}/{self.steps}  {text}  "
              f"{seconds / 60:.1f} min left ", flush=True,
              end="" if terminal and step < self.steps else "\n")
