"""`check` compares a student's result with the reference and, on a difference, names the mistake.

Each known mistake comes with the result that it would give. It is named only when the student's
numbers are exactly those, so that a message is evidence and never a guess. Where several mistakes
give the same numbers, all of them are named.
"""
from numbers import Number

import torch

from grader import NAMED, shortened

WORDS = {"str": "text", "int": "whole number", "float": "number", "ndarray": "NumPy array"}


def kind(x):
    """What sort of thing a result is, in a word."""
    if not isinstance(x, torch.Tensor):
        return WORDS.get(type(x).__name__, type(x).__name__)
    if x.dtype == torch.bool:
        return "tensor of True and False"
    return "tensor of floating point" if x.is_floating_point() else "tensor of whole numbers"


def same(a, b):
    """Equal in shape and, for floating point, to five digits. True is not 1.

    What Python cannot compare, such as a list and a number, is not the same.
    """
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.shape != b.shape or (torch.bool in (a.dtype, b.dtype) and a.dtype != b.dtype):
            return False
        return torch.allclose(a.double(), b.double(), rtol=1e-5, atol=1e-6, equal_nan=True)
    try:
        if isinstance(a, float) or isinstance(b, float):
            return bool(abs(a - b) <= 1e-6 + 1e-5 * abs(b))
        return bool(a == b)
    except (TypeError, ValueError, RuntimeError):  # NumPy and torch raise the last two
        return False


def of_one_kind(a, b):
    """Whether two results can differ in their values alone: any two numbers can."""
    numbers = [isinstance(x, Number) or isinstance(x, torch.Tensor) and x.numel() == 1
               for x in (a, b)]
    return all(numbers) or b is None or isinstance(a, type(b)) or isinstance(b, type(a))


def check(got, expected, what, mistakes=None):
    """Fails with `what`, both results, and the mistake that gives exactly the student's.

    mistakes: sentence -> the wrong result itself, or a function of no arguments that computes it.
    Two are never named: None, which no mistake gives, and NaN alone, which too many mistakes give.
    """
    __tracebackhide__ = True  # pytest shows the test's own line
    if same(got, expected):
        return
    fitting = []
    for sentence, wrong in (mistakes or {}).items():
        wrong = wrong() if callable(wrong) else wrong
        nothing = wrong is None or isinstance(wrong, torch.Tensor) and wrong.isnan().all()
        if not nothing and same(got, wrong):
            fitting.append(sentence)
    if fitting:
        raise AssertionError(f"{what}: {'; or: '.join(fitting)} {NAMED}")
    assert got is not None or expected is None, \
        f"{what}: your function returned nothing (None): is there a `return`?"
    kinds = kind(expected), kind(got)
    values_differ = of_one_kind(got, expected) and not isinstance(expected, torch.Tensor)
    assert kinds[0] == kinds[1] or values_differ, f"{what}: expected a {kinds[0]}, got a {kinds[1]}"
    if not isinstance(expected, torch.Tensor):
        shown_both = f"expected {shortened(expected, 200)}, got {shortened(got, 200)}"
        of_sets = {kinds[0], kinds[1]} <= {"set", "list", "tuple"}
        if of_sets and len(shown_both) > 400:
            missing = [entry for entry in expected if entry not in got]
            extra = [entry for entry in got if entry not in expected]
            shown_both = f"missing are {missing or 'none'}, too many are {extra or 'none'}"
        raise AssertionError(f"{what}: {shown_both}; no known mistake gives this")
    assert got.shape == expected.shape, \
        f"{what}: expected the shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    nan = got.isnan().sum().item() if got.is_floating_point() else 0
    assert not nan, f"{what}: {nan} of {got.numel()} values are NaN; " \
        "0 * inf, 0 / 0, or the logarithm of 0?"
    near = torch.isclose(got.double(), expected.double(), rtol=1e-5, atol=1e-6, equal_nan=True)
    first = tuple((~near).nonzero()[0].tolist())
    place = f"first differs at {first}: " if first else ""
    raise AssertionError(f"{what}: {place}expected {shown(expected[first])}, got "
                         f"{shown(got[first])}; no known mistake gives these numbers")


def shown(number):
    """A tensor of one number, or of True or False, as a text."""
    return str(number.item()) if number.dtype == torch.bool else f"{number.item():.6g}"
