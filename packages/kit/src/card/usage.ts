import { isOnHub, type RunFacts } from "./run-facts.js";

/** How to load a model of the hub: in kto, peft or transformers, Ollama. */
export function usage(facts: RunFacts, repo: string): string[] {
  const name = repo.split("/").at(-1)!;
  const base = isOnHub(facts.base) ? facts.base : "path/to/the/base/model";
  switch (facts.kind) {
    case "adapter":
      return [
        "## How to use it",
        "",
        ...block("sh", [`npx kto chat --model ${base} --adapter ${repo}`]),
        ...block("ts", [
          'import { loadAdapter, loadModel, openDevice } from "kto";',
          "",
          `const model = await loadModel(${JSON.stringify(base)}, { device: await openDevice() });`,
          `const adapted = await loadAdapter(model, ${JSON.stringify(repo)});`,
        ]),
        "The files are in PEFT's format:",
        "",
        ...block("python", [
          "from peft import PeftModel",
          "from transformers import AutoModelForCausalLM, AutoTokenizer",
          "",
          `model = AutoModelForCausalLM.from_pretrained(${JSON.stringify(base)})`,
          `model = PeftModel.from_pretrained(model, ${JSON.stringify(repo)})`,
          `tokenizer = AutoTokenizer.from_pretrained(${JSON.stringify(repo)})`,
        ]),
        "For Ollama and llama.cpp it is merged into a GGUF file, beside which a `Modelfile` is written:",
        "",
        ...block("sh", [
          `npx kto export-gguf --model ${base} --adapter ${repo} --type Q4_K_M --out ${name}.gguf`,
          `ollama create ${name} -f Modelfile`,
          `ollama run ${name}`,
        ]),
      ];
    case "model":
      return [
        "## How to use it",
        "",
        ...block("sh", [`npx kto chat --model ${repo}`]),
        ...block("python", [
          "from transformers import AutoModelForCausalLM, AutoTokenizer",
          "",
          `model = AutoModelForCausalLM.from_pretrained(${JSON.stringify(repo)})`,
          `tokenizer = AutoTokenizer.from_pretrained(${JSON.stringify(repo)})`,
        ]),
        "For Ollama and llama.cpp:",
        "",
        ...block("sh", [`npx kto export-gguf --model ${repo} --type Q4_K_M --out ${name}.gguf`, `ollama create ${name} -f Modelfile`]),
      ];
    case "gguf": {
      const types = facts.ggufs.flatMap((file) => /[-.](I?Q\d\w*|BF16|F16|F32)(?:-\d+-of-\d+)?\.gguf$/i.exec(file)?.[1] ?? []);
      return [
        "## How to use it",
        "",
        ...block("sh", [`ollama run hf.co/${repo}${types[0] === undefined ? "" : `:${types[0].toUpperCase()}`}`]),
        ...block("sh", [`llama-cli -hf ${repo}${types[0] === undefined ? "" : `:${types[0].toUpperCase()}`}`]),
      ];
    }
    case "files":
      return [];
  }
}

function block(language: string, lines: readonly string[]): string[] {
  return [`\`\`\`${language}`, ...lines, "```", ""];
}
