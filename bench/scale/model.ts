/** What the time of an update over several ranks depends on. Bytes, seconds, bytes a second. */
export interface Cluster {
  /** Of the gradients: 4 a trained number. */
  bucketBytes: number;
  /** Of an update of one rank without others. */
  computeSeconds: number;
  /** Of `computeSeconds`, the end that an exchange may lie under: the last backward pass, from its last layer's gradients on. 0 where it begins with the last gradient. */
  hiddenSeconds: number;
  /** Into a rank and out of it at the same time. */
  networkBytesPerSecond: number;
  /** From the call on one rank until the smallest message is there. */
  messageSeconds: number;
  /** From the GPU to the host, from there back, and adding up: all of it on one thread of the host. */
  readBytesPerSecond: number;
  writeBytesPerSecond: number;
  addBytesPerSecond: number;
  pieceBytes: number;
  /** Before each sum ranks tell each other what they came for, and at the end of an update whether it goes on. */
  agreementSeconds: number;
  /** Standard deviation of a rank's share of an update, by the whole: its rows are longer or shorter than those of others. */
  spread: number;
}

/** Parts of the time of an update, in seconds. */
export interface UpdateTime {
  total: number;
  /** Of the host: reading back, adding, writing. */
  host: number;
  network: number;
  /** What the update waits for: the slowest rank, and what of the exchange is not hidden. */
  waited: number;
}

/** Bytes of a number in a bucket on its way. */
export const f32Bytes = 4;

/**
 * The time of an update. A sum sends each rank its slice of every rank's numbers and then every rank's sum to all, so that whatever their number a rank sends and receives
 * twice the bucket, but for its own slice. Pieces overlap: of host and network the slower one counts, and of the other the first piece. Messages of a
 * round go out one after another. No rank goes on before the slowest has come.
 */
export function updateTime(size: number, cluster: Cluster): UpdateTime {
  if (size === 1) return { total: cluster.computeSeconds, host: 0, network: 0, waited: 0 };
  const { bucketBytes, computeSeconds, hiddenSeconds, pieceBytes } = cluster;
  const pieces = Math.ceil(bucketBytes / pieceBytes);
  const host = bucketBytes * (1 / cluster.readBytesPerSecond + 1 / cluster.addBytesPerSecond + 1 / cluster.writeBytesPerSecond);
  const rounds = Math.ceil(Math.log2(size));
  const network =
    (2 * bucketBytes * (1 - 1 / size)) / cluster.networkBytesPerSecond +
    pieces * (cluster.agreementSeconds + rounds * cluster.messageSeconds + 2 * messagesOf(size, pieceBytes) * cluster.messageSeconds);
  const slower = Math.max(host, network);
  const first = Math.min(host, network) / pieces;
  const last = (host + network) / pieces; // the gradients of the first layer come with the end of the pass
  const agreed = cluster.agreementSeconds + rounds * cluster.messageSeconds;
  const slowest = computeSeconds * cluster.spread * mostOf(size);
  const waited = slowest + Math.max(last, slower + first - hiddenSeconds) + agreed;
  return { total: computeSeconds + waited, host, network, waited };
}

/** What the most of as many standard normals comes to, by Gumbel's limit: 0.75 of two, 3.28 of 1,024. */
function mostOf(size: number): number {
  const most = Math.sqrt(2 * Math.log(size));
  const euler = 0.5772156649;
  return most - (Math.log(Math.log(size)) + Math.log(4 * Math.PI) - 2 * euler) / (2 * most);
}

/** Messages that follow one another where a piece goes to all: one for each other rank, but where they are small, as MPI does it, in as many steps as `size` has bits. */
function messagesOf(size: number, pieceBytes: number): number {
  const isSmall = pieceBytes / size < 8192;
  return isSmall ? Math.ceil(Math.log2(size)) : size - 1;
}

/** The share of an update that is not waiting. */
export function efficiency(size: number, cluster: Cluster): number {
  return cluster.computeSeconds / updateTime(size, cluster).total;
}

/** The largest power of two of ranks, up to `most`, that wait for less than half of their time. */
export function paysUpTo(cluster: Cluster, most = 1024): number {
  let size = most;
  while (size > 1 && efficiency(size, cluster) < 0.5) size /= 2;
  return size;
}
