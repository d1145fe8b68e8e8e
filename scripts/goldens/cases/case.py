"""What a golden case is made of: an ONNX operator, its operands, and PyTorch's gradients."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

TARGET_SEED = 99


def stream(count, seed):
    """shared/basics/seeded-random.ts (Mulberry32) in Python: float32 values from -1 to 1."""
    mask, counter, values = 0xFFFFFFFF, seed, []
    for _ in range(count):
        counter = (counter + 0x6D2B79F5) & mask
        mixed = (counter ^ counter >> 15) * (counter | 1) & mask
        mixed ^= mixed + ((mixed ^ mixed >> 7) * (mixed | 61) & mask) & mask
        values.append(2 * ((mixed ^ mixed >> 14) / 2**32) - 1)
    return np.asarray(values).astype(np.float32).astype(np.float64)


@dataclass
class Draw:
    """A float tensor from the stream, between two limits, whose gradient is asked for."""

    shape: list
    range: tuple = (-1, 1)

    def tensor(self, index):
        low, high = self.range
        values = low + (stream(math.prod(self.shape), 10 + index) + 1) / 2 * (high - low)
        rounded = values.astype(np.float32).astype(np.float64)
        return torch.tensor(rounded).reshape(self.shape).requires_grad_()

    def json(self):
        drawn = {"shape": self.shape}
        return drawn if self.range == (-1, 1) else {**drawn, "range": self.range}


@dataclass
class Listed:
    """A constant, as it stands; `kind` is its ONNX type, `float` that of what is drawn."""

    kind: str
    shape: list
    values: list

    def tensor(self, _):
        types = {"int64": torch.int64, "int32": torch.int32, "bool": torch.bool}
        values = torch.tensor(self.values, dtype=types.get(self.kind, torch.float64))
        return values.reshape(self.shape)

    def json(self):
        return {"shape": self.shape, self.kind: self.values}


def draw(*shape, range=(-1, 1)):
    return Draw(list(shape), range)


def listed(kind):
    def of(values, shape=None):
        return Listed(kind, [len(values)] if shape is None else list(shape), list(values))

    return of


int64s, int32s, booleans = listed("int64"), listed("int32"), listed("bool")
floats, float32s = listed("float"), listed("float32")


@dataclass
class Case:
    """One node. `opsets`: the oldest and the newest of the rule unless given; `rows`: the batch,
    where the operator looks across it."""

    operator: str
    operands: list
    attributes: dict = field(default_factory=dict)
    opsets: list | None = None
    is_float32: bool = False
    rows: int | None = None


def attribute_json(value):
    if isinstance(value, (list, tuple)):
        return {"strings" if isinstance(value[0], str) else "ints": list(value)}
    kinds = {str: "string", float: "float", int: "int"}
    return {kinds[type(value)]: value}


def numbers(tensor, digits):
    return [float(f"{x:.{digits}g}") for x in tensor.detach().flatten().tolist()]


def golden(case, functions):
    """The case as JSON, with the mean squared distance of all its outputs from the stream, and
    PyTorch's gradients of that in float64, by the place of each operand that is no constant."""
    inputs = [None if o is None else o.tensor(i) for i, o in enumerate(case.operands)]
    made = functions[case.operator](*inputs, opset=(case.opsets or [26])[-1], **case.attributes)
    outputs = made if isinstance(made, tuple) else (made,)
    row = torch.cat([y.reshape(-1) for y in outputs if y is not None])
    target = torch.tensor(stream(len(row), TARGET_SEED))
    loss = ((row - target) ** 2).mean()
    places = [i for i, x in enumerate(inputs) if x is not None and x.requires_grad]
    gradients = torch.autograd.grad(loss, [inputs[i] for i in places])
    for place, gradient in zip(places, gradients):
        assert gradient.abs().max() > 1e-3, (case, place)
    digits = 7 if case.is_float32 else 9
    return {
        "operator": case.operator,
        **({"opsets": case.opsets} if case.opsets else {}),
        **({"type": "float32"} if case.is_float32 else {}),
        **(
            {"attributes": {n: attribute_json(v) for n, v in case.attributes.items()}}
            if case.attributes
            else {}
        ),
        "inputs": [None if operand is None else operand.json() for operand in case.operands],
        "outputs": [None if y is None else list(y.shape) for y in outputs],
        **({"rows": case.rows} if case.rows else {}),
        "loss": numbers(loss, digits)[0],
        "gradients": {str(i): numbers(g, digits) for i, g in zip(places, gradients)},
    }
