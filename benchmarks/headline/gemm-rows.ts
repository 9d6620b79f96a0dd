import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createRng, type Runtime, TtError } from "@tt-rec/tensor";
import { peak } from "@tt-rec/testing";
import { executedFlops, tableShape } from "../common/lookup-call.ts";
import { type Sample, timed } from "../common/measure.ts";
import { TABLE } from "../common/table.ts";
import type { Context, Group } from "./group.ts";
import { ttCases } from "./lookups.ts";
import { BATCH_SIZES, type LayerGemm, layerGemms } from "./mlp-shapes.ts";
import { constant, field, gigaRate, medianOf, type Quantity } from "./quantity.ts";
import type { Row } from "./row.ts";
import { type LazyRuntime, wasmRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

/** Work of one call of the loop that measures the limit, in FLOP: about 10 ms. */
const PEAK_FLOPS = 6e8;

const BUILDS = ["relaxed", "simd"] as const;
type Build = (typeof BUILDS)[number];

/** The rates that were aimed at, in GFLOP/s: what is left of the limit of 128-bit vectors after loads and edges. */
const AIMS: Readonly<Record<Build, number>> = { relaxed: 48, simd: 35 };
/** Limits that the peers' C program prints, by the first word of its lines. */
const C_LIMITS: Readonly<Record<string, string>> = { fma128: "GFLOP/s", fma256: "GFLOP/s", dram: "GB/s" };
const TT_CASE = { ranks: 32, pooling: 1, ids: "uniform", phase: "step" } as const;
const TT_KEY = "tt/R32/P1/uniform/step";
const TT_FLOPS_KEY = "tt/R32/P1/uniform/flops";

/** The limits of the machine, and what share of them our products reach. */
export const gemmRows: Group = {
  name: "limits and products",
  rows: [...limitRows(), ...productRows(), ttShare()],
  peers: [],
  open,
};

function limitRows(): Row[] {
  const wasm = BUILDS.map(
    (build): Row => ({
      id: `limit/wasm-${build}`,
      parameters: { chains: 12 },
      engine: `wasm-${build}`,
      phase: "run",
      unit: "GFLOP/s",
      ours: gigaRate(peakKey(build), PEAK_FLOPS),
    }),
  );
  const native = Object.entries(C_LIMITS).map(
    ([name, unit]): Row => ({
      ...{ id: `limit/c-${name}`, parameters: {}, engine: "gcc", phase: "run", unit },
      ours: field(`c/${name}`, "rate"),
    }),
  );
  return [...wasm, ...native];
}

function productRows(): Row[] {
  return BUILDS.flatMap((build) => {
    const limit = { name: `limit/wasm-${build}`, value: gigaRate(peakKey(build), PEAK_FLOPS) };
    const common = { engine: `wasm-${build}`, phase: "run", unit: "GFLOP/s" };
    const products = BATCH_SIZES.flatMap((batch) => layerGemms(batch).map((gemm) => ({ batch, gemm })));
    const rows = products.map(({ batch, gemm }): Row => {
      const ours = gigaRate(gemmKey(build, batch, gemm), gemm.flops);
      const [a, b] = gemm.shapes.map((shape) => shape.join("x"));
      const parameters = { batchSize: batch, layout: gemm.layout, a, b };
      return { ...common, id: `gemm/${build}/B${batch}/${gemm.name}`, parameters, ours, rival: limit };
    });
    const all: Quantity = medianOf(rows.map(({ ours }) => ours));
    const aim = { name: `${AIMS[build]} GFLOP/s`, value: constant(AIMS[build]) };
    return [
      { ...common, id: `gemm/${build}/median`, parameters: { products: rows.length }, ours: all, rival: aim, target: 1 },
      { ...common, id: `gemm/${build}/median-of-limit`, parameters: { products: rows.length }, ours: all, rival: limit },
      ...rows,
    ];
  });
}

/** The rate of a TT step in FLOP executed after deduplication, as a share of the limit. */
function ttShare(): Row {
  const ours: Quantity = {
    needs: [TT_KEY, TT_FLOPS_KEY],
    of(at) {
      const [ms, flops] = [at(TT_KEY)?.cpu, at(TT_FLOPS_KEY)?.rate];
      return ms === undefined || flops === undefined ? undefined : flops / 1e6 / ms;
    },
  };
  return {
    id: "tt-step/R32/P1/uniform/of-limit",
    parameters: { ...TABLE, ranks: 32, batchSize: 2048, pooling: 1, ids: "uniform" },
    ...{ engine: "wasm-relaxed", phase: "step", unit: "GFLOP/s", ours, target: 0.6 },
    rival: { name: "limit/wasm-relaxed", value: gigaRate(peakKey("relaxed"), PEAK_FLOPS) },
  };
}

function open(session: Session, context: Context): void {
  for (const build of BUILDS) {
    session.time(peakKey(build), async () => {
      const run = peak(build);
      return () => run(PEAK_FLOPS);
    });
    const runtime = wasmRuntime(session, 1, build);
    for (const batch of BATCH_SIZES) {
      for (const gemm of layerGemms(batch)) {
        // There are many, and each is short.
        session.sample(gemmKey(build, batch, gemm), () => timeGemm(runtime, gemm, context.budgetMs / 4));
      }
    }
  }
  const tt = ttCases(session, wasmRuntime(session, 1), context);
  tt.add(TT_KEY, TT_CASE);
  session.sample(TT_FLOPS_KEY, async () => {
    const [shape, batches] = [tableShape(TT_CASE.ranks), await (await context.indices()).batches("uniform", 1)];
    const flops = batches.slice(0, 16).map((ids) => 3 * executedFlops(shape, ids));
    return { rate: flops.reduce((sum, value) => sum + value, 0) / flops.length };
  });
  const limits = session.hold(
    () => runCeiling(context),
    () => undefined,
  );
  for (const name of Object.keys(C_LIMITS)) session.sample(`c/${name}`, async () => (await limits()).get(name) ?? {});
}

function peakKey(build: Build): string {
  return `peak/${build}`;
}

function gemmKey(build: Build, batch: number, { name }: LayerGemm): string {
  return `gemm/${build}/B${batch}/${name}`;
}

async function timeGemm(lazy: LazyRuntime, { layout, shapes }: LayerGemm, budgetMs: number): Promise<Sample> {
  const runtime = await lazy();
  const [a, b, out] = shapes.map((shape) => filled(runtime, shape));
  try {
    return await timed(() => runtime.kernels.gemm(layout, a, b, out), budgetMs);
  } finally {
    for (const tensor of [a, b, out]) tensor.dispose();
  }
}

function filled(runtime: Runtime, shape: readonly number[]): ReturnType<Runtime["tensor"]> {
  const tensor = runtime.tensor(shape);
  tensor.data.set(Float32Array.from({ length: tensor.size }, createRng(1).normal));
  return tensor;
}

/** Compiles and runs the peers' program of the machine's limits. Throws `E_NOT_FOUND` without it or without a compiler. */
async function runCeiling({ peers, temporary }: Context): Promise<Map<string, Sample>> {
  const [run, binary] = [promisify(execFile), join(temporary, "ceiling")];
  try {
    await run("gcc", ["-O3", "-march=native", "-fopenmp", join(peers, "ceiling.c"), "-o", binary]);
    const { stdout } = await run(binary);
    const lines = stdout.matchAll(/^(\w+)(?: read)? ([\d.]+) /gm);
    return new Map([...lines].map(([, name, rate]) => [name, { rate: Number(rate) }]));
  } catch (cause) {
    throw new TtError("E_NOT_FOUND", `ceiling.c did not run: ${(cause as Error).message.split("\n")[0]}`);
  }
}
