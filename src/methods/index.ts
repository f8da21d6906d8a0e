/** The methods, in the order the page lists them. */
import { UserError } from '../base/user-error';
import { adakv } from './adakv';
import { block } from './block';
import { capkv } from './capkv';
import { cascadingKv } from './cascading-kv';
import { chunk } from './chunk';
import { chunkkv } from './chunkkv';
import { chunkkvEntropy } from './chunkkv-entropy';
import { compactor } from './compactor';
import { criticalAdakv } from './critical-adakv';
import { criticalkv } from './criticalkv';
import { cur } from './cur';
import { duoAttention } from './duo-attention';
import { esa } from './esa';
import { expectedAttention } from './expected-attention';
import { finch } from './finch';
import { freqkv } from './freqkv';
import { full } from './full';
import { groupedPositions } from './grouped-positions';
import { h2o } from './h2o';
import { infLlm } from './infllm';
import { keydiff } from './keydiff';
import { knorm } from './knorm';
import { kvzip } from './kvzip';
import { lagkv } from './lagkv';
import { leverage } from './leverage';
import { loki } from './loki';
import { lorc } from './lorc';
import { lrsa } from './lrsa';
import { merging } from './merging';
import type { Method } from './method';
import { minference } from './minference';
import { noncausal } from './noncausal';
import { observedAttention } from './observed-attention';
import { oracle } from './oracle';
import { pyramidkv } from './pyramidkv';
import { quest } from './quest';
import { random } from './random';
import { sentences } from './sentences';
import { simlayerkv } from './simlayerkv';
import { snapkv } from './snapkv';
import { sparq } from './sparq';
import { squeezedAttention } from './squeezed-attention';
import { streaming } from './streaming';
import { streamingLlm } from './streaming-llm';
import { think } from './think';
import { tokenSelect } from './tokenselect';
import { tova } from './tova';

export const methods: readonly Method[] = [
  full,
  groupedPositions,
  esa,
  lagkv,
  lrsa,
  streamingLlm,
  tova,
  snapkv,
  pyramidkv,
  adakv,
  criticalkv,
  criticalAdakv,
  chunkkv,
  chunkkvEntropy,
  finch,
  simlayerkv,
  duoAttention,
  kvzip,
  observedAttention,
  expectedAttention,
  capkv,
  compactor,
  leverage,
  noncausal,
  cur,
  knorm,
  keydiff,
  block,
  chunk,
  streaming,
  freqkv,
  lorc,
  think,
  merging,
  quest,
  sparq,
  loki,
  tokenSelect,
  infLlm,
  squeezedAttention,
  minference,
  h2o,
  cascadingKv,
  oracle,
  random,
  sentences,
];

/** The method with this id. Throws UserError naming the known ones. */
export function methodById(id: string): Method {
  const method = methods.find((candidate) => candidate.id === id);
  if (method) return method;
  const known = methods.map((candidate) => candidate.id).join(', ');
  throw new UserError(`There is no method ${JSON.stringify(id)}; choose one of ${known}.`);
}
