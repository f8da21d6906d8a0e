/** Which rule a config.json goes by. The bundled model's is here, the others are loaded when a model asks for them. */
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { llama } from './llama';
import type { ArchitectureRule } from './rule';

/** Names of architectures that are not run, by what stands in the way. */
const MISSING: readonly { readonly names: RegExp; readonly what: string }[] = [
  {
    names: /^(mixtral|qwen[23]_?(5_)?moe|granitemoe|olmoe|phimoe|gpt_?oss|deepseek_?v[23]|dbrx|jetmoe)/i,
    what: 'feed-forward blocks of experts',
  },
  {
    names: /^(mamba|mamba2|falcon_?mamba|rwkv|jamba|bamba|zamba|recurrent_?gemma)/i,
    what: 'layers without attention',
  },
  { names: /^(falcon|bloom|mpt)$/i, what: 'its layout of heads, or positions by distance (ALiBi)' },
  { names: /^gemma3n/i, what: 'layers that share keys and values, and activations predicted by others' },
];

async function rules(): Promise<readonly ArchitectureRule[]> {
  return [llama, ...(await import('./other-rules')).otherRules];
}

/** The rule of an id. */
export async function ruleOf(id: string): Promise<ArchitectureRule> {
  return (id === llama.id ? [llama] : await rules()).find((rule) => rule.id === id)!;
}

/** The rule that a config.json names. UserError where there is none, with what is missing where that is known. */
export async function ruleFor(settings: Readonly<Record<string, unknown>>): Promise<ArchitectureRule> {
  const architectures = Array.isArray(settings.architectures) ? settings.architectures : [];
  const name = [settings.model_type, ...architectures].find((candidate) => typeof candidate === 'string');
  const stem = (name ?? '').replace(/(ForCausalLM|ForConditionalGeneration|LMHeadModel|Model)$/, '');
  const isCalled = ({ names }: ArchitectureRule): boolean =>
    names.some((known) => plain(known) === plain(stem));
  if (isCalled(llama)) return llama;
  const all = await rules();
  const found = all.find(isCalled);
  if (found) return found;
  const missing = MISSING.find(({ names }) => names.test(stem));
  const named = name === undefined ? 'names no architecture' : `names ${quote(name, 60)}`;
  const why = missing ? `, which has ${missing.what}` : '';
  const supported = all.map(({ names }) => names[0]!);
  throw new UserError(
    `config.json ${named}${why}; supported architectures are ${supported.slice(0, -1).join(', ')} and ${supported.at(-1)}.`,
  );
}

/** `gpt_neox` is GPTNeoX. */
function plain(name: string): string {
  return name.replaceAll('_', '').toLowerCase();
}
