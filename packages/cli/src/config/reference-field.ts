import { choice, field } from "@kto/core/config";

/** What the methods that compare with a reference compare with. */
export const referenceField = field(choice(["initial", "base"]), "initial", {
  group: "model",
  fate: "ours",
  help: "what a continued adapter is held to: initial, a frozen copy of it (trl's behaviour), or base",
  notes: "a fresh adapter's reference is the base either way",
});
