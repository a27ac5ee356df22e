"""Checks a GPU in under ten minutes: `python tests/project/gpu.py` writes lessons/results/gpu.json

It runs the tests (which use the CPU) and the lessons 01 to 10 on the sample, then compares the GPU
with the CPU, recorded training steps (tinyprune/recorded.py) with eager ones, a run with itself,
and times the steps.
"""
import argparse
import copy
import importlib.util
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import torch  # noqa: E402

from builders import batch_on  # noqa: E402
from tinyprune import recipe, scorer  # noqa: E402
from tinyprune.batching import batches  # noqa: E402
from tinyprune.distill import distillation_loss, task_loss  # noqa: E402
from tinyprune.dynamic_pruning import DynamicPruning  # noqa: E402
from tinyprune.masking import gates_for, select_heads  # noqa: E402
from tinyprune.measure import seconds_of  # noqa: E402
from tinyprune.recorded import pad_batch  # noqa: E402
from tinyprune.results import RESULTS, gather, write_findings  # noqa: E402
from tinyprune.train import Training  # noqa: E402
from tinyprune.transformer import Config, Transformer  # noqa: E402
from tinyprune.vocabulary import Vocabularies  # noqa: E402

CLOSE = 1e-3  # relative: single precision, sums in another order


# programs

def run_program(*arguments):
    """-> its exit status, how long it took, and the end of what it printed"""
    started = time.time()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    return {"status": done.returncode, "seconds": round(time.time() - started, 1),
            "end": (done.stdout + done.stderr)[-300:] if done.returncode else ""}


def tests():
    workers = ["-n", "6"] if importlib.util.find_spec("xdist") else []
    return {"tests": run_program("-m", "pytest", "-q", *workers)}


def lessons():
    found = {}
    with tempfile.TemporaryDirectory() as out:
        for path in sorted(ROOT.glob("lessons/[01][0-9]_*.py")):
            if not path.name.startswith("11"):
                found[path.stem] = run_program(str(path), "--out", out)
                print(path.stem, found[path.stem], flush=True)
    return {"lessons": found}


# values

def on_cpu(value):
    """A model, a batch or a dict of tensors, copied to the CPU."""
    if isinstance(value, dict):
        return {name: part.cpu() for name, part in value.items()}
    if isinstance(value, torch.nn.Module):
        return copy.deepcopy(value).cpu()
    return batch_on(value, "cpu")


def distance(a, b):
    """The largest difference, relative to the largest value."""
    a = torch.as_tensor(a).cpu()
    b = torch.as_tensor(b).cpu()
    return ((a - b).abs().max() / b.abs().max()).item()


def compare_with_cpu(model, batch):
    """Losses with gates, and all criteria: the GPU's values against the CPU's."""
    gates = gates_for(model, select_heads(scorer.norm_score(model, []), 0.3))
    teacher = copy.deepcopy(model)
    found = {}
    for name, loss in {"plain": lambda m, t: task_loss,
                       "distilled": lambda m, t: partial(distillation_loss, teacher=t)}.items():
        ours = loss(model, teacher)(model, batch, gates).item()
        theirs = loss(None, on_cpu(teacher))(on_cpu(model), on_cpu(batch), on_cpu(gates)).item()
        found[name] = distance(ours, theirs)
    for name, criterion in scorer.CRITERIA.items():
        ours = scorer.score_heads(model, [batch], criterion)
        theirs = scorer.score_heads(on_cpu(model), [on_cpu(batch)], criterion)
        found[name] = distance(list(ours.values()), list(theirs.values()))
    return {"gpu_against_cpu": found}


# recorded and eager steps

