"""What a pruned model costs: parameters, FLOPs, and measured time, against the ratio."""
from curves import RATIOS
from runs import Run, folds_of, teacher_of
from tinyprune.batching import batches
from tinyprune.masking import remove_heads, select_heads
from tinyprune.measure import costs_of, latencies
from tinyprune.rivals import random_score

BATCHES = {1: 64, 128: 512}  # {problems in a batch: problems that are timed}


def costs(data):
    return [Run("costs", data, list(folds_of(data))[0], "lot", seed) for seed in range(3)]


def execute(run):
    """Heads drawn by lot are removed: which ones, hardly counts here.

    -> {"ratios", "parameters", "flops", "seconds, batch 1", …}: a number for each ratio
    """
    splits = run.splits()
    teacher, vocabularies = teacher_of(run, splits, run.seed)
    scores = random_score(teacher, [], seed=run.seed)
    models = {ratio: remove_heads(teacher, select_heads(scores, ratio)) for ratio in RATIOS}
    problems = [problem for problem in splits.test if vocabularies.can_write(problem)]
    counted = [costs_of(model, problems) for model in models.values()]
    found = {"study": run.study, "data": run.data, "fold": run.fold,
             "seed": run.seed, "ratios": RATIOS,
             "parameters": [cost["parameters_without_embeddings"] for cost in counted],
             "flops": [cost["flops"] for cost in counted]}
    for size, timed in BATCHES.items():
        asked = batches(problems[:timed], vocabularies, size)
        found[f"seconds, batch {size}"] = list(latencies(models, asked).values())
    return found
