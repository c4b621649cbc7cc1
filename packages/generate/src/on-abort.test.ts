import { describe, expect, it, vi } from "vitest";
import { onAbort } from "./on-abort.js";

describe("onAbort", () => {
  it("listens once for many, and not at all when all are gone", () => {
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, "addEventListener"), vi.spyOn(signal, "removeEventListener")];
    const forget = Array.from({ length: 12 }, () => onAbort(signal, () => {}));
    expect(added).toHaveBeenCalledTimes(1);
    for (const one of forget) one();
    expect(removed).toHaveBeenCalledTimes(1);
    onAbort(signal, () => {});
    expect(added).toHaveBeenCalledTimes(2);
  });

  it("calls each that has not been forgotten, once", () => {
    const controller = new AbortController();
    const [kept, forgotten] = [vi.fn<() => void>(), vi.fn<() => void>()];
    onAbort(controller.signal, kept);
    onAbort(controller.signal, kept);
    const forget = onAbort(controller.signal, forgotten);
    forget();
    forget();
    controller.abort();
    expect(kept).toHaveBeenCalledTimes(2);
    expect(forgotten).not.toHaveBeenCalled();
  });

  it("calls at once where the signal has aborted", () => {
    const callback = vi.fn<() => void>();
    onAbort(AbortSignal.abort(), callback);
    expect(callback).toHaveBeenCalledTimes(1);
  });
});
