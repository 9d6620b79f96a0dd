/** Largest number of rows of a table: row ids are uint32, and the number itself must fit as well. */
export const maxNumEmbeddings: number = 2 ** 32 - 1;
