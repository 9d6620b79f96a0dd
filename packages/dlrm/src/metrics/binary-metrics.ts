import { TtError } from "@tt-rec/tensor";
import { areaUnderCurve } from "./auc.ts";
import { AucHistogram } from "./auc-histogram.ts";

/** How well logits predict clicks. A value whose denominator is 0 is NaN. */
export interface BinaryMetrics {
  /** Number of samples. */
  readonly rows: number;
  /** Share of clicks among them. */
  readonly clickRate: number;
  /** Share of samples whose probability, rounded, is the label. */
  readonly accuracy: number;
  /** Area under the ROC curve, ties counting half; NaN if all labels are equal or a logit is NaN. */
  readonly auc: number;
  /** Only of an area from a histogram: the exact one is within this of `auc`. */
  readonly aucError?: number;
  /** Mean binary cross-entropy in nats. */
  readonly logLoss: number;
  /** Log-loss over that of always predicting the click rate (He et al. 2014): below 1 is better than that. */
  readonly normalizedEntropy: number;
  /** Mean probability over the click rate: 1 is calibrated. */
  readonly calibration: number;
  /** Share of clicks among the samples with a probability above 1/2. */
  readonly precision: number;
  /** Share of the clicks that have a probability above 1/2. */
  readonly recall: number;
  /** Harmonic mean of precision and recall. */
  readonly f1: number;
}

/** Options of `BinaryMetricsCollector`. */
export interface BinaryMetricsOptions {
  /** Takes the AUC from a histogram of so many bins, in bounded memory; default the exact one, at 8 bytes a sample. */
  readonly aucBins?: number;
}

/** Where the AUC comes from. */
interface AreaSource {
  add(labels: Float32Array, logits: Float32Array): void;
  result(): Pick<BinaryMetrics, "auc" | "aucError">;
}

/** Collects logits and labels batch by batch. */
export class BinaryMetricsCollector {
  readonly #area: AreaSource;
  #rows = 0;
  #positives = 0;
  #loss = 0;
  #probability = 0;
  #truePositives = 0;
  #falsePositives = 0;

  /** Throws `E_OPTION` unless `aucBins`, if given, is a whole number of at least 2. */
  constructor({ aucBins }: BinaryMetricsOptions = {}) {
    this.#area = aucBins === undefined ? new ExactArea() : binnedArea(aucBins);
  }

  /** Adds a batch. Throws `E_SHAPE` unless there is one logit a label. */
  add(labels: Float32Array, logits: Float32Array): void {
    if (logits.length !== labels.length) throw new TtError("E_SHAPE", `${logits.length} logits for ${labels.length} labels`);
    this.#area.add(labels, logits);
    for (let i = 0; i < labels.length; i++) {
      const [y, z] = [labels[i], logits[i]];
      this.#positives += y;
      this.#loss += Math.max(z, 0) - z * y + Math.log1p(Math.exp(-Math.abs(z)));
      this.#probability += 1 / (1 + Math.exp(-z));
      if (z > 0 && y > 0.5) this.#truePositives++;
      if (z > 0 && y <= 0.5) this.#falsePositives++;
    }
    this.#rows += labels.length;
  }

  /** The metrics of all samples so far. */
  result(): BinaryMetrics {
    const rows = this.#rows;
    const clickRate = this.#positives / rows;
    const [hits, misses] = [this.#truePositives, this.#positives - this.#truePositives];
    return {
      rows,
      clickRate,
      accuracy: (rows - this.#falsePositives - misses) / rows,
      ...this.#area.result(),
      logLoss: this.#loss / rows,
      normalizedEntropy: this.#loss / rows / entropy(clickRate),
      calibration: this.#probability / this.#positives,
      precision: hits / (hits + this.#falsePositives),
      recall: hits / this.#positives,
      f1: (2 * hits) / (2 * hits + this.#falsePositives + misses),
    };
  }
}

/** Entropy of a coin in nats. */
function entropy(rate: number): number {
  return -(rate * Math.log(rate) + (1 - rate) * Math.log1p(-rate));
}

function binnedArea(bins: number): AreaSource {
  const histogram = new AucHistogram(bins);
  return {
    add(labels, logits) {
      for (let i = 0; i < labels.length; i++) histogram.add(labels[i], logits[i]);
    },
    result() {
      const { auc, error } = histogram.result();
      return { auc, aucError: error };
    },
  };
}

/** Keeps all samples, since the exact area needs them. */
class ExactArea implements AreaSource {
  #logits = new Float32Array(1024);
  #labels = new Float32Array(1024);
  #size = 0;

  add(labels: Float32Array, logits: Float32Array): void {
    while (this.#size + labels.length > this.#labels.length) this.#grow();
    this.#labels.set(labels, this.#size);
    this.#logits.set(logits, this.#size);
    this.#size += labels.length;
  }

  result(): Pick<BinaryMetrics, "auc"> {
    return { auc: areaUnderCurve(this.#labels.subarray(0, this.#size), this.#logits.subarray(0, this.#size)) };
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
