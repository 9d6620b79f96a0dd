import { existsSync } from "node:fs";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Path of the Chromium that the environment variable CHROMIUM names, or of this machine's; undefined if there is none. */
export function findChromium(): string | undefined {
  return [process.env.CHROMIUM, ...PLACES].find((path) => path !== undefined && existsSync(path));
}

/** Flags that give a headless Chromium software adapters for WebGL2 and WebGPU, which every machine has. */
export const SOFTWARE_ADAPTERS: readonly string[] = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--use-gl=angle",
  "--use-angle=swiftshader",
];
