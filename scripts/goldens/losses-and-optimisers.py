"""Writes what PyTorch makes of small losses, optimisers and clippings, as JSON.

    python scripts/goldens/losses-and-optimisers.py > shared/training/goldens/losses-and-optimisers.json

followed by `npx biome format --write` on that file. Any PyTorch from 2.0 on; the numbers do not
depend on its version beyond their last digits.
"""

import json
import math

import torch
from torch.nn import functional as F

SHAPES = {"a": [2, 3], "b": [4]}
STEPS = 6
RATES = [0.1, 0.1, 0.05, 0.05, 0.02, 0.02]


def wave(count, phase):
    """Values in all of [-2, 2] that two languages agree on."""
    return torch.tensor(
        [2 * math.sin(1.7 * i + phase) for i in range(count)], dtype=torch.float32
    )


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def gradients(step):
    return {
        name: wave(math.prod(shape), 10 * step + index).reshape(shape)
        for index, (name, shape) in enumerate(SHAPES.items(), 1)
    }


def start():
    return {
        name: wave(math.prod(shape), index).reshape(shape).requires_grad_()
        for index, (name, shape) in enumerate(SHAPES.items(), 100)
    }


def optimised(make):
    parameters = start()
    optimiser = make(list(parameters.values()))
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATES[step]
        for name, gradient in gradients(step).items():
            parameters[name].grad = gradient
        optimiser.step()
    return {name: numbers(value) for name, value in parameters.items()}


def clipped(clip):
    parameters = start()
    for name, gradient in gradients(0).items():
        parameters[name].grad = gradient
    clip(parameters.values())
    return {name: numbers(value.grad) for name, value in parameters.items()}


def loss(function, shape, target):
    prediction = wave(math.prod(shape), 3).reshape(shape).requires_grad_()
    value = function(prediction, target)
    value.backward()
    return {
        "shape": shape,
        "prediction": numbers(prediction),
        "target": numbers(target),
        "loss": numbers(value)[0],
        "gradient": numbers(prediction.grad),
    }


def shares(shape):
    return torch.softmax(wave(math.prod(shape), 5).reshape(shape), 1)


optim = torch.optim
golden = {
    "start": {name: numbers(value) for name, value in start().items()},
    "shapes": SHAPES,
    "rates": RATES,
    "gradients": [
        {name: numbers(value) for name, value in gradients(step).items()} for step in range(STEPS)
    ],
    "optimisers": [
        [{"kind": "sgd"}, optimised(lambda p: optim.SGD(p))],
        [
            {"kind": "sgd", "weightDecay": 0.1},
            optimised(lambda p: optim.SGD(p, weight_decay=0.1)),
        ],
        [{"kind": "momentum"}, optimised(lambda p: optim.SGD(p, momentum=0.9))],
        [
            {"kind": "momentum", "momentum": 0.7, "weightDecay": 0.1},
            optimised(lambda p: optim.SGD(p, momentum=0.7, weight_decay=0.1)),
        ],
        [
            {"kind": "nesterov", "weightDecay": 0.1},
            optimised(lambda p: optim.SGD(p, momentum=0.9, nesterov=True, weight_decay=0.1)),
        ],
        [{"kind": "adam"}, optimised(lambda p: optim.Adam(p))],
        [
            {"kind": "adam", "beta1": 0.8, "beta2": 0.95, "epsilon": 0.01, "weightDecay": 0.1},
            optimised(lambda p: optim.Adam(p, betas=(0.8, 0.95), eps=0.01, weight_decay=0.1)),
        ],
        [{"kind": "adamw"}, optimised(lambda p: optim.AdamW(p))],
        [
            {"kind": "adamw", "weightDecay": 0.5},
            optimised(lambda p: optim.AdamW(p, weight_decay=0.5)),
        ],
    ],
    "clippings": [
        [
            {"kind": "norm", "max": 1.5},
            clipped(lambda p: torch.nn.utils.clip_grad_norm_(p, 1.5)),
        ],
        [
            {"kind": "norm", "max": 100},
            clipped(lambda p: torch.nn.utils.clip_grad_norm_(p, 100)),
        ],
        [
            {"kind": "value", "max": 0.5},
            clipped(lambda p: torch.nn.utils.clip_grad_value_(p, 0.5)),
        ],
    ],
    "losses": [
        [{"kind": "mse"}, loss(F.mse_loss, [3, 4], wave(12, 9).reshape(3, 4))],
        [
            {"kind": "huber", "delta": 0.7},
            loss(lambda x, t: F.huber_loss(x, t, delta=0.7), [3, 4], wave(12, 9).reshape(3, 4)),
        ],
        [
            {"kind": "cross-entropy"},
            loss(F.cross_entropy, [3, 4], torch.tensor([2, 0, 3])),
        ],
        [
            {"kind": "cross-entropy"},
            loss(F.cross_entropy, [2, 3, 2, 2], torch.tensor([[[2, 0], [1, 1]], [[0, 2], [2, 1]]])),
        ],
        [
            {"kind": "cross-entropy", "target": "probabilities"},
            loss(F.cross_entropy, [2, 3, 2], shares([2, 3, 2])),
        ],
        [
            {"kind": "binary-cross-entropy"},
            loss(F.binary_cross_entropy_with_logits, [3, 2], shares([3, 2])),
        ],
    ],
}
print(json.dumps(golden, separators=(",", ":")))
