"""What no score of a head can know: how scores move with the calibration problems, and what pairs
of heads do together.
"""
import itertools

from runs import CHOICES, Run, folds_of, teacher_of
from tinyprune import recipe
from tinyprune.masking import gates_for
from tinyprune.rivals import mean_loss
from tinyprune.scorer import score_heads

SIZES = (32, 64, 128, 256)  # calibration problems
DRAWS = 3  # of calibration problems
ASKED_AGAIN = ("paper", "entropy", "gradient", "activation", "leave-one-out")


def criteria(data):
    return [Run("criteria", data, fold, "scores", seed)
            for seed in range(3) for fold in folds_of(data)]


def execute(run):
    """-> {"heads", "leave-one-out", "calibration", "loss", "pairs"}"""
    splits = run.splits()
    teacher, vocabularies = teacher_of(run, splits, run.seed)

    def drawn(size, seed):
        return recipe.calibration_batches(splits.train, vocabularies, size, seed)

    def scores(criterion, batches):
        return list(score_heads(teacher, batches, CHOICES[criterion]).values())

    whole = drawn(SIZES[-1], 0)
    heads = teacher.heads()
    pairs = [mean_loss(teacher, whole, gates_for(teacher, pair)).item()
             for pair in itertools.combinations(heads, 2)]
    calibration = []
    for size, draw in itertools.product(SIZES, range(DRAWS)):
        problems = drawn(size, draw)
        for name in ASKED_AGAIN:
            calibration.append({"size": size, "draw": draw, "criterion": name,
                                "scores": scores(name, problems)})
    return {"study": run.study, "data": run.data, "fold": run.fold, "seed": run.seed,
            "heads": [list(head) for head in heads],
            "leave-one-out": scores("leave-one-out", whole),
            "calibration": calibration, "loss": mean_loss(teacher, whole).item(), "pairs": pairs}
