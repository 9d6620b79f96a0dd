/** Parameters of the table that most rows look up in: the largest of Criteo Kaggle. */
export const TABLE = { rows: 10_131_227, embeddingDim: 16, rowShape: "200x220x250", columnShape: "2x2x4" } as const;
