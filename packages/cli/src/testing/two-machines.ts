import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a machine lacks for tests that want another beside it, in words; undefined where it has all of it. */
export function lacksForTwoMachines(): string | undefined {
  if (process.getuid?.() !== 0) return "root";
  const name = `kto-try-${process.pid}`;
  try {
    run("ip", "netns", "add", name);
    run("ip", "netns", "exec", name, "unshare", "--uts", "true");
  } catch {
    return "ip and unshare, with namespaces that may be made";
  } finally {
    try {
      run("ip", "netns", "delete", name);
    } catch {
      // it was not made
    }
  }
  return undefined;
}

/**
 * Two machines as far as MPI can tell, of two names and with a network between them: namespaces of the kernel with a cable, which can be pulled. mpirun starts the second
 * machine's part by a script in place of ssh.
 */
export class TwoMachines implements Disposable {
  readonly #names = ["a", "b"].map((which) => `kto-${process.pid}-${which}`) as [string, string];
  readonly #agent: string;

  constructor(folder: string) {
    const [first, second] = this.#names;
    this.#agent = join(folder, "agent.sh");
    writeFileSync(this.#agent, `#!/bin/sh\nshift\nexec ip netns exec ${second} unshare --uts sh -c "hostname machine-b; exec $*"\n`, {
      mode: 0o755,
    });
    for (const name of this.#names) run("ip", "netns", "add", name);
    run("ip", "link", "add", "cable", "netns", first, "type", "veth", "peer", "name", "cable", "netns", second);
    for (const [index, name] of this.#names.entries()) {
      run("ip", "-n", name, "addr", "add", `10.97.0.${index + 1}/24`, "dev", "cable");
      for (const device of ["lo", "cable"]) run("ip", "-n", name, "link", "set", device, "up");
    }
  }

  /** What starts mpirun on the first machine. */
  get launcher(): readonly string[] {
    return ["ip", "netns", "exec", this.#names[0], "mpirun"];
  }

  /** Options of mpirun that deal ranks out to both, a rank each. */
  get options(): readonly string[] {
    return ["--host", "10.97.0.1:1,10.97.0.2:1", "--mca", "plm_rsh_agent", this.#agent];
  }

  /** Nothing gets through the cable any more, or it does again. */
  connect(isConnected: boolean): void {
    run("ip", "-n", this.#names[1], "link", "set", "cable", isConnected ? "up" : "down");
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) run("ip", "netns", "delete", name);
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: "pipe" });
}
