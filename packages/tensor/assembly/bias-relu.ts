import { rectify } from "./simd";

/** `biasRelu`: what a layer adds to a product that a library has made. */
@unmanaged
class BiasReluArgs {
  values: usize; // [rows, columns]
  bias: usize; // [columns], or 0
  columns: i32;
  relu: i32;
}

/** Adds the bias to rows [begin, end) and, if asked, replaces negative values by 0. */
export function biasRelu(record: usize, begin: i32, end: i32): void {
  const args = changetype<BiasReluArgs>(record);
  const bytes = <usize>args.columns << 2;
  for (let row = begin; row < end; row++) {
    const values = args.values + <usize>row * bytes;
    let at: usize = 0;
    for (; at + 16 <= bytes; at += 16) {
      let x = v128.load(values + at);
      if (args.bias != 0) x = f32x4.add(x, v128.load(args.bias + at));
      v128.store(values + at, args.relu ? rectify(x) : x);
    }
    for (; at < bytes; at += 4) {
      // As a vector, so that NaN goes the same way.
      let x = f32x4.splat(load<f32>(values + at));
      if (args.bias != 0) x = f32x4.add(x, f32x4.splat(load<f32>(args.bias + at)));
      store<f32>(values + at, f32x4.extract_lane(args.relu ? rectify(x) : x, 0));
    }
  }
}
