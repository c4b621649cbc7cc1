import { type PageData, pageData } from "./page-data.js";
import { pageScript, pageStyle } from "./page-source.js";
import type { Run } from "./run/run.js";

/** Options of {@link reportHtml}. */
export interface ReportOptions {
  /** Title of the page; default the names of the runs. */
  title?: string | undefined;
}

/**
 * A page about one run, or one that compares several: one text that needs no other file and asks nobody. Everything that came from a run is data in it, and is shown as
 * text: its policy (Content-Security-Policy) lets no script run but the page's own.
 */
export async function reportHtml(
  runs: readonly Run[],
  { title = runs.map(({ name }) => name).join(", ") }: ReportOptions = {},
): Promise<string> {
  return pageHtml(title, pageData(runs), await pagePolicy());
}

/** The page of live runs, and its policy: it may ask its own server, and nobody else. */
export async function livePage(title: string): Promise<{ html: string; policy: string }> {
  const policy = `${await pagePolicy()}; connect-src 'self'; img-src 'self'`;
  return { html: pageHtml(title, { runs: [], isLive: true }, policy), policy };
}

function pageHtml(title: string, data: PageData, policy: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<style>${pageStyle}</style>
</head>
<body>
<script type="application/json" id="report">${escapeJson(JSON.stringify(data))}</script>
<noscript>This page draws its charts with a script, which is switched off here.</noscript>
<script>${pageScript}</script>
</body>
</html>
`;
}

async function pagePolicy(): Promise<string> {
  return [
    "default-src 'none'",
    `script-src 'sha256-${await sha256(pageScript)}'`,
    `style-src 'sha256-${await sha256(pageStyle)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** JSON that no reader of HTML takes for the end of its element. */
function escapeJson(json: string): string {
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Base64, as a policy writes it. */
async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return btoa(String.fromCharCode(...digest));
}
