import { readFileSync } from "node:fs";
import { alignColumns, quantile } from "@tt-rec/testing";
import type { Outcome } from "./train-once.ts";

/** A run, as it is recorded. */
export interface ResultLine extends Outcome {
  readonly id: string;
  readonly case: { readonly data: string; readonly policy: string; readonly share: number; readonly seed: number };
  /** A whole training, or a shorter one for its time. */
  readonly phase: "train" | "time";
}

/** Reads recorded runs. */
export function readResults(file: string): ResultLine[] {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Means over the seeds of one setting, and how far the seeds are apart. */
export interface Setting {
  readonly data: string;
  readonly policy: string;
  readonly share: number;
  readonly runs: number;
  readonly auc: number;
  readonly aucRange: number;
  readonly logLoss: number;
  readonly hitRate: number;
  readonly distinctHitRate: number;
  readonly evictions: number;
  readonly cpuMilliseconds: number;
}

/** Brings the runs of a setting together; times come from the runs that measured them, if there are any. */
export function settingsOf(lines: readonly ResultLine[]): Setting[] {
  const groups = new Map<string, ResultLine[]>();
  for (const line of lines) {
    const { data, policy, share } = line.case;
    const key = JSON.stringify([data, policy, share]);
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [...groups.values()].map((group) => {
    const trained = group.filter(({ phase }) => phase === "train");
    const timed = group.filter(({ phase }) => phase === "time");
    const mean = (of: (line: ResultLine) => number | undefined): number =>
      trained.reduce((sum, line) => sum + (of(line) ?? Number.NaN), 0) / trained.length;
    const aucs = trained.map(({ auc = Number.NaN }) => auc);
    const { data, policy, share } = group[0].case;
    return {
      ...{ data, policy, share, runs: trained.length },
      auc: mean(({ auc }) => auc),
      aucRange: Math.max(...aucs) - Math.min(...aucs),
      logLoss: mean(({ logLoss }) => logLoss),
      hitRate: mean(({ hitRate }) => hitRate),
      distinctHitRate: mean(({ distinctHitRate }) => distinctHitRate),
      evictions: mean(({ evictions }) => evictions),
      cpuMilliseconds: quantile(
        (timed.length > 0 ? timed : trained).map((line) => line.cpuMilliseconds),
        0.5,
      ),
    };
  });
}

/** A table of all settings. */
export function summary(lines: readonly ResultLine[]): string {
  const number = (value: number, digits: number): string => (Number.isNaN(value) ? "" : value.toFixed(digits));
  const rows = settingsOf(lines).map((setting) => [
    setting.data,
    setting.policy,
    setting.share === 0 ? "" : `${100 * setting.share} %`,
    number(setting.auc, 4),
    number(setting.aucRange, 4),
    number(setting.logLoss, 4),
    number(setting.hitRate, 3),
    number(setting.distinctHitRate, 3),
    number(setting.evictions, 0),
    number(setting.cpuMilliseconds, 3),
  ]);
  const header = ["data", "policy", "size", "AUC", "± seeds", "log-loss", "hits", "distinct hits", "evictions", "CPU ms a step"];
  return alignColumns([header, ...rows]);
}
