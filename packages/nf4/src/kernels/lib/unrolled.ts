/** `count` pieces of WGSL, one a line. */
export function unrolled(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join("\n");
}
