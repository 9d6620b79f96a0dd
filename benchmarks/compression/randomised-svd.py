"""The rival of large-table.ts: numpy's randomised SVDs of the same unfoldings, table and padded tensor in memory."""

import json
import resource
import sys
import time

import numpy as np


def randomised_svd(matrix, rank, power, rng):
    sketch = matrix @ rng.standard_normal((matrix.shape[1], rank + 10), dtype=np.float32)
    for _ in range(power):
        basis, _ = np.linalg.qr(sketch)
        inner, _ = np.linalg.qr(matrix.T @ basis)
        sketch = matrix @ inner
    basis, _ = np.linalg.qr(sketch)
    u, s, vt = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    return (basis @ u)[:, :rank], s[:rank, None] * vt[:rank]


path, n, dim, p, q, rank = sys.argv[1:]
n, dim, rank = int(n), int(dim), int(rank)
p, q = [[int(part) for part in text.split(",")] for text in (p, q)]
start = time.perf_counter()
table = np.fromfile(path, dtype=np.float32).reshape(n, dim)
padded = np.zeros((int(np.prod(p)), dim), dtype=np.float32)
padded[:n] = table
d = len(p)
tensor = padded.reshape(p + q).transpose([axis for k in range(d) for axis in (k, d + k)])
rest = np.ascontiguousarray(tensor).reshape(p[0] * q[0], -1)
del padded, tensor
rng = np.random.default_rng(3)
norm = float(np.sqrt(np.dot(table.ravel(), table.ravel())))
cores = []
for k in range(d - 1):
    left, rest = randomised_svd(rest, rank, 1, rng)
    cores.append(left)
    if k + 2 < d + 1:
        rest = rest.reshape(rank * p[k + 1] * q[k + 1], -1) if k + 2 < d else rest
cores.append(rest)
seconds = time.perf_counter() - start
product = cores[-1].reshape(rank, -1)
for k in range(d - 2, 0, -1):
    product = (cores[k] @ product).reshape(rank, -1)
squares = 0.0
slab = n // p[0] if n % p[0] == 0 else int(np.prod(p[1:]))
for digit in range(p[0]):
    rows = table[digit * slab : (digit + 1) * slab]
    if len(rows) == 0:
        break
    found = (cores[0][digit * q[0] : (digit + 1) * q[0]] @ product).reshape([q[0]] + [m for k in range(1, d) for m in (p[k], q[k])])
    axes = [1 + 2 * k for k in range(d - 1)] + [0] + [2 + 2 * k for k in range(d - 1)]
    found = found.transpose(axes).reshape(slab, dim)[: len(rows)]
    squares += float(np.sum((rows - found).astype(np.float64) ** 2))
print(
    json.dumps(
        {
            "engine": f"numpy {np.__version__}",
            "seconds": round(seconds, 2),
            "peakRssMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
            "relativeError": squares**0.5 / norm,
            "ranks": [1] + [rank] * (d - 1) + [1],
        }
    )
)
