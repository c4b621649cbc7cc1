import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { hasLandlock } from "./landlock.js";

// Nothing gives rights back, so a process of its own gives them up.
it.runIf(process.platform === "linux")("hides device nodes from a process and its children, and nothing else", () => {
  const code = `
    import { execFileSync } from "node:child_process";
    import { closeSync, mkdtempSync, openSync, writeFileSync } from "node:fs";
    import { tmpdir } from "node:os";
    import { join } from "node:path";
    import { hideFiles } from ${JSON.stringify(new URL("landlock.ts", import.meta.url).href)};
    const opens = (path, how) => { try { closeSync(openSync(path, how)); return "opens"; } catch ({ code }) { return code; } };
    const said = [opens("/dev/full", "r+"), hideFiles(["/dev/full"])];
    said.push(opens("/dev/full", "r+"), opens("/dev/full", "r"), opens("/dev/null", "r+"), opens(join(mkdtempSync(join(tmpdir(), "kto-")), "file"), "w"));
    try { execFileSync("sh", ["-c", "echo 2>/dev/null 1<>/dev/full"], { stdio: "ignore" }); said.push("opens"); } catch { said.push("hidden"); }
    console.log(JSON.stringify(said));`;
  const args = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "-e", code];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  const [hidden, refused] = hasLandlock() ? ["hidden", "EACCES"] : ["opens", "opens"];
  expect(JSON.parse(stdout)).toEqual(["opens", hasLandlock(), refused, "opens", "opens", "opens", hidden]);
});
