"""Tables of what models say: how far a student says what its teachers say, and what they know."""
from over_seeds import over_files, with_half
from plans import HIDDEN, LIVE, ROUNDS, VARIED, VARIED_ALONE
from tables import markdown

MODELS = ROUNDS | {"teacher": "another plain teacher"}
PAIRS = {
    "30% hidden: the student of live teachers − the control without a teacher": (LIVE, HIDDEN),
    "0 to 60% hidden: the same": (VARIED, VARIED_ALONE)}
MEASURES = {"train": "KL on training problems", "test": "KL on test problems",
            "same equations": "the same equation on test problems",
            "whole": "training problems right",
            "one in ten hidden": "the same, one word in ten hidden"}


def agreement_table(files):
    """How far models say what four teachers say: means over runs, with an interval over folds.

    Below it, where both models of a pair were asked, their differences.
    """
    asked = files[0]["models"]
    lines = []
    for plan, name in MODELS.items():
        if plan in asked:
            lines.append([name, *(shown_agreement(files, measure, plan) for measure in MEASURES)])
    text = f"{markdown(['model', *MEASURES.values()], lines)}\n\nModels of each line: {len(files)}."
    differences = []
    for label, pair in PAIRS.items():
        if set(pair) <= set(asked):
            cells = [shown_agreement(files, measure, *pair) for measure in MEASURES]
            differences.append([label, *cells])
    header = ["difference", *MEASURES.values()]
    return f"{text}\n\n{markdown(header, differences)}" if differences else text


def shown_agreement(files, measure, plan, minus=None):
    """A measure of a plan, or of a plan minus the same of another one: a cell"""
    in_nats = measure in ("train", "test")

    def measured(file):
        models = file["models"]
        value = models[plan][measure] - (models[minus][measure] if minus else 0)
        return value if in_nats else 100 * value

    mean, half = over_files(files, measured)
    sign = "+" if minus else ""
    if in_nats:
        return with_half(f"{mean:{sign}.3f}", half, 3)
    return with_half(f"{mean:{sign}.1f}" + ("" if minus else "%"), half, 1)


def targets_table(files):
    """What teachers say of problems that they have learned from, and of others: means over runs."""
    lines = [[name, shown_said(files, name, "best"), shown_said(files, name, "probability")]
             for name in files[0]["said"]]
    return markdown(["who is asked, and about what", "the recorded token is the best one",
                     "probability of the recorded token"], lines)


def shown_said(files, name, measure):
    mean, half = over_files(files, lambda file: 100 * file["said"][name][measure])
    return with_half(f"{mean:.1f}%", half, 1)
