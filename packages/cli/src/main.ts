import { nearestName } from "@kto/core";
import { deviceChoice, type DeviceChoice } from "@kto/kit";
import type { Command } from "./commands/command.js";
import { benchCommand } from "./commands/bench.js";
import { chatCommand } from "./commands/chat.js";
import { cacheCommand } from "./commands/cache.js";
import { dataCommand } from "./commands/data.js";
import { doctorCommand } from "./commands/doctor.js";
import { downloadCommand } from "./commands/download.js";
import { evaluateCommand } from "./commands/evaluate.js";
import { explainCommand } from "./commands/explain.js";
import { exportGgufCommand } from "./commands/export-gguf.js";
import { generateCommand } from "./commands/generate.js";
import { mergeCommand } from "./commands/merge.js";
import { imatrixCommand } from "./commands/imatrix.js";
import { pushCommand } from "./commands/push.js";
import { reportCommand } from "./commands/report.js";
import { scoreCommand } from "./commands/score.js";
import { serveCommand } from "./commands/serve.js";
import { trainCommands } from "./commands/train.js";
import { uiCommand } from "./commands/ui.js";
import { ConfigError, endOf, exitStatus, stackOf } from "./errors.js";
import { parseFlags } from "./flags.js";
import type { Io, TextSink } from "./io.js";
import { Console, maxWidth, wrap } from "./render/console.js";
import { commandHelp, programHelp } from "./render/help.js";
import { versions } from "./versions.js";

const commands: readonly Command[] = [
  doctorCommand,
  ...trainCommands,
  scoreCommand,
  evaluateCommand,
  generateCommand,
  chatCommand,
  serveCommand,
  dataCommand,
  cacheCommand,
  downloadCommand,
  pushCommand,
  mergeCommand,
  exportGgufCommand,
  imatrixCommand,
  reportCommand,
  uiCommand,
  benchCommand,
  explainCommand,
];

/**
 * Runs `kto` with these arguments and resolves to its exit status: 0 done, 2 the input is wrong and nothing was written, 1 it failed while running,
 * 130 interrupted. Errors are lines on `io.stderr`; nothing is thrown.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let begun = false;
  const debug = argv.includes("--debug");
  try {
    return await run(argv, io, () => (begun = true));
  } catch (error) {
    const { lines, status } = endOf(error, { begun, signal: io.signal });
    for (const line of lines) io.stderr.write(`${wrap(line, terminalWidth(io.stderr) - 2).join("\n  ")}\n`);
    if (debug && status !== exitStatus.interrupted) io.stderr.write(`${stackOf(error)}\n`);
    return status;
  }
}

async function run(argv: readonly string[], io: Io, begin: () => void): Promise<number> {
  const [name, ...rest] = argv;
  const helpWidth = Math.min(maxWidth, terminalWidth(io.stdout));
  if (name === "help" && rest[0] !== undefined && !rest[0].startsWith("-")) {
    io.stdout.write(commandHelp(commandOf(rest[0]), helpWidth));
    return exitStatus.done;
  }
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    io.stdout.write(programHelp(commands, helpWidth));
    return name === undefined ? exitStatus.wrongInput : exitStatus.done;
  }
  if (name === "--version" || name === "-V") {
    io.stdout.write(`${versions()["kto"]}\n`);
    return exitStatus.done;
  }
  const command = commandOf(name);
  const { operands, fields, device, common, help, mistakes } = parseFlags(rest, command.fields);
  if (help) {
    io.stdout.write(commandHelp(command, helpWidth, fields));
    return exitStatus.done;
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const options = { ...common, device: chosenDevice(device, io.env) };
  const console = new Console(io, options);
  try {
    return await command.run({ operands, fields, options, io, console, begin });
  } finally {
    console.end();
  }
}

/** `--device`, or `KTO_DEVICE`. Throws ConfigError for another word. */
function chosenDevice(flag: string | undefined, env: Io["env"]): DeviceChoice {
  try {
    return flag === undefined ? deviceChoice(env["KTO_DEVICE"], "KTO_DEVICE") : deviceChoice(flag, "--device");
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
}

/** Columns of a terminal; a pipe has no end of line to look to. */
function terminalWidth({ isTTY, columns }: TextSink): number {
  return isTTY === true && columns !== undefined && columns > 0 ? Math.max(20, columns) : Infinity;
}

function commandOf(name: string): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) throw unknownCommand(name);
  return command;
}

function unknownCommand(name: string): Error {
  const built = commands.map((command) => command.name).join(", ");
  const close = nearestName(
    name,
    commands.map((command) => command.name),
    2,
  );
  return new ConfigError([
    `${name}: there is no such command; ${close === undefined ? `expected one of ${built}` : `did you mean ${close}?`}; see kto --help`,
  ]);
}
