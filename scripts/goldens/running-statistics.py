"""Trains residual-batch of models.py in PyTorch, float64, batch normalisation in training mode.

    pip install torch onnx onnxscript
    python scripts/goldens/running-statistics.py shared/training/goldens
    npx biome format --write shared/training/goldens

Writes running-statistics.json: ten examples, the rows of each step (the last one is short), and
what PyTorch has after each step: the loss before it, all parameters, and the running statistics.
PyTorch's running variance is of the unbiased variance of each batch.
"""

import json
import pathlib
import sys

import onnx
import torch
from models import Residual, packed
from torch.nn import functional as F

ROWS = [[7, 2, 9, 0], [1, 3, 8, 5], [9, 8, 1, 2], [6, 4]]
RATE = 0.1


def main(folder):
    proto = onnx.load(folder / "models" / "residual-batch.onnx")
    model = Residual().train()
    values = {t.name: torch.tensor(onnx.numpy_helper.to_array(t)) for t in proto.graph.initializer}
    model.load_state_dict(values, strict=False)
    model = model.double()
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(10, 2, 4, 5, generator=generator) * 2 - 1
    target = torch.rand(10, 2, generator=generator) * 2 - 1
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    steps = []
    for rows in ROWS:
        optimiser.zero_grad()
        loss = F.mse_loss(model(x[rows].double()), target[rows].double())
        loss.backward()
        optimiser.step()
        values = list(model.named_parameters()) + list(model.named_buffers())
        kept = {name: value.detach() for name, value in values if value.is_floating_point()}
        steps.append(
            {"rows": rows, "loss": loss.item(), "state": {n: packed(v) for n, v in kept.items()}}
        )
    text = {"rate": RATE, "x": packed(x), "target": packed(target), "steps": steps}
    (folder / "running-statistics.json").write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
