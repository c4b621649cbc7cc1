/** What is at the root of an error: Node's fetch says only "fetch failed", and its cause says why. */
export function rootCause(error: unknown): unknown {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root;
}

/** The message at the root of an error, or its code where it has none. */
export function rootMessage(error: unknown): string {
  const root = rootCause(error);
  if (!(root instanceof Error)) return String(root);
  const { code = root.name } = root as { code?: string };
  return root.message === "" ? code : root.message;
}

/** The system's code at the root of an error. */
export function rootCode(error: unknown): string | undefined {
  return (rootCause(error) as { code?: string } | undefined)?.code;
}
