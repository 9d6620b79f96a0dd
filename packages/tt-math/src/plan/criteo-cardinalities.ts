/** Rows of the 26 tables of the Criteo Kaggle data set, C1 to C26, as in DLRM and TT-Rec: 33,762,577 in all. */
export const KAGGLE_CARDINALITIES: readonly number[] = [
  1460, 583, 10_131_227, 2_202_608, 305, 24, 12_517, 633, 3, 93_145, 5683, 8_351_593, 3194, 27, 14_992, 5_461_306, 10, 5652, 2173,
  4, 7_046_547, 18, 15, 286_181, 105, 142_572,
];

/**
 * Rows of the 26 tables of the Criteo Terabyte data set with ids taken modulo 10,000,000, as in DLRM and TT-Rec:
 * 49,126,297 in all. Sorted by size, not in the order of the columns.
 */
export const TERABYTE_CARDINALITIES: readonly number[] = [
  3, 4, 10, 14, 36, 61, 101, 122, 970, 1442, 2208, 7112, 7378, 11_156, 12_420, 17_217, 20_134, 36_084, 313_829, 415_421,
  1_333_352, 7_267_859, 9_758_201, 9_946_608, 9_980_333, 9_994_222,
];
