import { TtError } from "@tt-rec/tensor";
import { areaUnderCurve } from "./auc.ts";

/** How well logits predict clicks. */
export interface BinaryMetrics {
  /** Number of samples. */
  readonly rows: number;
  /** Share of clicks among them. */
  readonly clickRate: number;
  /** Share of samples whose probability, rounded, is the label. */
  readonly accuracy: number;
  /** Exact area under the ROC curve, ties counting half; NaN if all labels are equal or a logit is NaN. */
  readonly auc: number;
  /** Mean binary cross-entropy in nats. */
  readonly logLoss: number;
}

/** Collects logits and labels batch by batch; 8 bytes a sample, since the exact AUC needs them all. */
export class BinaryMetricsCollector {
  #logits = new Float32Array(1024);
  #labels = new Float32Array(1024);
  #size = 0;

  /** Adds a batch. Throws `E_SHAPE` unless there is one logit a label. */
  add(labels: Float32Array, logits: Float32Array): void {
    if (logits.length !== labels.length) throw new TtError("E_SHAPE", `${logits.length} logits for ${labels.length} labels`);
    while (this.#size + labels.length > this.#labels.length) this.#grow();
    this.#labels.set(labels, this.#size);
    this.#logits.set(logits, this.#size);
    this.#size += labels.length;
  }

  /** The metrics of all samples so far. */
  result(): BinaryMetrics {
    const labels = this.#labels.subarray(0, this.#size);
    const logits = this.#logits.subarray(0, this.#size);
    let positives = 0;
    let correct = 0;
    let loss = 0;
    for (let i = 0; i < labels.length; i++) {
      const z = logits[i];
      positives += labels[i];
      if (z > 0 === labels[i] > 0.5) correct++;
      loss += Math.max(z, 0) - z * labels[i] + Math.log1p(Math.exp(-Math.abs(z)));
    }
    const rows = labels.length;
    return {
      rows,
      clickRate: positives / rows,
      accuracy: correct / rows,
      auc: areaUnderCurve(labels, logits),
      logLoss: loss / rows,
    };
  }

  #grow(): void {
    const grown = (old: Float32Array): Float32Array<ArrayBuffer> => {
      const bigger = new Float32Array(old.length * 2);
      bigger.set(old);
      return bigger;
    };
    this.#labels = grown(this.#labels);
    this.#logits = grown(this.#logits);
  }
}
