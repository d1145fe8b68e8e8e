"""Arithmetic, elementary functions and activations, element by element."""

import functools
import operator

import torch
from torch.nn import functional as F

from .case import Case, booleans, draw, floats, int64s

FLOAT32, FLOAT64 = 1, 11


def of_one(function):
    return lambda x, *, opset, **attributes: function(x, **attributes)


def of_many(function):
    return lambda *values, opset: function(values)


def stacked(reduce):
    return of_many(lambda values: reduce(torch.stack(torch.broadcast_tensors(*values))))


def clip(x, low=None, high=None, *, opset):
    return x.clone() if low is high is None else torch.clamp(x, low, high)


def hard_sigmoid(x, alpha=0.2, beta=0.5):
    return torch.clamp(alpha * x + beta, 0, 1)


def selu(x, alpha=None, gamma=1.0507009873554805):
    return F.selu(x) if alpha is None else gamma * F.elu(x, alpha)


def p_relu(x, slope, *, opset):
    return torch.where(x > 0, x, slope * x)


FUNCTIONS = {
    "Add": of_many(lambda v: v[0] + v[1]),
    "Sub": of_many(lambda v: v[0] - v[1]),
    "Mul": of_many(lambda v: v[0] * v[1]),
    "Div": of_many(lambda v: v[0] / v[1]),
    "Pow": of_many(lambda v: torch.pow(v[0], v[1])),
    "Sum": of_many(lambda v: functools.reduce(operator.add, v)),
    "Mean": stacked(lambda values: values.mean(0)),
    "Max": stacked(lambda values: values.amax(0)),
    "Min": stacked(lambda values: values.amin(0)),
    "Where": of_many(lambda v: torch.where(*v)),
    "Sin": of_one(torch.sin),
    "Cos": of_one(torch.cos),
    "Tan": of_one(torch.tan),
    "Asin": of_one(torch.asin),
    "Acos": of_one(torch.acos),
    "Atan": of_one(torch.atan),
    "Sinh": of_one(torch.sinh),
    "Cosh": of_one(torch.cosh),
    "Tanh": of_one(torch.tanh),
    "Asinh": of_one(torch.asinh),
    "Acosh": of_one(torch.acosh),
    "Atanh": of_one(torch.atanh),
    "Log": of_one(torch.log),
    "Exp": of_one(torch.exp),
    "Sqrt": of_one(torch.sqrt),
    "Erf": of_one(torch.erf),
    "Abs": of_one(torch.abs),
    "Reciprocal": of_one(torch.reciprocal),
    "Neg": of_one(torch.neg),
    "Identity": of_one(torch.clone),
    # To the type it has: the graph trains in one.
    "Cast": of_one(lambda x, to: x.clone()),
    "CastLike": of_many(lambda v: v[0].clone()),
    "Clip": clip,
    "Relu": of_one(F.relu),
    "LeakyRelu": of_one(lambda x, alpha=0.01: F.leaky_relu(x, alpha)),
    "PRelu": p_relu,
    "ThresholdedRelu": of_one(lambda x, alpha=1.0: F.threshold(x, alpha, 0)),
    "Elu": of_one(lambda x, alpha=1.0: F.elu(x, alpha)),
    "Selu": of_one(selu),
    "Celu": of_one(lambda x, alpha=1.0: F.celu(x, alpha)),
    "Sigmoid": of_one(torch.sigmoid),
    "HardSigmoid": of_one(hard_sigmoid),
    "HardSwish": of_one(F.hardswish),
    "Softplus": of_one(F.softplus),
    "Softsign": of_one(F.softsign),
    "Mish": of_one(F.mish),
    "Gelu": of_one(F.gelu),
}

# The runtime has these in float32 only.
SINGLE = {
    *("Mean", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Erf"),
    *("LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish"),
    *("Softplus", "Softsign", "Mish", "Gelu"),
}


def case(name, *operands, opsets=None, **attributes):
    return Case(name, list(operands), attributes, opsets, name in SINGLE)


def arithmetic():
    pairs = [([3, 4], [3, 4]), ([3, 4], [4]), ([3, 1], [2, 3, 4]), ([3, 1], [1, 4])]
    for name in ["Add", "Sub", "Mul", "Div", "Pow", "Sum", "Mean", "Max", "Min"]:
        range = (0.5, 2) if name in ("Div", "Pow") else (-1, 1)
        for a, b in pairs:
            yield case(name, draw(*a, range=range), draw(*b, range=range))
    for name in ["Sum", "Mean", "Max", "Min"]:
        yield case(name, draw(3, 4), draw(4), draw(2, 3, 1))
    for exponent in [floats([2.0], []), floats([3.0], []), floats([-1.5], []), int64s([3], [])]:
        yield case("Pow", draw(3, 4, range=(0.5, 2)), exponent)
    yield case("Where", booleans([1, 0, 1]), draw(2, 3), draw(1))
    yield case("Where", booleans([1, 0], [2, 1]), draw(3), draw(2, 3))


def functions():
    ranges = {
        **dict.fromkeys(["Log", "Sqrt", "Reciprocal"], (0.25, 2)),
        **dict.fromkeys(["Asin", "Acos", "Atanh"], (-0.75, 0.75)),
        "Acosh": (1.5, 3),
    }
    names = ["Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh"]
    names += ["Atanh", "Log", "Exp", "Sqrt", "Erf", "Abs", "Reciprocal", "Neg", "Identity"]
    for name in names:
        yield case(name, draw(3, 4, range=ranges.get(name, (-2, 2))))
    yield case("Cast", draw(3, 4), to=FLOAT64)
    yield Case("Cast", [draw(3, 4)], {"to": FLOAT32}, None, True)
    yield case("CastLike", draw(3, 4), floats([0.0], []))
    low, high = draw(range=(-0.5, -0.25)), draw(range=(0.25, 0.5))
    for limits in [[low, high], [None, high], [low], []]:
        yield case("Clip", draw(3, 5), *limits)


def activations():
    wide = draw(3, 4, range=(-4, 4))
    for name in ["Relu", "Sigmoid", "HardSwish", "Softplus", "Softsign", "Mish"]:
        yield case(name, wide)
    alphas = {"LeakyRelu": 0.375, "Elu": 0.75, "Celu": 0.75, "Selu": 1.25, "ThresholdedRelu": 0.5}
    for name, alpha in alphas.items():
        yield case(name, wide)
        yield case(name, wide, alpha=alpha)
    yield case("Selu", wide, alpha=1.25, gamma=0.75)
    yield case("HardSigmoid", wide)
    yield case("HardSigmoid", wide, alpha=0.5, beta=0.375)
    for approximate in ["none", "tanh"]:
        yield case("Gelu", wide, approximate=approximate)
    for slope in [[4], [3, 1], [1], [3, 4]]:
        yield case("PRelu", wide, draw(*slope))


CASES = [*arithmetic(), *functions(), *activations()]
