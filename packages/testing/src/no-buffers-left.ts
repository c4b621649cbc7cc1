import type { Device } from "@kto/tensor";
import { afterEach, beforeEach, expect } from "vitest";

/** Each test of the file must leave as many buffers on the device as it found. Only for tests: importing it registers nothing, calling it does. */
export function expectNoBuffersLeft(device: () => Device): void {
  let live = 0;
  beforeEach(() => (live = device().memory.info().liveStorages));
  afterEach(() => expect(device().memory.info().liveStorages, "buffers left over").toBe(live));
}
