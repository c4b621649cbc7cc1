export type { Browser, Page } from "playwright-core";
export { seriousFaults } from "./look-at.js";
export { openBrowser, watchErrors } from "./open-browser.js";
