import { ArgumentError, nearestName } from "@kto/core";

type Kind = "kernel" | "op";

/** What can be forced: variants of kernels, and ways of ops, by the name of the kernel or op. */
const declared = new Map<string, { kind: Kind; names: readonly string[] }>();

/** For kernels and ops: lets a device force one of `names`. Throws ArgumentError if the other kind has this name, since forcing would mean both. */
export function declareVariants(kind: Kind, name: string, names: readonly string[]): void {
  const known = declared.get(name);
  if (known && known.kind !== kind) throw new ArgumentError(`${name}: ${known.kind} and ${kind} of one name; expected two names`);
  declared.set(name, { kind, names });
}

/** The variants and ways that a device forces, by the name of the kernel or op; of others it takes the first that fits. */
export class ForcedVariants extends Map<string, string> {
  /** Forces a variant of a kernel or a way of an op. Throws ArgumentError if there is none of that name. */
  override set(name: string, variant: string): this {
    const known = declared.get(name);
    if (!known) {
      const nearest = nearestName(name, declared.keys());
      throw new ArgumentError(
        `variants.set: no kernel with variants or op with ways is called "${name}"${nearest ? `; did you mean "${nearest}"?` : `; there are ${[...declared.keys()].join(", ")}`}`,
      );
    }
    if (!known.names.includes(variant)) {
      const word = known.kind === "kernel" ? "variant" : "way";
      throw new ArgumentError(`variants.set: ${name} has no ${word} "${variant}"; there are ${known.names.join(", ")}`);
    }
    return super.set(name, variant);
  }
}
