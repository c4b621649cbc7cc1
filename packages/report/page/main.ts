import type { PageData } from "../src/page-data.js";
import { LivePage } from "./live-page.js";
import { ReportPage } from "./report-page.js";

// The script of the page: reads the data that lies in it and builds everything else. Bundled into page-source.ts by `npm run page`.

const data = JSON.parse(document.getElementById("report")!.textContent) as PageData;
if (data.isLive) new LivePage().begin();
else new ReportPage().show(data);
