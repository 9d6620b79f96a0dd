import { TtError } from "@tt-rec/tensor";

/** An area under the ROC curve that was computed from counts, and how far off it can be. */
export interface BoundedAuc {
  /** The area, with samples of one bin taken as ties; NaN if all labels are equal. */
  readonly auc: number;
  /** The exact area is within this of `auc`: half the share of pairs that fall into one bin. */
  readonly error: number;
}

/** Logits beyond ±this share the two outermost bins; a probability there is within 1.2e-7 of 0 or 1. */
const RANGE = 16;

/**
 * The area under the ROC curve in bounded memory: 16 bytes a bin, whatever the number of samples. Bins are equally wide in the
 * logit, where the scores of rare clicks are as far apart as those of common ones. In a bin with p positives and n negatives the
 * p·n pairs count half, so the error is at most Σ p·n / (2·P·N), which `result` tells.
 */
export class AucHistogram {
  readonly #positives: Float64Array;
  readonly #negatives: Float64Array;

  /** Throws `E_OPTION` unless `bins` is a whole number of at least 2. */
  constructor(bins: number) {
    if (!(Number.isSafeInteger(bins) && bins >= 2))
      throw new TtError("E_OPTION", `bins = ${bins} is not a whole number of at least 2`);
    this.#positives = new Float64Array(bins);
    this.#negatives = new Float64Array(bins);
  }

  /** Counts one sample; a logit that is NaN makes the result NaN. */
  add(label: number, logit: number): void {
    const bins = this.#positives.length;
    const place = Math.floor(((logit + RANGE) / (2 * RANGE)) * bins);
    const bin = Number.isNaN(place) ? 0 : Math.min(bins - 1, Math.max(0, place));
    (label > 0.5 ? this.#positives : this.#negatives)[bin] += Number.isNaN(logit) ? Number.NaN : 1;
  }

  /** The area of all samples so far. */
  result(): BoundedAuc {
    let [positives, negatives, wins, tied] = [0, 0, 0, 0];
    for (const [bin, p] of this.#positives.entries()) {
      const n = this.#negatives[bin];
      wins += p * (negatives + n / 2);
      tied += p * n;
      positives += p;
      negatives += n;
    }
    const pairs = positives * negatives;
    return { auc: wins / pairs, error: tied / (2 * pairs) };
  }
}
