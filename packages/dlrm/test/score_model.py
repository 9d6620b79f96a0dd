"""Scores a batch with an exported model, by numpy alone: the safetensors file is parsed by hand.

usage: score_model.py MODEL BATCH; prints the logits as a JSON list.
"""
import json
import sys

import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "U32": np.uint32}


def read_safetensors(path):
    data = open(path, "rb").read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return metadata, tensors


def core(tensors, prefix, k):
    values = tensors[f"{prefix}core.{k}"].astype(np.float64)
    scale = tensors.get(f"{prefix}scale.{k}")
    return values if scale is None else values * scale.astype(np.float64)[:, None, None, None]


def table_of(tensors, name, rows, columns):
    prefix = f"table.{name}."
    if prefix + "table" in tensors:
        return tensors[prefix + "table"].astype(np.float64)
    train = core(tensors, prefix, 0)
    k = 1
    while f"{prefix}core.{k}" in tensors:
        right = core(tensors, prefix, k)
        train = np.einsum("aibr,crds->acibds", train, right)
        a, c, i, b, d, s = train.shape
        train = train.reshape(a * c, i, b * d, s)
        k += 1
    table = train.reshape(-1, columns)[:rows].copy()
    if prefix + "cache.ids" in tensors:
        ids = tensors[prefix + "cache.ids"]
        rows = tensors[prefix + "cache.rows"][: len(ids)]
        if prefix + "cache.rows.scale" in tensors:
            rows = rows * tensors[prefix + "cache.rows.scale"][: len(ids), None]
        table[ids] = rows
    return table


def mlp(tensors, name, x, last_relu):
    k = 0
    while f"{name}.{k}.weight" in tensors:
        x = x @ tensors[f"{name}.{k}.weight"].astype(np.float64).T + tensors[f"{name}.{k}.bias"]
        k += 1
        if last_relu or f"{name}.{k}.weight" in tensors:
            x = np.maximum(x, 0)
    return x


metadata, tensors = read_safetensors(sys.argv[1])
assert (metadata["format"], metadata["version"]) == ("tt-rec-model", "1"), metadata
config = json.loads(metadata["config"])
batch = json.load(open(sys.argv[2]))
bottom = mlp(tensors, "bottom", np.array(batch["dense"]).reshape(batch["size"], config["denseFeatures"]), True)
vectors = [bottom]
for table, bags in zip(config["tables"], batch["bags"]):
    rows = table_of(tensors, table["name"], table["numEmbeddings"], config["embeddingDim"])
    weights = bags.get("weights", [1] * len(bags["indices"]))
    offsets = bags["offsets"]
    vectors.append(
        np.array(
            [
                sum((w * rows[i] for w, i in zip(weights[a:b], bags["indices"][a:b])), np.zeros(rows.shape[1]))
                for a, b in zip(offsets, offsets[1:])
            ]
        )
    )
stacked = np.stack(vectors, 1)
products = stacked @ stacked.transpose(0, 2, 1)
i, j = np.tril_indices(stacked.shape[1], -1)
logits = mlp(tensors, "top", np.concatenate([bottom, products[:, i, j]], 1), False)
print(json.dumps(logits.ravel().tolist()))
