import { readStart } from "./read-start.js";

/** Names under which tokens and keys lie, as tools write them. */
const SECRET_NAMES = [
  /^\.env(?:\..+)?$|\.env$/, // dotenv
  /^(?:hf_|hf-)?tokens?(?:\.txt)?$|^stored_tokens$|\.token$/, // the hub's own, and what people call theirs
  /^\.(?:netrc|npmrc|pypirc|git-credentials|htpasswd|pgpass)$|^_netrc$/,
  /^id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$|\.(?:pem|key|p12|pfx|ppk|jks|keystore|kdbx)$/, // private keys; .pub is none
  /^(?:aws_)?credentials(?:\.(?:json|ya?ml|toml|csv))?$|^secrets?\.(?:json|ya?ml|toml|txt|env)$|^(?:kubeconfig|wandb_api_key)(?:\.txt)?$/,
  /^(?:client_secret|service[-_]?account).*\.json$/,
];

/** Names of what no repository should hold: hidden files, locks, and what something was writing. */
const WORK_NAMES = [
  /^\.(?!gitattributes$)/,
  /\.(?:lock|tmp|temp|partial|incomplete|swp)$|~$/,
  /^(?:__pycache__|node_modules|Thumbs\.db|desktop\.ini)$/,
];

/** Keys and tokens by what they look like: of the hub, GitHub, AWS, OpenAI and Anthropic, Google, Slack; private keys in PEM. */
const SECRETS =
  /\b(?:hf_[A-Za-z]{30,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}|AKIA[0-9A-Z]{16}|sk-(?:proj-|ant-)?[A-Za-z0-9_-]{40,}|AIza[A-Za-z0-9_-]{35}|xox[abpr]-[A-Za-z0-9-]{20,})(?![A-Za-z0-9])|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/;

/** Larger files are weights, tokenizers and data, and are not looked into. */
const MAX_LOOKED_INTO = 1 << 20;

/** True for a name under which a token or key lies. */
export function nameOfSecret(name: string): boolean {
  return SECRET_NAMES.some((pattern) => pattern.test(name.toLowerCase()));
}

/** True for a hidden file, a lock, a temporary file, a folder that a tool keeps for itself. */
export function nameOfWork(name: string): boolean {
  return WORK_NAMES.some((pattern) => pattern.test(name));
}

/** True for a small text file that holds a token or a private key. */
export async function holdsSecret({ source, size }: { source: string; size: number }): Promise<boolean> {
  const text = Buffer.from(await readStart(source, size <= MAX_LOOKED_INTO ? size : 1)).toString("latin1");
  return !text.includes("\0") && SECRETS.test(text);
}
