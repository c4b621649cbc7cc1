const ipAddress = /^(\d+(\.\d+){3}|\[[\da-f:.]+\])$/;

/**
 * Whether the host of a URL is an IP address, localhost or below it. A page of another site may point a name of its own at this machine and read what a server
 * here answers as if it were its own (DNS rebinding); with these it cannot.
 */
export function isLocalHost(hostname: string): boolean {
  const host = hostname.replace(/\.$/, "");
  return ipAddress.test(host) || host === "localhost" || host.endsWith(".localhost");
}
