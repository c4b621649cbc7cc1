import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { expect, it } from "vitest";

const folder = fileURLToPath(new URL("../examples/cluster/", import.meta.url));
const read = (name: string): string => readFileSync(`${folder}${name}`, "utf8");
const names = readdirSync(folder);

it("has a config of fields that there are", () => {
  const schema = JSON.parse(readFileSync(new URL("../packages/trainer/kto.schema.json", import.meta.url), "utf8")) as object;
  const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(schema);
  validate(parse(read("kto.yaml")));
  expect(validate.errors).toBeNull();
});

it.each(names.filter((name) => name.endsWith(".sh")))("%s is a script that its shell reads", (name) => {
  const shell = read(name).startsWith("#!/bin/bash") ? "bash" : "sh";
  expect(spawnSync(shell, ["-n", `${folder}${name}`], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
});

it("one-gpu.sh refuses a process that there is no GPU for, and says how many there are", () => {
  const { status, stderr } = spawnSync("sh", [`${folder}one-gpu.sh`, "true"], {
    encoding: "utf8",
    env: { ...process.env, SLURM_LOCALID: "64" },
  });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^one-gpu\.sh: process 64 of this machine has no GPU; expected at least 65, got \d+; start fewer processes\n$/);
});

it("mpijob.yaml gives every worker one GPU and one process", () => {
  const { kind, spec } = parse(read("mpijob.yaml")) as {
    kind: string;
    spec: {
      slotsPerWorker: number;
      mpiReplicaSpecs: Record<string, { template: { spec: { containers: { command?: string[]; resources?: { limits: object } }[] } } }>;
    };
  };
  expect([kind, spec.slotsPerWorker]).toEqual(["MPIJob", 1]);
  const of = (role: string) => spec.mpiReplicaSpecs[role]!.template.spec.containers[0]!;
  expect(of("Worker").resources!.limits).toMatchObject({ "nvidia.com/gpu": 1 });
  expect(of("Launcher").command!.join(" ")).toMatch(/^mpirun .*kto train/);
});

it("its README names every file", () => {
  const readme = read("README.md");
  for (const name of names.filter((other) => other !== "README.md")) expect(readme).toContain(`](${name})`);
});
