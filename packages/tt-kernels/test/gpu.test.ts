import { Runtime } from "@tt-rec/tensor";
import test from "ava";
import { byPreference, type GpuAdapter, type GpuMode } from "../src/gpu/modes.ts";
import { GpuDevice } from "../src/gpu.ts";
import { GPU_CASES } from "./gpu-suite.ts";

const RUNS = process.env.TT_REC_LONG ? 100 : 5;

const [runtime, reference] = [await Runtime.create({ poison: true }), await Runtime.create({ backend: "reference" })];

// The modes that Node has; those of a GPU run in a browser, by `npm run test:browser`.
for (const mode of ["webasm", "cpu"] as const) {
  const device = await GpuDevice.open({ mode });
  for (const { name, run } of GPU_CASES) {
    test.serial(`${mode}: ${name}`, (t) => run(t, { device, runtime, reference, runs: RUNS }));
  }
}

test("auto takes WebAssembly where there is no GPU, and a missing mode says what was tried", async (t) => {
  const device = await GpuDevice.open();
  t.is(device.mode, "webasm");
  t.is(device.adapter, "WebAssembly on the CPU");
  t.true(device.software);
  await device.close();
  await device.close();
  t.throws(() => device.acquire("function () { return 0; }"), { code: "E_DISPOSED" });
  await t.throwsAsync(GpuDevice.open({ mode: "webgl2" }), {
    code: "E_GPU",
    message: "no device answers in GPU mode webgl2; tried webgl2 (there is no canvas)",
  });
  await t.throwsAsync(GpuDevice.open({ mode: "webgpu" }), {
    code: "E_GPU",
    message: /tried webgpu \(there is no navigator\.gpu\)/,
  });
  await t.throwsAsync(GpuDevice.open({ mode: "opencl" as "cpu" }), {
    code: "E_OPTION",
    message: 'the GPU mode "opencl" is not known; known are auto, webgpu, webgl2, webasm, cpu',
  });
});

test("a GPU comes before WebAssembly, a software adapter after it, and JavaScript last", (t) => {
  const found = (software: Readonly<Partial<Record<GpuMode, boolean>>>): [GpuMode, GpuAdapter][] =>
    Object.entries(software).map(([mode, soft]) => [
      mode as GpuMode,
      { name: mode, software: soft, limits: { columns: 1, rows: 1, bytes: 4 } },
    ]);
  t.deepEqual(byPreference(found({ webgpu: false, webgl2: false, webasm: true, cpu: true })), [
    "webgpu",
    "webgl2",
    "webasm",
    "cpu",
  ]);
  t.deepEqual(byPreference(found({ webgpu: true, webgl2: false, webasm: true, cpu: true })), [
    "webgl2",
    "webasm",
    "webgpu",
    "cpu",
  ]);
  t.deepEqual(byPreference(found({ webgpu: true, webgl2: true, webasm: true, cpu: true })), [
    "webasm",
    "webgpu",
    "webgl2",
    "cpu",
  ]);
  t.deepEqual(byPreference(found({ cpu: true })), ["cpu"]);
});
