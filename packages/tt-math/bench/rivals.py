"""Rivals of the benchmark in Python; each prints its time in ms a call."""

import sys
import time


def tt_svd(p, q, rank):
    """TT-SVD in float64 as tntorch and numpy users write it: a full SVD of each unfolding, truncated."""
    import numpy as np

    d = len(p)
    table = np.random.default_rng(1).standard_normal((int(np.prod(p)), int(np.prod(q))))

    def run():
        rest = table.reshape(p + q).transpose([axis for k in range(d) for axis in (k, d + k)])
        left_rank, cores = 1, []
        for k in range(d - 1):
            u, s, vt = np.linalg.svd(rest.reshape(left_rank * p[k] * q[k], -1), full_matrices=False)
            r = min(rank, len(s))
            cores.append(u[:, :r].reshape(left_rank, p[k], q[k], r))
            rest, left_rank = s[:r, None] * vt[:r], r
        return cores + [rest]

    return run


def suggest(d, sizes):
    """FBTT's search as its description says: all multiset partitions of the primes of each round-up, by entropy."""
    import math

    from sympy import factorint
    from sympy.utilities.iterables import multiset_partitions

    def best(n):
        primes = [prime for prime, power in factorint(n).items() for _ in range(power)]
        primes = [1] * (d - len(primes)) + primes
        found = None
        for partition in multiset_partitions(primes, d):
            factors = sorted(math.prod(part) for part in partition)
            total = sum(factors)
            entropy = -sum(f / total * math.log(f / total) for f in factors)
            if found is None or entropy > found[0]:
                found = entropy, factors
        return found

    def run():
        for size in sizes:
            max(
                (best(math.ceil(size / 10**power) * 10**power) for power in range(len(str(size)))),
                key=lambda found: found[0],
            )

    return run


if sys.argv[1] == "tt-svd":
    run = tt_svd([int(x) for x in sys.argv[2].split(",")], [int(x) for x in sys.argv[3].split(",")], int(sys.argv[4]))
    run()
else:
    run = suggest(int(sys.argv[2]), [int(x) for x in sys.argv[3].split(",")])
calls, start = 0, time.perf_counter()
while calls == 0 or time.perf_counter() - start < 0.2:
    run()
    calls += 1
print((time.perf_counter() - start) / calls * 1000)
