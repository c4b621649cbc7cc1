import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./repository.js";

/** Pages take the packages from their sources: while the site is written and in tests of a page, which have no build. */
export const isFromSource: boolean = process.env["DOCS_FROM_SOURCE"] !== undefined || process.env["DOCS_ONLY"] !== undefined;

/** Builds the packages that pages bundle, those of docs/package.json; what was built before is found again. */
export async function buildPackages(): Promise<void> {
  const turbo = join(root, "node_modules/.bin/turbo");
  try {
    await promisify(execFile)(turbo, ["run", "build", "--output-logs=errors-only", "--filter=@kto/docs^..."], { cwd: root });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`docs: the packages could not be built; run npm run build\n${stdout}${stderr}`, { cause: error });
  }
}

/** What a bundler says of a site from packages as users get them: a module of a source is an error. The curves of the report's page are no entry of it, and come as they are. */
export const onlyBuilt = {
  name: "packages as they are published",
  transform(_code: string, id: string): undefined {
    if (!isFromSource && /\/packages\/(?!report\/)[^/]+\/src\//.test(id))
      throw new Error(
        `docs: a page bundles ${id}; expected packages as they are built; import the package, and list it in docs/package.json`,
      );
  },
};
