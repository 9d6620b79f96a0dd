import type { BinaryMetrics } from "@tt-rec/dlrm";

/** Metrics in one line. */
export function metricsText({ rows, accuracy, auc, logLoss, clickRate }: BinaryMetrics): string {
  return `${rows.toLocaleString("en")} rows, click rate ${clickRate.toFixed(4)}: accuracy ${accuracy.toFixed(4)}, AUC ${auc.toFixed(4)}, log-loss ${logLoss.toFixed(4)}`;
}
