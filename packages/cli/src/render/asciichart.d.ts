declare module "asciichart" {
  /** Lines of a chart of one series. */
  export function plot(
    series: readonly number[],
    options?: { height?: number; offset?: number; padding?: string; format?: (value: number) => string; min?: number; max?: number },
  ): string;
}
