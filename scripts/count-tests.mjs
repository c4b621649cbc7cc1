import { existsSync, readFileSync, readdirSync } from "node:fs";
import { relative } from "node:path";

// Prints "PASSED FAILED" for a report of vitest's JSON reporter: node scripts/count-tests.mjs report.json EXIT_STATUS
// A test that did not run (skipped, todo), a test file without results, and a failure that no test shows count as failed. What is not green
// is named on stderr.

const [reportPath, exitStatus] = process.argv.slice(2);
const problems = [];
let passed = 0;

const report = existsSync(reportPath) ? JSON.parse(readFileSync(reportPath, "utf8")) : { testResults: [] };
const ran = new Set();
for (const { name, assertionResults, message } of report.testResults) {
  const file = relative(process.cwd(), name);
  ran.add(file);
  if (assertionResults.length === 0) problems.push(`${file}: no test ran ${message ?? ""}`.trim());
  for (const { status, fullName } of assertionResults) {
    if (status === "passed") passed++;
    else problems.push(`${file}: ${fullName}: ${status}`);
  }
}

for (const file of testFiles()) {
  if (!ran.has(file)) problems.push(`${file}: did not run`);
}
if (problems.length === 0 && exitStatus !== "0")
  problems.push(`npm run test:all ended with status ${exitStatus}, though every test passed`);

for (const problem of problems) console.error(`FAIL  ${problem}`);
console.log(`${passed} ${problems.length}`);

/** Every test file of the workspace, GPU tests included; those of several processes are a step of their own. */
function testFiles() {
  return ["packages", "examples", "scripts"]
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`))
    .filter((path) => path.endsWith(".test.ts") && !path.endsWith(".mpi.test.ts") && !/(^|\/)(node_modules|dist)\//.test(path));
}
