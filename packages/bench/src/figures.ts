import { FormatError } from "@kto/core";
import type { Measurement } from "./measurement.js";

/** What another program needed on a device, by the names of measurements. */
export interface Figures {
  /** "cuBLAS (PyTorch 2.11)" */
  program: string;
  /** The device's name, or a part of it: "NVIDIA H200". */
  device: string;
  /** As 2026-12-01. */
  date: string;
  milliseconds: Readonly<Record<string, number>>;
}

/** A measurement beside another program's, where the device is of the kind that that was measured on. */
export function withFigures(measurement: Measurement, figures: Figures | undefined, deviceName: string | undefined): Measurement {
  const milliseconds = figures?.milliseconds[measurement.name];
  if (!figures || milliseconds === undefined || !deviceName?.includes(figures.device)) return measurement;
  return { ...measurement, beside: { program: figures.program, milliseconds, date: figures.date } };
}

/** Reads figures out of JSON. Throws FormatError for what holds none. */
export function readFigures(json: unknown, source: string): Figures {
  const { program, device, date, milliseconds } = (json ?? {}) as Partial<Record<keyof Figures, unknown>>;
  const numbers = typeof milliseconds === "object" && milliseconds !== null ? Object.values(milliseconds) : [];
  const isWhole =
    [program, device, date].every((text) => typeof text === "string") &&
    numbers.length > 0 &&
    numbers.every((one) => Number.isFinite(one) && one > 0);
  if (isWhole) return json as Figures;
  throw new FormatError(
    `bench: ${source} holds no figures; expected {program, device, date, milliseconds: {name: number, …}}, got other contents; make it with bench/python/beside.py`,
    { source },
  );
}
