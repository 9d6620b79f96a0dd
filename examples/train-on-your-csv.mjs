// From a CSV of your own to a trained and tested model in TT form; the same as `tt-rec prepare`, `train` and `evaluate`.
//   node examples/train-on-your-csv.mjs clicks.csv schema.json     without arguments: a log that it makes itself
// With --write FOLDER it only writes that log, as clicks.csv, and its schema.json.
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logSchemaOf, openDataset, parseTableSchema } from "@tt-rec/criteo-loader";
import { prepareFiles, tableFile } from "@tt-rec/criteo-loader/node";
import { Dlrm, evaluate, saveCheckpoint, train } from "@tt-rec/dlrm";
import { createRng, Runtime } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";

const EMBEDDING_DIM = 16;
const TRAINING = {
  ...{ epochs: 2, batchSize: 128, shuffle: true, seed: 1 },
  optimizer: { kind: "adagrad", learningRate: 0.02, ttLearningRate: 0.05 },
};

const folder = process.argv[2] === "--write" ? process.argv[3] : await mkdtemp(join(tmpdir(), "tt-rec-example-"));
if (process.argv[2] === "--write") console.log((await writeLog(folder)).join("\n"));
else await main(...(process.argv.length > 2 ? process.argv.slice(2) : await writeLog(folder)));

async function main(log, schemaFile) {
  const schema = parseTableSchema(await readFile(schemaFile, "utf8"));
  const split = { by: "fractions", test: 0.1, validation: 0.1 };
  await prepareFiles([tableFile(log, schema)], join(folder, "data"), { schema: logSchemaOf(schema), split, minFrequency: 2 });
  const data = await openDataset(nodeDirectory(join(folder, "data")));
  // Every table of a thousand rows or more becomes TT-cores.
  const tables = data.tableNames.map((name, t) => {
    const numEmbeddings = data.cardinalities[t];
    return { name, numEmbeddings, embedding: numEmbeddings >= 1000 ? { kind: "tt", ranks: 8 } : { kind: "dense" } };
  });
  const { denseFeatures } = data;
  const bottomMlp = denseFeatures > 0 ? [32, EMBEDDING_DIM] : [];
  const runtime = await Runtime.create();
  const model = new Dlrm(
    runtime,
    { denseFeatures, embeddingDim: EMBEDDING_DIM, bottomMlp, topMlp: [64, 1], tables },
    createRng(1),
  );
  let progress;
  for await (const event of train(model, data, TRAINING, { split: "validation" })) {
    progress = event.progress;
    if (event.kind === "evaluation")
      console.log(`epoch ${progress.epoch}: AUC ${event.metrics.auc.toFixed(4)} on the validation rows`);
  }
  const { rows, auc, logLoss } = await evaluate(model, data, "test");
  console.log(
    `${rows} test rows: AUC ${auc.toFixed(4)}, log-loss ${logLoss.toFixed(4)}, ${model.embeddingParameterBytes} bytes of embeddings`,
  );
  await saveCheckpoint(nodeDirectory(join(folder, "model")), model, TRAINING, progress);
  console.log(`data set and model are in ${folder}`);
  await runtime.close();
}

/** Writes a log whose clicks depend on the city, the device and the tags. */
async function writeLog(target) {
  const rng = createRng(3);
  const effect = (id) => createRng(11, id).normal();
  const skewed = (count) => Math.floor(count ** rng.uniform());
  const lines = ["clicked,age,visits,city,device,tags"];
  for (let row = 0; row < 60_000; row++) {
    const [age, visits, city, device] = [16 + skewed(64), skewed(100), skewed(5000), Math.floor(4 * rng.uniform())];
    const tags = Array.from({ length: Math.floor(4 * rng.uniform()) }, () => skewed(8000));
    const logit = effect(city) + effect(10_000 + device) + tags.reduce((sum, tag) => sum + effect(20_000 + tag) / 2, 0) - 1;
    const clicked = rng.uniform() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    lines.push(`${clicked},${age},${visits},city-${city},${["phone", "tablet", "laptop", "tv"][device]},${tags.join("|")}`);
  }
  const schema = { label: "clicked", dense: ["age", "visits"], ids: ["city", "device", { column: "tags", list: "|" }] };
  await mkdir(target, { recursive: true });
  const paths = [join(target, "clicks.csv"), join(target, "schema.json")];
  await writeFile(paths[0], `${lines.join("\n")}\n`);
  await writeFile(paths[1], JSON.stringify(schema));
  return paths;
}
