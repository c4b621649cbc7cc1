import type { DownloadOptions } from "./options.js";

export async function fileDownload(id: string, fileName: string, _options: DownloadOptions = {}): Promise<string> {
  throw new Error(`not yet: ${id} ${fileName}`);
}
