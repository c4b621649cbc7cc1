import { fetchFile, noteCommit, openRepo, resolveCommit } from "./cached-repo.js";
import type { DownloadOptions } from "./options.js";

/**
 * Downloads one file of a repository into the cache, unless it is there, and gives its path in the snapshot's folder. A cut transfer goes on where
 * it ended, also after the process was killed. The layout is that of Python's huggingface_hub: what either fetched the other finds.
 *
 * @throws HubError, whose `reason` says what is wrong and whose message what to do; the signal's reason
 */
export async function fileDownload(id: string, fileName: string, options: DownloadOptions = {}): Promise<string> {
  const repo = openRepo(id, options);
  const commit = await resolveCommit(repo);
  const path = await fetchFile(repo, commit, fileName);
  await noteCommit(repo, commit);
  return path;
}
