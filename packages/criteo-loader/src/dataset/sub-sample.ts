import { mixBits } from "@tt-rec/tensor";
import type { BatchPlace } from "./window-plan.ts";

/** Says whether a row stays. */
export type KeepRow = (label: number, place: BatchPlace, row: number) => boolean;

/** Every row stays. */
export const keepAll: KeepRow = () => true;

/**
 * Drops a share of the rows with label 0 (DLRM's data-sub-sample-rate), chosen by seed, epoch and the place of the row
 * alone, so that neither shuffling nor the batch size changes which.
 */
export function dropNegatives(share: number, seed: number, epoch: number): KeepRow {
  if (share === 0) return keepAll;
  const epochSeed = mixBits(seed ^ mixBits(epoch + 0x51ed27));
  const threshold = share * 2 ** 32;
  return (label, { file, batch }, row) =>
    label === 1 || mixBits(row ^ mixBits(batch ^ mixBits(file ^ epochSeed))) >>> 0 >= threshold;
}
