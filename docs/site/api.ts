import { rmSync } from "node:fs";
import { join, relative } from "node:path";
import { Application } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { entriesOf, listPackages } from "../../packages/testing/src/structure/workspace.js";
import { docsFolder, repositoryUrl, root } from "./repository.js";

/** Folder of the pages that typedoc writes; not in the repository. */
export const apiFolder: string = join(docsFolder, "api");

/** Writes a page for every entry of every published package: what it exports, from declarations and docstrings. Types are not checked here. */
export async function writeApi(): Promise<void> {
  const entries = new Map<string, string>(); // from the name that typedoc gives to what is imported: lora/src/node → @kto/lora/node
  const files: string[] = [];
  for (const pack of listPackages().filter(({ manifest }) => !manifest.private)) {
    for (const { path, specifier } of entriesOf(pack)) {
      const file = join(pack.folder, (pack.manifest.exports![path] as Record<string, string>)["@kto/source"]!);
      files.push(file);
      entries.set(relative(join(root, "packages"), file).replace(/(\/index)?\.ts$/, ""), specifier);
    }
  }
  rmSync(apiFolder, { recursive: true, force: true });
  const options: Partial<PluginOptions> = {
    outputFileStrategy: "modules",
    flattenOutputFiles: true,
    entryFileName: "index",
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    expandObjects: false,
    parametersFormat: "table",
    propertiesFormat: "table",
    interfacePropertiesFormat: "table",
    enumMembersFormat: "table",
    typeDeclarationFormat: "table",
    sanitizeComments: true,
    useHTMLEncodedBrackets: true,
    useHTMLAnchors: true, // VitePress names headings in another way
    tableColumnSettings: { hideSources: true, hideInherited: true, hideOverrides: true },
  };
  const app = await Application.bootstrapWithPlugins({
    name: "API",
    entryPoints: files,
    entryPointStrategy: "resolve" as never,
    plugin: ["typedoc-plugin-markdown"],
    tsconfig: join(root, "tsconfig.json"),
    basePath: join(root, "packages"),
    out: apiFolder,
    readme: "none",
    githubPages: false,
    skipErrorChecking: true,
    excludeExternals: true,
    excludePrivate: true,
    excludeInternal: true,
    disableGit: true,
    sourceLinkTemplate: `${repositoryUrl}/blob/main/packages/{path}#L{line}`,
    gitRevision: "main",
    logLevel: "Error",
    ...(options as object),
  });
  const project = await app.convert();
  if (!project) throw new Error("typedoc: the packages could not be read; expected exports, got none; see the errors above");
  for (const module of project.children ?? []) {
    const specifier = entries.get(module.name);
    if (specifier === undefined)
      throw new Error(`typedoc: ${module.name} is no entry of a package; expected one of ${[...entries.keys()].join(", ")}`);
    module.name = specifier;
  }
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error("typedoc: pages could not be written; see the errors above");
}
