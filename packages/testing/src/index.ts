export * from "./fixtures.js";
export * from "./tolerances.js";
export * from "./trajectory.js";
