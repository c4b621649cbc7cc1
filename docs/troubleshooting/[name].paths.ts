import { explanationPages } from "../site/explanations.js";

// A page for every code that stands in `error[…]`, from what `kto explain` prints.
export default { watch: ["../../packages/cli/src/explain/*.ts"], paths: () => explanationPages() };
