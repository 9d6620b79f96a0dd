"""The rival of crossover.ts: steps of PyTorch's nn.EmbeddingBag with sparse gradients and SGD, on one thread.

Commands on standard input, a line each, answered by a line of JSON: `load FILE BATCH` takes batches of ids, `time MS` times steps.
"""

import json
import sys
import time

import numpy as np
import torch

torch.set_num_threads(1)
torch.manual_seed(0)
rows, dim = int(sys.argv[1]), int(sys.argv[2])
bag = torch.nn.EmbeddingBag(rows, dim, mode="sum", sparse=True)
optimizer = torch.optim.SGD(bag.parameters(), lr=1e-6)
batches, offsets, gradient, turn = [], None, None, 0


def step():
    global turn
    optimizer.zero_grad(set_to_none=True)
    bag(batches[turn % len(batches)], offsets).backward(gradient)
    optimizer.step()
    turn += 1


def timed(budget):
    warm = time.perf_counter() + budget / 4
    step()
    while time.perf_counter() < warm:
        step()
    walls, cpu, start = [], time.process_time(), time.perf_counter()
    last = start
    while last - start < budget or len(walls) < 5:
        step()
        now = time.perf_counter()
        walls.append(now - last)
        last = now
    return {"cpu": 1e3 * (time.process_time() - cpu) / len(walls), "wall": 1e3 * sorted(walls)[len(walls) // 2]}


print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    command, *words = line.split()
    answer = {}
    if command == "load":
        size = int(words[1])
        ids = np.fromfile(words[0], dtype=np.uint32).astype(np.int64).reshape(-1, size)
        batches = list(torch.from_numpy(ids))
        offsets, gradient = torch.arange(size), torch.randn(size, dim)
    else:
        answer = timed(float(words[0]) / 1e3)
    print(json.dumps(answer), flush=True)
