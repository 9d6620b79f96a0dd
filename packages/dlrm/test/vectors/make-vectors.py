"""Writes step-*.json beside this file: two training steps of small DLRMs by PyTorch, in float64.

Run it with `python3 make-vectors.py`; it needs PyTorch, the tests that read the files do not. Each file has the model's
configuration and optimizer as @tt-rec/dlrm takes them, the weights at the start, the batch, and, of each of two steps on it,
the loss, with the gradients of the first and the weights after both. What is computed is what facebookresearch/dlrm's
dlrm_s_pytorch.py computes under the options named in `about`: the sigmoid of the top MLP, binary cross-entropy of the
probability, sparse gradients of embedding bags; TorchRec's low-rank cross layers for `cross`.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
torch.set_default_dtype(torch.float64)

SAMPLES, FEATURES, DIM = 7, 3, 6
BOTTOM, TOP = [5, DIM], [11, 1]


def short(value):
    """Rounds to 64ths, which float32 holds exactly and JSON in few digits."""
    return torch.round(value * 64) / 64


class Model:
    """A DLRM whose parameters have the names that @tt-rec/dlrm gives them."""

    def __init__(self, config, seed):
        self.config = config
        self.random = torch.Generator().manual_seed(seed)
        self.parameters = {}
        widths = [FEATURES, *BOTTOM]
        for i, (columns, rows) in enumerate(zip(widths, widths[1:])):
            self.linear(f"bottom.{i}", rows, columns)
        vectors = len(config["tables"]) + 1
        interaction = config["interaction"]
        joined = vectors * DIM
        if interaction["kind"] == "dot":
            width = DIM + vectors * (vectors + (1 if interaction.get("self") else -1)) // 2
        else:
            width = joined
        for i in range(interaction.get("layers", 0)):
            self.draw(f"cross.{i}.down", interaction["rank"], joined)
            self.draw(f"cross.{i}.up", joined, interaction["rank"])
            self.draw(f"cross.{i}.bias", joined)
        widths = [width, *TOP]
        for i, (columns, rows) in enumerate(zip(widths, widths[1:])):
            self.linear(f"top.{i}", rows, columns)
        for table in config["tables"]:
            self.table(table["name"], table["numEmbeddings"], table["embedding"])

    def draw(self, name, *shape):
        value = short(torch.randn(shape, generator=self.random) / 2)
        self.parameters[name] = value.requires_grad_()

    def linear(self, name, rows, columns):
        self.draw(f"{name}.weight", rows, columns)
        self.draw(f"{name}.bias", rows)

    def table(self, name, rows, embedding):
        prefix = f"table.{name}."
        if embedding["kind"] == "quotient-remainder":
            collisions = embedding["collisions"]
            columns = DIM // 2 if embedding["operation"] == "concat" else DIM
            self.draw(prefix + "quotient", -(-rows // collisions), columns)
            self.draw(prefix + "remainder", collisions, columns)
        elif embedding["kind"] == "mixed-dimension":
            self.draw(prefix + "table", rows, embedding["dimension"])
            self.draw(prefix + "projection", DIM, embedding["dimension"])
        else:
            self.draw(prefix + "table", rows, DIM)

    def bag(self, name, indices, offsets, weights=None):
        return F.embedding_bag(
            indices, self.parameters[name], offsets, mode="sum", sparse=True, include_last_offset=True, per_sample_weights=weights
        )

    def embed(self, table, bags):
        prefix, embedding = f"table.{table['name']}.", table["embedding"]
        indices, offsets = torch.tensor(bags["indices"]), torch.tensor(bags["offsets"])
        weights = torch.tensor(bags["weights"]) if "weights" in bags else None
        if embedding["kind"] == "quotient-remainder":
            collisions = embedding["collisions"]
            quotient = self.bag(prefix + "quotient", indices // collisions, offsets, weights)
            remainder = self.bag(prefix + "remainder", indices % collisions, offsets, weights)
            operation = embedding["operation"]
            if operation == "concat":
                return torch.cat([quotient, remainder], dim=1)
            return quotient + remainder if operation == "add" else quotient * remainder
        rows = self.bag(prefix + "table", indices, offsets, weights)
        return rows @ self.parameters[prefix + "projection"].T if embedding["kind"] == "mixed-dimension" else rows

    def mlp(self, name, x, layers, last):
        for i in range(layers):
            x = F.linear(x, self.parameters[f"{name}.{i}.weight"], self.parameters[f"{name}.{i}.bias"])
            x = torch.relu(x) if i + 1 < layers else last(x)
        return x

    def interact(self, dense, embedded):
        interaction = self.config["interaction"]
        stacked = torch.stack([dense, *embedded], dim=1)
        if interaction["kind"] == "dot":
            products = stacked @ stacked.transpose(1, 2)
            lower = torch.tril_indices(*products.shape[1:], offset=0 if interaction.get("self") else -1)
            return torch.cat([dense, products[:, lower[0], lower[1]]], dim=1)
        first = stacked.reshape(len(dense), -1)
        x = first
        for i in range(interaction.get("layers", 0)):
            reduced = F.linear(x, self.parameters[f"cross.{i}.down"])
            x = first * (F.linear(reduced, self.parameters[f"cross.{i}.up"]) + self.parameters[f"cross.{i}.bias"]) + x
        return x

    def loss(self, batch):
        dense = self.mlp("bottom", torch.tensor(batch["dense"]).reshape(SAMPLES, FEATURES), len(BOTTOM), torch.relu)
        embedded = [self.embed(table, bags) for table, bags in zip(self.config["tables"], batch["bags"])]
        click = self.mlp("top", self.interact(dense, embedded), len(TOP), torch.sigmoid).reshape(-1)
        labels = torch.tensor(batch["labels"])
        if self.config.get("loss") == "mse":
            return F.mse_loss(click, labels)
        losses = F.binary_cross_entropy(click, labels, reduction="none")
        return (losses * torch.tensor(self.config.get("lossWeights", [1.0, 1.0]))[labels.long()]).mean()


class RowWiseAdagrad:
    """One accumulator a row, of the mean square of its summed gradient; plain Adagrad for dense gradients."""

    def __init__(self, rows, others, rate):
        self.rows, self.rate = rows, rate
        self.sums = [torch.zeros(len(row)) for row in rows]
        self.others = torch.optim.Adagrad(others, lr=rate)

    def zero_grad(self):
        self.others.zero_grad()
        for row in self.rows:
            row.grad = None

    @torch.no_grad()
    def step(self):
        self.others.step()
        for row, total in zip(self.rows, self.sums):
            gradient = row.grad.coalesce()
            ids, values = gradient.indices()[0], gradient.values()
            total[ids] += values.pow(2).mean(dim=1)
            row[ids] -= self.rate * values / (total[ids].sqrt() + 1e-10)[:, None]


class Together:
    """Several optimizers as one."""

    def __init__(self, *optimizers):
        self.optimizers = optimizers

    def zero_grad(self):
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self):
        for optimizer in self.optimizers:
            optimizer.step()


def optimizer_of(model, config):
    kind, rate = config["kind"], config["learningRate"]
    named = model.parameters.items()
    rows = [p for name, p in named if name.startswith("table.") and not name.endswith("projection")]
    layers = [p for name, p in named if not name.startswith("table.")]
    projections = [p for name, p in named if name.endswith("projection")]
    if kind == "rowWiseAdagrad":
        return RowWiseAdagrad(rows, layers + projections, rate)
    if kind == "adagrad":
        return torch.optim.Adagrad(model.parameters.values(), lr=rate, eps=config.get("eps", 1e-10))
    if kind == "adam":
        eps = config["eps"]
        return Together(torch.optim.Adam(layers + projections, lr=rate, eps=eps), torch.optim.SparseAdam(rows, lr=rate, eps=eps))
    plain = torch.optim.SGD(rows + projections, lr=rate)
    momentum, decay = config.get("momentum", 0), config.get("weightDecay", 0)
    return Together(plain, torch.optim.SGD(layers, lr=rate, momentum=momentum, weight_decay=decay))


def draw_batch(tables, several, seed):
    random = torch.Generator().manual_seed(seed)
    bags = []
    for i, table in enumerate(tables):
        lengths = torch.randint(0, 4, (SAMPLES,), generator=random) if several else torch.ones(SAMPLES, dtype=torch.long)
        offsets = [0, *torch.cumsum(lengths, 0).tolist()]
        indices = torch.randint(0, table["numEmbeddings"], (offsets[-1],), generator=random).tolist()
        drawn = {"indices": indices, "offsets": offsets}
        if several and i == 0:
            drawn["weights"] = short(torch.rand(offsets[-1], generator=random)).tolist()
        bags.append(drawn)
    return {
        "labels": torch.randint(0, 2, (SAMPLES,), generator=random).to(torch.float64).tolist(),
        "dense": short(torch.randn(SAMPLES * FEATURES, generator=random)).tolist(),
        "bags": bags,
    }


def numbers(value):
    """As many digits as float32 holds."""
    return [float(f"{x:.8g}") for x in value.detach().to_dense().reshape(-1).tolist()]


def weights_of(model):
    return {name: numbers(value) for name, value in model.parameters.items()}


def write(name, about, interaction, embeddings, optimizer, several=True, loss=None):
    tables = [
        {"name": f"t{i}", "numEmbeddings": rows, "embedding": embedding}
        for i, (rows, embedding) in enumerate(zip([5, 13, 11], embeddings))
    ]
    config = {
        "denseFeatures": FEATURES,
        "embeddingDim": DIM,
        "bottomMlp": BOTTOM,
        "topMlp": TOP,
        "tables": tables,
        "interaction": interaction,
        **(loss or {}),
    }
    seed = sum(name.encode())
    model, batch = Model(config, seed), draw_batch(tables, several, seed + 1)
    stepper = optimizer_of(model, optimizer)
    start, losses, gradients = weights_of(model), [], None
    for step in range(2):
        stepper.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            gradients = {key: numbers(value.grad) for key, value in model.parameters.items()}
        stepper.step()
    vector = {
        "about": about,
        "config": config,
        "optimizer": optimizer,
        "batch": batch,
        "weights": start,
        "losses": losses,
        "gradients": gradients,
        "updated": weights_of(model),
    }
    (HERE / f"step-{name}.json").write_text(json.dumps(vector, separators=(",", ":")) + "\n")


DENSE = {"kind": "dense"}
SGD, ADAGRAD = {"kind": "sgd", "learningRate": 0.1}, {"kind": "adagrad", "learningRate": 0.1}


def qr(operation, collisions):
    return {"kind": "quotient-remainder", "collisions": collisions, "operation": operation}


def mixed(dimension):
    return {"kind": "mixed-dimension", "dimension": dimension}


DOT, ITSELF, CAT = {"kind": "dot"}, {"kind": "dot", "self": True}, {"kind": "cat"}

write("dot-sgd", "--arch-interaction-op=dot --loss-function=bce", DOT, [DENSE] * 3, SGD)
write("itself-adagrad", "--arch-interaction-itself --optimizer=adagrad", ITSELF, [DENSE] * 3, ADAGRAD)
write("cat-sgd", "--arch-interaction-op=cat", CAT, [DENSE] * 3, SGD)
write("cat-adagrad", "--arch-interaction-op=cat --optimizer=adagrad", CAT, [DENSE] * 3, ADAGRAD)
write("wbce", "--loss-function=wbce --loss-weights=0.5-3.0", DOT, [DENSE] * 3, SGD, loss={"lossWeights": [0.5, 3.0]})
write("mse", "--loss-function=mse", DOT, [DENSE] * 3, SGD, loss={"loss": "mse"})
write("rwsadagrad", "--optimizer=rwsadagrad", DOT, [DENSE, DENSE, mixed(3)], {"kind": "rowWiseAdagrad", "learningRate": 0.1})
# On bags of several ids the reference multiplies sums where this project sums products.
write("qr-mult-sgd", "--qr-flag --qr-operation=mult", DOT, [DENSE, qr("mult", 4), qr("mult", 3)], SGD, several=False)
write("qr-mult-adagrad", "as before, --optimizer=adagrad", CAT, [DENSE, qr("mult", 4), qr("mult", 3)], ADAGRAD, several=False)
write("qr-add-adagrad", "--qr-flag --qr-operation=add", DOT, [qr("add", 2), qr("add", 5), qr("add", 3)], ADAGRAD)
write("qr-concat-sgd", "--qr-flag --qr-operation=concat", CAT, [qr("concat", 2), qr("concat", 4), qr("concat", 3)], SGD)
write("md-sgd", "--md-flag", CAT, [DENSE, mixed(2), mixed(3)], SGD)
write("md-adagrad", "--md-flag --optimizer=adagrad", DOT, [mixed(5), mixed(2), mixed(3)], ADAGRAD)
CROSS = {"kind": "cross", "layers": 2, "rank": 3}
write("cross-sgd", "TorchRec's DLRM_DCN", CROSS, [DENSE] * 3, {"kind": "sgd", "learningRate": 0.01})
write("cross-adagrad", "TorchRec's DLRM_DCN", CROSS, [DENSE] * 3, {"kind": "adagrad", "learningRate": 0.01, "eps": 1e-8})
write("momentum", "torch.optim.SGD", DOT, [DENSE] * 3, {"kind": "sgd", "learningRate": 0.1, "momentum": 0.9, "weightDecay": 0.01})
# SparseAdam adds eps before the bias correction, Adam behind it; one so small makes no difference.
ADAM = {"kind": "adam", "learningRate": 0.01, "eps": 1e-10}
write("adam", "torch.optim.Adam and SparseAdam", DOT, [DENSE, mixed(3), DENSE], ADAM)
