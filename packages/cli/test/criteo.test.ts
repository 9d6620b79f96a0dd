import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { eventsOf, inFolder, ttRec } from "./support.ts";

const DATA = process.env.TT_REC_DATA ?? "../../../shared/data";

test("the real Criteo sample is prepared and trained to better than the click rate knows", async (t) => {
  const log = join(DATA, "criteo-kaggle/train.tsv.gz");
  if (!existsSync(log)) {
    t.log(`skipped: there is no ${log}; TT_REC_DATA names the folder of the data`);
    t.pass();
    return;
  }
  await inFolder(async (path) => {
    const prepared = await ttRec(
      "prepare",
      log,
      "--out",
      path("data"),
      "--days",
      "6",
      "--validation-share",
      "0",
      "--min-frequency",
      "2",
      "--json",
    );
    t.like(eventsOf(prepared).at(-1), { event: "prepared", rows: { train: 97_956, validation: 0, test: 19_591 }, badRows: 0 });
    const settings =
      "--embedding-dim 4 --bottom-mlp 4 --top-mlp 1 --batch-size 512 --optimizer adagrad --learning-rate 0.05 --tt-tables 7 --tt-ranks 8";
    const trained = await ttRec("train", path("data"), "--out", path("run"), "--json", ...settings.split(" "));
    t.is(trained.code, 0, trained.stderr);
    const { test: metrics } = eventsOf(trained).at(-1) as { test: { logLoss: number; auc: number; clickRate: number } };
    t.is(metrics.clickRate.toFixed(4), "0.2552");
    // A constant gives 0.568.
    t.true(metrics.logLoss < 0.52, String(metrics.logLoss));
    t.true(metrics.auc > 0.7, String(metrics.auc));
  });
});
