/** A path with `~` at its beginning made whole; `home` is the folder that it means. */
export function expandHome(path: string, home: string): string {
  return path.replace(/^~(?=\/|$)/, () => home);
}
