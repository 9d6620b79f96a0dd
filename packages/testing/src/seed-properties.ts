import fc from "fast-check";

// Loaded by AVA before the tests. Everyday runs repeat the same cases, so that a red test is the work of a change; the
// long runs draw new ones each time, and print the seed of a failure.
if (process.env.TT_REC_LONG === undefined) fc.configureGlobal({ seed: 2021 });
