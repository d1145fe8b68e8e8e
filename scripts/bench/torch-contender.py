"""Trains a model with PyTorch in eager mode, on one thread, as `diten bench training` asks.

The one argument is JSON: {"architecture", "loss", "inputShape", "outputs", "batch"}. Says
{"parameters": n, "version": v} when ready, and answers each line {"steps": n} on standard input
with {"seconds": s, "memoryBytes": m}.
"""

import json
import resource
import sys
import time

import torch
from torch import nn

EXAMPLES = 256


class Lstm(nn.Module):
    def __init__(self, inputs, units, outputs):
        super().__init__()
        self.lstm = nn.LSTM(inputs, units, batch_first=True)
        self.head = nn.Linear(units, outputs)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def mlp(widths):
    layers = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn(channels, hidden):
    layers, before, side = [], 1, 28
    for after in channels:
        layers += [nn.Conv2d(before, after, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
        before, side = after, side // 2
    flat = before * side * side
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )


def build(architecture):
    if architecture["kind"] == "mlp":
        return mlp(architecture["widths"])
    if architecture["kind"] == "cnn":
        return cnn(architecture["channels"], architecture["hidden"])
    return Lstm(architecture["inputs"], architecture["units"], architecture["outputs"])


def say(message):
    print(json.dumps(message), flush=True)


def main():
    task = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    model = build(task["architecture"])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs = torch.randn(EXAMPLES, *task["inputShape"])
    if task["loss"] == "cross-entropy":
        targets, loss_of = torch.randint(task["outputs"], (EXAMPLES,)), nn.CrossEntropyLoss()
    else:
        targets, loss_of = torch.randn(EXAMPLES, task["outputs"]), nn.MSELoss()
    say({"parameters": sum(p.numel() for p in model.parameters()), "version": torch.__version__})
    for line in sys.stdin:
        order = torch.randint(EXAMPLES, (json.loads(line)["steps"], task["batch"]))
        start = time.perf_counter()
        for rows in order:
            optimiser.zero_grad()
            loss_of(model(inputs[rows]), targets[rows]).backward()
            optimiser.step()
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        say({"seconds": seconds, "memoryBytes": memory})


main()
