"""DLRM's preprocessing as Python does it, row by row: our own re-implementation of its loops, for comparison.

First each line is split and its fields converted and looked up in dictionaries of first appearance, one row at a time; then
the columns become arrays and the numbers ln(x + 1). Arguments: the log, and the number of rows to read.
"""

import json
import resource
import sys
import time

import numpy as np

path, wanted = sys.argv[1], int(sys.argv[2])
start = time.perf_counter()
labels = np.zeros(wanted, dtype=np.int32)
numbers = np.zeros((wanted, 13), dtype=np.int32)
ids = np.zeros((wanted, 26), dtype=np.int32)
dictionaries = [{} for _ in range(26)]
rows = 0
with open(path) as log:
    for line in log:
        if rows == wanted:
            break
        fields = line.rstrip("\n").split("\t")
        for i in range(len(fields)):
            if fields[i] == "":
                fields[i] = "0"
        labels[rows] = np.int32(fields[0])
        numbers[rows] = np.array(fields[1:14], dtype=np.int32)
        raw = list(map(lambda field: int(field, 16), fields[14:]))
        for i in range(26):
            ids[rows][i] = dictionaries[i].setdefault(raw[i], len(dictionaries[i]))
        rows += 1
numbers[numbers < 0] = 0
features = np.log(numbers[:rows].astype(np.float32) + 1)
np.savez(sys.argv[3], y=labels[:rows], X_int=features, X_cat=ids[:rows])
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"rows": rows, "ms": 1000 * seconds, "cpuMs": 1000 * time.process_time(), "peakBytes": peak}))
