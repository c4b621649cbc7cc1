import { lookup } from "node:dns/promises";

/** Whether only this machine reaches a server that listens on this address, or on that of this name. */
export async function isLoopback(host: string): Promise<boolean> {
  const { address } = await lookup(host).catch(() => ({ address: host })); // whoever listens on an unknown one is told
  return address === "::1" || /^127\.\d+\.\d+\.\d+$/.test(address);
}
