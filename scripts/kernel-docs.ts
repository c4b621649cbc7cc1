import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** What the source of a kernel says about it. */
export interface KernelDoc {
  /** Below the repository. */
  path: string;
  /** The comment above the kernel or above its spec: the formula, and who does what. */
  formula: string;
  /** Expressions of its bytes and floating-point operations, as written. */
  cost: string | undefined;
}

const folders = ["packages/tensor/src/kernels", "packages/nf4/src/kernels"];

/** Reads the kernels' sources: by kernel name, its doc comment and the expression of its cost. */
export function readKernelDocs(root: string): Map<string, KernelDoc> {
  const docs = new Map<string, KernelDoc>();
  const files = folders.flatMap((folder) => readdirSync(join(root, folder)).map((file) => `${folder}/${file}`));
  for (const path of files.filter((name) => name.endsWith(".wgsl.ts"))) {
    const source = ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.Latest, true);
    const comments = new Map<string, string>();
    const visit = (node: ts.Node): void => {
      if (ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node)) comments.set(node.name.text, commentOf(node));
      const kernel = kernelOf(node);
      if (kernel)
        docs.set(kernel.name, { path, formula: commentOf(statementOf(node)) || (comments.get(kernel.specType) ?? ""), cost: kernel.cost });
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return docs;
}

/** Name, spec type and cost of a call `defineKernel<Spec>()({ name, … })`. */
function kernelOf(node: ts.Node): { name: string; specType: string; cost: string | undefined } | undefined {
  if (!ts.isCallExpression(node) || !ts.isCallExpression(node.expression)) return undefined;
  const { expression, typeArguments } = node.expression;
  const [definition] = node.arguments;
  if (!ts.isIdentifier(expression) || expression.text !== "defineKernel" || !definition || !ts.isObjectLiteralExpression(definition))
    return undefined;
  const field = (name: string): ts.Expression | undefined =>
    definition.properties.filter(ts.isPropertyAssignment).find((property) => property.name.getText() === name)?.initializer;
  const name = field("name");
  if (!name || !ts.isStringLiteral(name)) return undefined;
  return { name: name.text, specType: typeArguments?.[0]?.getText() ?? "", cost: costOf(field("cost")) };
}

function costOf(cost: ts.Expression | undefined): string | undefined {
  if (!cost || !ts.isArrowFunction(cost)) return undefined;
  const body = ts.isParenthesizedExpression(cost.body) ? cost.body.expression : cost.body;
  if (!ts.isObjectLiteralExpression(body)) return undefined;
  const fields = body.properties
    .filter(ts.isPropertyAssignment)
    .map((property) => `${property.name.getText()} = ${oneLine(property.initializer.getText())}`);
  return fields.join(", ");
}

function statementOf(node: ts.Node): ts.Node {
  return ts.findAncestor(node, ts.isVariableStatement) ?? node;
}

/** The text of the doc comment above a declaration, without its stars. */
function commentOf(node: ts.Node): string {
  const text = node.getSourceFile().text;
  const range = ts.getLeadingCommentRanges(text, node.getFullStart())?.findLast(({ pos }) => text.startsWith("/**", pos));
  if (!range) return "";
  const lines = text.slice(range.pos + 3, range.end - 2).split("\n");
  return lines
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
    .join("\n")
    .trim();
}

function oneLine(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/,? ([)}\]])/g, " $1")
    .replace(/\( /g, "(")
    .replace(/ \)/g, ")");
}
