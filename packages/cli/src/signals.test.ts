import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";

/** A process that says what it was asked to, and ends when it is told `SIGINT`. */
async function program(env: Record<string, string>, signals: readonly (NodeJS.Signals | number)[]): Promise<string> {
  const code = `
    import { listenForSignals } from ${JSON.stringify(new URL("signals.ts", import.meta.url).href)};
    const end = listenForSignals(process.env, (name) => {
      process.stdout.write(name + " ");
      if (name === "SIGINT") { end(); clearInterval(staying); }
    });
    const staying = setInterval(() => undefined, 1000);
    process.stdout.write("ready ");`;
  const child = spawn(process.execPath, ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "-e", code], {
    env: { ...process.env, ...env },
  });
  let said = "";
  const ended = new Promise((resolve) => void child.on("close", resolve));
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  while (!said.includes("ready")) await setTimeout(10);
  for (const signal of signals) {
    if (typeof signal === "number") await setTimeout(signal);
    else child.kill(signal);
    await setTimeout(250);
    while (hasPendingSignals(child.pid!)) await setTimeout(10); // of two that wait on a busy machine, the kernel chooses which comes first
  }
  child.kill("SIGINT");
  await ended;
  return said;
}

function hasPendingSignals(pid: number): boolean {
  return /^(SigPnd|ShdPnd):\t.*[1-9a-f]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

const rank = { OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_RANK: "0" };

it.runIf(process.platform === "linux")("SIGUSR2 and SIGTERM ask to stop; SIGCONT asks nothing of a process that is no rank", async () => {
  expect(await program({}, ["SIGUSR2", "SIGCONT", "SIGTERM"])).toBe("ready SIGUSR2 SIGTERM SIGINT ");
});

it.runIf(process.platform === "linux")(
  "of a rank of mpirun SIGCONT asks to stop, once, and the SIGTERM that follows asks for nothing new",
  async () => {
    expect(await program(rank, ["SIGCONT", "SIGCONT", "SIGTERM", "SIGTERM"])).toBe("ready SIGCONT SIGTERM SIGINT ");
  },
);

it.runIf(process.platform === "linux")("a rank that was suspended goes on when it is told to", async () => {
  expect(await program(rank, ["SIGSTOP", 1500, "SIGCONT"])).toBe("ready SIGINT ");
});
