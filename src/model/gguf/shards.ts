/** How shards are called: `model-00001-of-00003.gguf`. */
const SHARD = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i;
const MOST_SHARDS = 1000;

/** The names of all shards, in order, of which `name` is one; `name` alone where it is none. */
export function shardNames(name: string): string[] {
  const [, stem, , of] = SHARD.exec(name) ?? [];
  const count = Number(of);
  if (stem === undefined || count < 1 || count > MOST_SHARDS) return [name];
  return Array.from({ length: count }, (_, i) => `${stem}-${String(i + 1).padStart(5, '0')}-of-${of}.gguf`);
}
