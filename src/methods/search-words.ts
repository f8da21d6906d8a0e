/** What a reader may look for beside a method's title, rule and facts. Fetched by the page with its list of methods. */

/** Titles of papers, names in other programs, words of the field. By id. */
const words: Readonly<Record<string, string>> = {
  full: 'dense vanilla RoPE scaling position interpolation NTK YaRN',
  'grouped-positions':
    'LLM Maybe LongLM: Self-Extend LLM Context Window Without Tuning; SelfExtend length extrapolation',
  esa: 'Unshackling Context Length: An Efficient Selective Attention Approach through Query-Key Compression; query-aware retrieval; top-k topk',
  lagkv:
    'LagKV: Lag-Relative Information of the KV Cache Tells Which Tokens Are Important; LagKVPress query-agnostic attention-free; AI-Lab-China-Merchants-Bank/LagKV',
  lrsa: 'Lag-Relative Sparse Attention In Long Context Training; query-agnostic attention-free',
  'streaming-llm':
    'Efficient Streaming Language Models with Attention Sinks; StreamingLLMPress sliding window query-agnostic attention-free; mit-han-lab/streaming-llm',
  tova: 'Transformers are Multi-State RNNs; Token Omission Via Attention; TOVAPress; schwartz-lab-NLP/TOVA',
  snapkv:
    'SnapKV: LLM Knows What You are Looking for Before Generation; SnapKVPress observation window query-aware',
  pyramidkv:
    'PyramidKV: Dynamic KV Cache Compression based on Pyramidal Information Funneling; PyramidKVPress layer budgets',
  adakv:
    'Ada-KV: Optimizing KV Cache Eviction by Adaptive Budget Allocation for Efficient LLM Inference; AdaKVPress head budgets',
  criticalkv:
    'Identify Critical KV Cache in LLM Inference from an Output Perturbation Perspective; CriticalKVPress',
  'critical-adakv':
    'Identify Critical KV Cache in LLM Inference from an Output Perturbation Perspective; CriticalAdaKVPress Ada-CriticalKV',
  chunkkv:
    'ChunkKV: Semantic-Preserving KV Cache Compression for Efficient Long-Context LLM Inference; ChunkKVPress',
  'chunkkv-entropy': 'EntropyGatedChunkKVPress',
  finch: 'FINCH: Prompt-guided Key-Value Cache Compression; FinchPress query-aware',
  simlayerkv:
    'SimLayerKV: A Simple Framework for Layer-Level KV Cache Reduction; SimLayerKVPress lazy layers',
  'duo-attention':
    'DuoAttention: Efficient Long-Context LLM Inference with Retrieval and Streaming Heads; DuoAttentionPress',
  kvzip:
    'KVzip: Query-Agnostic KV Cache Compression with Context Reconstruction; KVzipPress KVzip+ KVzipPlus',
  'observed-attention': 'ObservedAttentionPress; H2O heavy hitter accumulated attention',
  'expected-attention':
    'Expected Attention: KV Cache Compression by Estimating Attention from Future Queries Distribution; ExpectedAttentionPress query-agnostic',
  capkv:
    'Rethinking KV Cache Eviction via a Unified Information-Theoretic Objective; CapPress CAPKVPress query-agnostic',
  compactor:
    'Compactor: Calibrated Query-Agnostic KV Cache Compression with Approximate Leverage Scores; CompactorPress',
  leverage:
    'Compactor: Calibrated Query-Agnostic KV Cache Compression with Approximate Leverage Scores; LeverageScorePress attention-free',
  noncausal:
    'Compactor: Calibrated Query-Agnostic KV Cache Compression with Approximate Leverage Scores; NonCausalAttnPress',
  cur: 'Value-Guided KV Compression for LLMs via Approximated CUR Decomposition; CURPress query-agnostic attention-free',
  knorm:
    'A Simple and Effective L2 Norm-Based Strategy for KV Cache Compression; KnormPress query-agnostic attention-free',
  keydiff:
    'KeyDiff: Key Similarity-Based KV Cache Eviction for Long-Context LLM Inference in Resource-Constrained Environments; KeyDiffPress query-agnostic attention-free',
  block: 'BlockPress blockwise query-agnostic',
  chunk: 'ChunkPress chunkwise query-agnostic',
  streaming: 'DecodingPress PrefillDecodingPress',
  freqkv:
    'FreqKV: Frequency Domain Key-Value Compression for Efficient Context Window Extension; DCT cosine transform query-agnostic; LUMIA-Group/FreqKV',
  lorc: 'LoRC: Low-Rank Compression for LLMs KV Cache with a Progressive Compression Strategy; SVD singular values query-agnostic',
  think: 'ThinK: Thinner Key Cache by Query-Driven Pruning; ThinKPress query-aware channel pruning',
  merging: 'MergingPress token merging',
  quest: 'Quest: Query-Aware Sparsity for Efficient Long-Context LLM Inference; mit-han-lab/Quest top-k topk',
  sparq:
    'SparQ Attention: Bandwidth-Efficient LLM Inference; query-aware; graphcore-research/llm-inference-research top-k topk',
  loki: 'Loki: Low-rank Keys for Efficient Sparse Attention; PCA query-aware; hpcgroup/loki top-k topk',
  tokenselect:
    'TokenSelect: Efficient Long-Context Inference and Length Extrapolation for LLMs via Dynamic Token-Level KV Cache Selection; query-aware retrieval; pzs19/TokenSelect top-k topk',
  infllm:
    'InfLLM: Training-Free Long-Context Extrapolation for LLMs with an Efficient Context Memory; query-aware retrieval; thunlp/InfLLM top-k topk',
  'squeezed-attention':
    'Squeezed Attention: Accelerating Long Context Length LLM Inference; k-means clustering query-aware retrieval; SqueezeAILab/SqueezedAttention',
  minference:
    'MInference 1.0: Accelerating Pre-filling for Long-Context LLMs via Dynamic Sparse Attention; vertical-slash; microsoft/MInference',
  h2o: 'H2O: Heavy-Hitter Oracle for Efficient Generative Inference of Large Language Models; heavy hitters accumulated attention; FMInference/H2O',
  'cascading-kv':
    'Training-Free Exponential Context Extension via Cascading KV Cache; jeffwillette/cascading_kv_cache',
  oracle: 'exact top-k upper bound; topk',
  random: 'RandomPress query-agnostic',
  sentences: 'CPC context-aware prompt compression extractive',
};

/** Whoever is a press of kvpress is found by that name. */
export const searchWords: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(words).map(([id, of]) => [id, /Press\b/.test(of) ? `${of}; NVIDIA/kvpress` : of]),
);
