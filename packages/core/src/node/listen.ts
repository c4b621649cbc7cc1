import { createServer, type Server } from "node:http";
import { SourceError } from "../errors.js";

/**
 * Has a server listen, and resolves when it does.
 *
 * @throws SourceError for an address that cannot be listened on, such as a port in use (`reason: "EADDRINUSE"`)
 */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  }).catch((cause: NodeJS.ErrnoException) => {
    const inUse = cause.code === "EADDRINUSE";
    throw new SourceError(
      {
        operation: "serve",
        problem: inUse ? `port ${port} of ${host} is in use` : `${host}:${port} cannot be listened on`,
        expected: inUse ? "a free one" : "an address of this machine, and a port that this user may take",
        got: cause.code ?? cause.message,
        advice: inUse ? "choose another {port}, or 0 for any that is free" : "choose another {host} or {port}",
        fields: ["host", "port"],
      },
      { source: `${host}:${port}`, ...(cause.code !== undefined && { reason: cause.code }), cause },
    );
  });
}

/**
 * Looks whether an address can be listened on, before what takes long.
 *
 * @throws SourceError as {@link listen}
 */
export async function expectFreePort(host: string, port: number): Promise<void> {
  const server = createServer();
  await listen(server, host, port);
  await new Promise((resolve) => server.close(resolve));
}
