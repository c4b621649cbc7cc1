import { excerpt, isLocalHost, Secret } from "@kto/core";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";

/** 128 bits, as addresses may have them. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Headers of every answer: no other site frames a page, reads it or learns its address. */
const headers: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/**
 * Lets those in who have the token, in the address (which gives a cookie, and the address without it), in that cookie or as `Authorization: Bearer`. Others get 403; so do
 * requests to a host that is a name (DNS rebinding), and those that a page of another origin sends.
 */
export function expectAccess(token: string): MiddlewareHandler {
  const secret = new Secret(token);
  let cookie: string | undefined;
  return async (c, next) => {
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    const stranger = strangerIn(c);
    if (stranger !== undefined) return c.text(`${stranger}\n`, 403);
    // Cookies know no ports: the name keeps those of two servers of this machine apart.
    cookie ??= `kto-${(await digestOf(token)).slice(0, 8)}`;
    const named = c.req.query("token");
    const bearer = /^Bearer +(.*)$/i.exec(c.req.header("authorization") ?? "")?.[1]?.trimEnd();
    const given = named ?? bearer ?? getCookie(c, cookie);
    if (given === undefined || !(await secret.is(given)))
      return c.text(
        `request: ${given === undefined ? "there is no token" : "the token is not that of this server"}; open the address that the command printed\n`,
        403,
      );
    if (named === undefined) return next();
    setCookie(c, cookie, token, { httpOnly: true, sameSite: "Lax", path: "/" });
    const url = new URL(c.req.url);
    url.searchParams.delete("token");
    return c.redirect(`${url.pathname}${url.search}`, 303);
  };
}

/** Why a request is none of a page of ours, if it is not. */
function strangerIn(c: Context): string | undefined {
  const host = c.req.header("host") ?? "";
  if (!URL.canParse(`http://${host}`) || !isLocalHost(new URL(`http://${host}`).hostname))
    return `request: its Host is none that this server answers to; expected an IP address or localhost, got ${excerpt(host)}`;
  const origin = c.req.header("origin");
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host.toLowerCase()))
    return `request: it comes from a page of another origin; expected ${host}, got ${excerpt(origin)}`;
  const site = c.req.header("sec-fetch-site") ?? "none";
  const isOwn = site === "none" || site === "same-origin" || (c.req.method === "GET" && c.req.header("sec-fetch-mode") === "navigate");
  return isOwn ? undefined : `request: it comes from a page of another site; expected same-origin, got ${excerpt(site)}`;
}

async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
