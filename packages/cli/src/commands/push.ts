import { errorMessage, excerpt } from "@kto/core";
import { boolean, choice, field, orNull, path, patterns, requiredField, text, where } from "@kto/core/config";
import { parseRepoId } from "@kto/hub";
import { pushToHub } from "@kto/kit/node";
import { commandValues, withHome } from "../config/check-command.js";
import { exitStatus, isHubError } from "../errors.js";
import { hubAccess, pushing } from "../load/hub-access.js";
import { LeftOutDisplay } from "../render/left-out.js";
import type { Command, CommandInput } from "./command.js";

const group = "hub";
const isLicense = (name: string): boolean => /^[a-z0-9][a-z0-9.-]*$/.test(name);

const pushFields = {
  repo: requiredField(text(), { group, help: "the repository, owner/name; made where there is none", aliases: ["hub_model_id"] }),
  private: field(orNull(boolean()), null, {
    group,
    help: "whether a repository made for this is private; by default as its owner has it set",
    aliases: ["hub_private_repo"],
  }),
  createPr: field(boolean(), false, { group, help: "opens a pull request instead of writing to the branch" }),
  revision: field(orNull(text()), null, {
    group,
    help: "the branch, main by default; made where there is none",
    aliases: ["hub_revision"],
  }),
  commitMessage: field(text(), "Upload with kto", { group, help: "first line of the commit" }),
  include: field(orNull(patterns()), null, { group, help: "pushes the files that match one of them" }),
  exclude: field(orNull(patterns()), null, { group, help: "leaves out the files that match one of them" }),
  checkpoints: field(boolean(), false, { group, help: "pushes the folders checkpoint-N of a run too" }),
  repoType: field(choice(["model", "dataset"]), "model", { group, help: "what the repository is" }),
  license: field(orNull(where(text(), isLicense, "an identifier of the hub, such as apache-2.0")), null, {
    group,
    help: "of the model card; by default that of the base model, where the hub tells it",
  }),
  run: field(orNull(path()), null, {
    group,
    help: "the folder of the run that it came of, which the model card tells of; by default DIR itself",
  }),
  card: field(boolean(), true, { group, help: "makes a model card where nobody wrote one" }),
  token: field(orNull(text()), null, {
    group,
    help: "a token that may write; better given as HF_TOKEN, since others of the machine may read command lines",
    aliases: ["hub_token"],
  }),
};

export const pushCommand: Command = {
  name: "push",
  summary: "a folder to the hub, as one commit",
  usage: "kto push DIR --repo OWNER/NAME [--private] [--create-pr] [--revision BRANCH] [--include GLOB …]",
  examples: [
    ["kto push outputs --repo me/my-adapter --private", "the adapter of a run, with a model card made from it; prints the address"],
    ["kto push merged --repo me/my-model --run outputs --create-pr", "a merged model as a pull request; its card tells of the run"],
  ],
  fields: pushFields,
  run: push,
};

async function push(input: CommandInput): Promise<number> {
  const { operands, fields, options, io, console } = input;
  const mistakes = [...(operands.length === 1 ? [] : [notOne(operands)]), ...repoMistakes(fields.values)];
  const values = commandValues("push", pushFields, input, mistakes);
  const folder = withHome(operands[0]!, io.env);
  const access = hubAccess(io, console);
  const leftOut = new LeftOutDisplay(console);
  const { url, commit, changed } = await pushing(access, values.token, async (way) =>
    pushToHub(folder, {
      ...way,
      repo: values.repo,
      repoType: values.repoType,
      ...(values.private !== null && { private: values.private }),
      createPr: values.createPr,
      ...(values.revision !== null && { revision: values.revision }),
      commitMessage: values.commitMessage,
      ...(values.include && { include: values.include }),
      ...(values.exclude && { exclude: values.exclude }),
      checkpoints: values.checkpoints,
      ...(values.license !== null && { license: values.license }),
      ...(values.run !== null && { run: values.run }),
      card: values.card && values.repoType === "model",
      onNote: (note) => console.note(note),
      onLeftOut: leftOut.show,
    }),
  );
  leftOut.finish();
  if (changed.length === 0) console.note("the hub has all of this already; there is no new commit");
  io.stdout.write(`${options.json ? JSON.stringify({ url, commit }) : url}\n`);
  return exitStatus.done;
}

function notOne(operands: readonly string[]): string {
  return `push: not usable; expected one folder, got ${operands.length === 0 ? "none" : operands.join(" ")}; see kto push --help`;
}

/** What is wrong with the name of the repository. */
function repoMistakes(given: CommandInput["fields"]["values"]): string[] {
  const id = given.get("repo") ?? given.get("hub_model_id");
  const revision = given.get("revision") ?? given.get("hub_revision");
  if (typeof id !== "string") return []; // missing, or no text, which is told anyway
  try {
    const { repo, revision: named } = parseRepoId(id);
    if (!repo.includes("/")) return [`--repo: ${id} has no owner; expected owner/name, got ${id}; write yours before it`];
    if (named === undefined || revision === undefined || named === revision) return [];
    return [`--revision: ${id} names a branch too; expected one of the two, got ${excerpt(revision)}; remove one`];
  } catch (error) {
    if (!isHubError(error)) throw error;
    return [error.parts === undefined ? error.message : errorMessage({ ...error.parts, operation: "--repo", advice: "write it as owner/name" })]; // prettier-ignore
  }
}
