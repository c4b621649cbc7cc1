import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importsOf, listPackages, packageOf, sourceFiles } from "./workspace.js";

/** The arrows of docs/style.md, section 2. A package may use what its arrows reach. */
const ARROWS: Record<string, string[]> = {
  kto: ["cli"],
  cli: ["kit", "bench", "serve", "report", "mpi"],
  bench: ["trainer", "generate", "qwen2", "tokenizer", "gguf-export"],
  report: ["core"],
  mpi: ["core"],
  kit: ["trainer", "generate", "merge", "gguf-export", "tokenizer", "hub", "software-gpu"],
  merge: ["lora", "qwen2"],
  trainer: ["losses", "optim", "lora", "datasets"],
  serve: ["generate"],
  generate: ["tensor"],
  losses: ["tensor"],
  optim: ["tensor"],
  lora: ["safetensors", "tensor"],
  datasets: ["core"],
  qwen2: ["nf4", "safetensors"],
  nf4: ["tensor"],
  hub: ["core"],
  tokenizer: ["chat-templates"],
  testing: ["tensor", "software-gpu"],
  "software-gpu": ["core"],
  "chat-templates": ["core"],
  "gguf-export": ["safetensors"],
  safetensors: ["core"],
  tensor: ["core"],
  core: [],
};

/** Folders of `trainer` that are training methods: none imports another, and what they share imports none of them. */
const METHODS = ["kto", "dpo", "reference-free", "sft"];

/** These reach no GPU, not even through what they depend on. */
const WITHOUT_GPU = ["core", "chat-templates", "datasets", "safetensors", "gguf-export", "report", "mpi"];

const packages = listPackages();
const short = (name: string): string => name.replace("@kto/", "");

function reach(name: string): Set<string> {
  return new Set((ARROWS[name] ?? []).flatMap((next) => [next, ...reach(next)]));
}

it("draws an arrow for every package, and no package that is not there", () => {
  expect(Object.keys(ARROWS).sort()).toEqual(packages.map(({ name }) => short(name)).sort());
});

describe.each(packages)("$name", ({ name, folder, manifest }) => {
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const imported = (tests: boolean): Map<string, string> => {
    const found = sourceFiles(join(folder, "src"), { tests }).flatMap((file) =>
      importsOf(file).map((specifier) => [packageOf(specifier), file.path] as const),
    );
    return new Map(found.filter((pair): pair is [string, string] => pair[0] !== undefined && pair[0] !== name));
  };

  it("depends only on packages to the right", () => {
    const internal = declared.filter((dependency) => dependency.startsWith("@kto/")).map(short);
    const allowed = reach(short(name));
    expect(internal.filter((dependency) => !allowed.has(dependency))).toEqual([]);
  });

  it("imports only what its package.json lists", () => {
    const unlisted = [...imported(false)].filter(([dependency]) => !declared.includes(dependency) && name !== "@kto/testing");
    expect(unlisted.map(([dependency, path]) => `${dependency} in ${path}`)).toEqual([]);
  });

  if (name !== "@kto/testing") {
    it("uses @kto/testing only in tests", () => {
      expect([...imported(false).keys()]).not.toContain("@kto/testing");
    });
  }

  if (WITHOUT_GPU.includes(short(name))) {
    it("reaches no GPU", () => {
      expect([...reach(short(name))]).not.toContain("tensor");
      expect(declared).not.toContain("webgpu");
      const touching = sourceFiles(join(folder, "src")).filter(({ text }) =>
        /\bnavigator\.gpu\b|\bGPU(Device|Buffer|Adapter)\b/.test(text),
      );
      expect(touching.map(({ path }) => path)).toEqual([]);
    });
  }
});

it("training methods share the loop and nothing else", () => {
  const src = join(packages.find(({ name }) => name === "@kto/trainer")!.folder, "src");
  const folderOf = (path: string): string | undefined => /src\/([\w-]+)\//.exec(path)?.[1];
  const crossing = sourceFiles(src).flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      const [from, to] = [folderOf(file.path), /^\.\.\/([\w-]+)\//.exec(specifier)?.[1]];
      return from !== undefined && to !== undefined && from !== to && METHODS.includes(to) ? [`${file.path} imports ${specifier}`] : [];
    }),
  );
  expect(sourceFiles(src).some(({ path }) => folderOf(path) === "kto")).toBe(true);
  expect(crossing).toEqual([]);
});
