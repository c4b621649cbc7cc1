export type { Browser, Page } from "playwright-core";
export { openBrowser, watchErrors } from "./open-browser.js";
