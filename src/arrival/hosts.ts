/**
 * Hosts that files may come from. A redirect to another host is asked about by name, but a hub's own servers are known here:
 * `*.` stands for any number of names in front.
 */
const hubHosts: Readonly<Record<string, readonly string[]>> = {
  'huggingface.co': ['*.huggingface.co', '*.hf.co'],
  'hf.co': ['huggingface.co', '*.huggingface.co', '*.hf.co'],
  'modelscope.cn': ['*.modelscope.cn'],
  'www.modelscope.cn': ['*.modelscope.cn'],
};

/** Whether files asked for at `from` may come from `to` without a question: the same origin, or servers of the same hub. */
export function isOwnHost(from: URL, to: URL): boolean {
  if (from.origin === to.origin) return true;
  // A hub's servers are trusted only on a connection that proves which they are.
  if (to.protocol !== 'https:' || to.port !== '') return false;
  if (from.hostname === to.hostname) return from.port === '';
  const own = Object.hasOwn(hubHosts, from.hostname) ? hubHosts[from.hostname] : [];
  return own!.some((pattern) =>
    pattern.startsWith('*.') ? to.hostname.endsWith(pattern.slice(1)) : to.hostname === pattern,
  );
}
