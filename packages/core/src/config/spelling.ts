import type { Field, Fields } from "./field.js";

/** `perDeviceTrainBatchSize` → `per_device_train_batch_size`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The name of a field in files and flags; undefined for one that libraries have alone. */
export function diskName(name: string, { onDisk }: Pick<Field<unknown>, "onDisk">): string | undefined {
  return onDisk === null ? undefined : (onDisk ?? snakeCase(name));
}

/** Every spelling of every field in files and flags, and which field it means. */
export function diskNames(fields: Fields): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, declared] of Object.entries(fields)) {
    const onDisk = diskName(name, declared);
    if (onDisk === undefined) continue;
    for (const spelling of [onDisk, ...(declared.aliases ?? [])]) {
      const other = names.get(spelling);
      if (other !== undefined)
        throw new Error(`diskNames: ${spelling} is declared twice; expected one field of that name, got ${other} and ${name}`);
      names.set(spelling, name);
    }
  }
  return names;
}

/** A text about fields, `{maxLength}` in braces, with each as files and flags spell it. */
export function spellOnDisk(fields: Fields, text: string): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(fields, name) ? (diskName(name, fields[name]!) ?? name) : whole,
  );
}
