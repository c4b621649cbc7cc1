import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DefaultTheme } from "vitepress";
import { entriesOf } from "../../packages/testing/src/structure/workspace.js";
import { codes } from "./explanations.js";
import { publishedPackages } from "./guides.js";
import { kernelNames } from "./kernels.js";
import { docsFolder } from "./repository.js";

type Item = DefaultTheme.SidebarItem;

export const navigation: DefaultTheme.NavItem[] = [
  { text: "Start", link: "/start/first-run", activeMatch: "/(start|coming-from)/" },
  { text: "Methods", link: "/methods/", activeMatch: "/methods/" },
  { text: "Packages", link: "/packages/", activeMatch: "/(packages|custom)/" },
  { text: "Reference", link: "/cli", activeMatch: "/(cli|data-and-files|lora-config)" },
  { text: "Errors", link: "/troubleshooting/", activeMatch: "/troubleshooting/" },
  { text: "API", link: "/api/", activeMatch: "/api/" },
];

/** What stands beside the pages: of errors, packages, the API and what is for contributors each its own. */
export function sidebars(): DefaultTheme.Sidebar {
  const packages = publishedPackages();
  const contributing = [
    { text: "Contributing", items: [page("How the code reads", "/style")] },
    { text: "Decisions", items: decisions() },
  ];
  return {
    "/api/": [
      {
        text: "API",
        items: [
          page("All entries", "/api/"),
          ...packages.flatMap((pack) => entriesOf(pack).map(({ specifier }) => page(specifier, `/api/${specifier.replaceAll("/", ".")}`))),
        ],
      },
    ],
    "/packages/": [
      {
        text: "Packages",
        items: [page("Which package", "/packages/"), ...packages.map(({ name, short }) => page(name, `/packages/${short}`))],
      },
    ],
    "/troubleshooting/": [
      {
        text: "When something is wrong",
        items: [page("Errors by their codes", "/troubleshooting/"), page("Symptoms", "/troubleshooting/symptoms")],
      },
      { text: "Codes", items: codes.map((code) => page(code, `/troubleshooting/${code}`)) },
    ],
    "/wgsl/": [{ text: "WGSL", items: [page("All kernels", "/kernels"), ...kernelNames.map((name) => page(name, `/wgsl/${name}`))] }],
    "/decisions/": contributing,
    "/style": contributing,
    "/": guide,
  };
}

const page = (text: string, link: string): Item => ({ text, link });

/** The pages that are read one after another. */
const guide: Item[] = [
  {
    text: "Start",
    items: [
      page("What it is", "/"),
      page("Installing", "/start/install"),
      page("The first run", "/start/first-run"),
      page("Your own 👍 and 👎", "/start/your-feedback"),
      page("DeepSeek with KTO, a tutorial", "/start/tutorial"),
      page("Stopping and going on", "/start/checkpoints"),
      page("Several GPUs", "/start/several-gpus"),
      page("Keeping what was trained", "/start/keeping"),
      page("In a browser", "/start/browser"),
      page("Train in this browser", "/start/live"),
      page("Hardware", "/start/hardware"),
      page("How much memory", "/start/memory"),
    ],
  },
  {
    text: "Coming from",
    items: [
      page("trl", "/coming-from/trl"),
      page("peft", "/coming-from/peft"),
      page("Unsloth", "/coming-from/unsloth"),
      page("KTOConfig", "/coming-from/kto-config"),
      page("DPOConfig", "/coming-from/dpo-config"),
      page("SFTConfig", "/coming-from/sft-config"),
      page("ORPOConfig", "/coming-from/orpo-config"),
      page("CPOConfig", "/coming-from/cpo-config"),
      page("TrainingArguments", "/coming-from/training-arguments"),
      page("ModelConfig, ScriptArguments", "/coming-from/model-config"),
      page("LoraConfig", "/lora-config"),
      page("BitsAndBytesConfig", "/coming-from/bits-and-bytes-config"),
    ],
  },
  {
    text: "Methods",
    items: [
      page("Which method", "/methods/"),
      page("KTO", "/methods/kto"),
      page("DPO", "/methods/dpo"),
      page("The losses of DPO", "/methods/dpo-losses"),
      page("SFT", "/methods/sft"),
      page("ORPO", "/methods/orpo"),
      page("CPO, SimPO, AlphaPO", "/methods/cpo-simpo"),
      page("Metrics", "/methods/metrics"),
      page("Learning rates", "/methods/learning-rate"),
    ],
  },
  {
    text: "Custom trainers",
    items: [
      page("How far down", "/custom/"),
      page("A loss", "/custom/custom-loss"),
      page("A loop", "/custom/custom-loop"),
      page("A method", "/custom/custom-method"),
      page("A kernel", "/custom/custom-kernel"),
    ],
  },
  {
    text: "Under the floor",
    items: [
      page("One batch, followed", "/under-the-floor/one-batch"),
      page("The memory planner", "/under-the-floor/memory-planner"),
      page("Determinism", "/under-the-floor/determinism"),
      page("Exactness", "/under-the-floor/exactness"),
      page("How fast, and why", "/under-the-floor/speed"),
      page("Measurements", "/under-the-floor/measurements"),
      page("Kernels", "/kernels"),
    ],
  },
  {
    text: "Reference",
    items: [
      page("The command", "/cli"),
      page("Data and files", "/data-and-files"),
      page("Guides of the packages", "/packages/"),
      page("Errors by their codes", "/troubleshooting/"),
      page("API", "/api/"),
      page("Contributing", "/style"),
    ],
  },
];

/** Decisions by their titles. */
function decisions(): Item[] {
  const folder = join(docsFolder, "decisions");
  return readdirSync(folder)
    .sort()
    .map((file) => {
      const title = /^# (.*)$/m.exec(readFileSync(join(folder, file), "utf8"))![1]!;
      return page(title.replace(/^\d+: /, ""), `/decisions/${file.replace(/\.md$/, "")}`);
    });
}
