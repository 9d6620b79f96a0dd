// The kernels of the cache. Every export is `kernel(args, begin, end)`; at `args` lies a record, the class that the kernel
// casts it to, a word a field in the order of their declaration.
export { countIds, findPlaces, halveCounts, takeMoreCounted } from "./count";
export { probeRows } from "./probe";