def training(splits, vocabularies, batch_size=32, recorded=True, distilled=False):
    """A run from the same start each time. Eager steps get the padding of recorded ones."""
    experiment = recipe.EXPERIMENTS["sample"]
    torch.manual_seed(0)
    model = Transformer(Config(len(vocabularies.source), len(vocabularies.target),
                               **experiment.model))
    pruning = None
    loss = task_loss
    if distilled:
        loss = partial(distillation_loss, teacher=copy.deepcopy(model).to("cuda"))
        cal = recipe.calibration_batches(splits.train, vocabularies, 64)
        pruning = DynamicPruning(lambda model: scorer.score_heads(model, cal), 0.3, 60, 20)
    run = Training(model, splits.train, vocabularies,
                   replace(experiment.teacher, batch_size=batch_size), loss, pruning)
    if not recorded:
        run.learn = lambda batch: run.update(pad_batch(batch))
    return run


def take(run, steps):
    """Takes steps until `steps` are done -> their losses"""
    losses = []
    while run.done < steps:
        for batch in run.batches_left():
            run.step(batch)
            if run.done == steps:
                break
        losses += run.read_losses()
    return losses


def compare_recorded(splits, vocabularies, steps=100):
    found = {}
    for name, distilled in {"plain": False, "distilled, pruned": True}.items():
        curves = []
        for recorded in (True, False, True):
            run = training(splits, vocabularies, recorded=recorded, distilled=distilled)
            curves.append(take(run, steps))
        found[name] = {"recorded_against_eager": distance(curves[0], curves[1]),
                       "recorded_again": distance(curves[0], curves[2]),
                       "loss": [round(curves[0][0], 4), round(curves[0][-1], 4)]}
    return {"recorded": found}


def compare_resumed(splits, vocabularies, steps=100):
    """A run that was stopped and goes on in another process takes the steps of the whole run."""
    whole = take(training(splits, vocabularies), steps)
    first = training(splits, vocabularies)
    losses = take(first, steps // 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        recipe.save(first.state(), path)
        second = training(splits, vocabularies)
        second.resume(path, "gpu.py")
    return {"resumed_against_whole": distance(losses + take(second, steps), whole)}


# times

def milliseconds(run, steps=100):
    """Of a training step, once all shapes are known."""
    take(run, 3 * steps)
    return round(1000 * seconds_of(partial(take, run, 4 * steps)) / steps, 2)


def step_times(splits, vocabularies):
    found = {}
    for batch_size in (32, 64, 128):
        for recorded in (True, False):
            run = training(splits, vocabularies, batch_size, recorded)
            run.steps = run.steps_per_epoch * 100  # enough of them
            name = f"batch {batch_size}, {'recorded' if recorded else 'eager'}"
            found[name] = milliseconds(run)
    return {"milliseconds_a_step": found}


def all_checks():
    splits = recipe.load("sample")
    vocabularies = Vocabularies.of(splits.train)
    model = training(splits, vocabularies).model.eval()
    batch = batches(splits.train[:32], vocabularies, 32)[0]
    yield compare_with_cpu(model, batch)
    yield compare_recorded(splits, vocabularies)
    yield compare_resumed(splits, vocabularies)
    yield step_times(splits, vocabularies)
    yield tests()
    yield lessons()


def faults(found):
    """What is not as it should be: [sentence]"""
    programs = {"tests": found["tests"], **found["lessons"]}
    wrong = [f"{name} failed" for name, program in programs.items() if program["status"]]
    wrong += [f"{name}: the GPU is {far:.1e} from the CPU"
              for name, far in found["gpu_against_cpu"].items() if far > CLOSE]
    for name, run in found["recorded"].items():
        if run["recorded_against_eager"] > CLOSE:
            wrong.append(f"{name}: recorded steps are not the eager ones")
    if found["resumed_against_whole"] > CLOSE:
        wrong.append("a resumed run is not the whole one")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no GPU here.")
    started = time.time()
    found = gather(all_checks())
    found["faults"] = faults(found)
    write_findings(args.out / "gpu.json", found, started)
    print("faults:", found["faults"] or "none")


if __name__ == "__main__":
    main()
