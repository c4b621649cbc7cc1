import { readFileSync } from "node:fs";

/**
 * The most bytes that this process has had in memory. Linux has `maxRSS` begin with what the process that made this one had, which hides what is less: there
 * the number is read where it is this process's own.
 */
export function peakMemory(): number {
  const inherited = process.resourceUsage().maxRSS * 1024;
  if (process.platform !== "linux") return inherited;
  const own = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return own ? Number(own[1]) * 1024 : inherited;
}
