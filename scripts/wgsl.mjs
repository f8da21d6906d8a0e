/**
 * Shaders at build time: a `.wgsl` file with bindings becomes a module of its code, which bindings it has and where its
 * parameters lie, as webgpu-utils reads them; a part without bindings becomes its code. So no program carries a parser.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Float16Array } from '@petamoriken/float16';
import { root } from './setup.mjs';

// webgpu-utils reads both while it loads or describes: Node 20 has neither.
Object.assign(globalThis, {
  Float16Array: /** @type {{ Float16Array?: unknown }} */ (globalThis).Float16Array ?? Float16Array,
  GPUShaderStage: /** @type {{ GPUShaderStage?: unknown }} */ (globalThis).GPUShaderStage ?? {
    VERTEX: 1,
    FRAGMENT: 2,
    COMPUTE: 4,
  },
});
const { makeShaderDataDefinitions } = await import('webgpu-utils');

/** Bytes of one dispatch's parameters, see gpu/webgpu/pipelines.ts. */
const PARAMETER_BYTES = 256;

/** Of loops to be unrolled. */
const MARK = '// unrolled';

/** @returns {import('vite').Plugin} */
export function wgsl() {
  return {
    name: 'keyhole-wgsl',
    enforce: 'pre',
    load(id) {
      if (!id.endsWith('.wgsl')) return null;
      this.addWatchFile(id);
      return `export default ${JSON.stringify(moduleOf(readFileSync(id, 'utf8'), id))};`;
    },
  };
}

/** @param {string} source @param {string} file for messages */
function moduleOf(source, file) {
  return source.includes('@binding') ? shaderOf(source, file) : compact(source);
}

/**
 * The shader that a kernel is made of: uniform `params: Params` at binding 0, storage buffers from binding 1 on.
 *
 * @param {string} source
 * @param {string} file for messages
 * @returns {import('../gpu/webgpu/kernel').Shader}
 * @throws {Error} where its interface is another
 */
export function shaderOf(source, file = 'shader') {
  const { resources, fields } = interfaceOf(source, file);
  const [uniform, ...storages] = resources.toSorted((a, b) => a.entry.binding - b.entry.binding);
  if (uniform?.name !== 'params' || uniform.entry.binding !== 0) {
    throw new Error(`${file}: the uniform at binding 0 must be params: Params`);
  }
  return {
    code: compact(source),
    bindings: Object.fromEntries(
      storages.map(({ name, group, entry }, index) => {
        const type = entry.buffer?.type;
        const isStorage = type === 'storage' || type === 'read-only-storage';
        if (group !== 0 || entry.binding !== index + 1 || !isStorage) {
          throw new Error(`${file}: ${name} is not the storage buffer at binding ${index + 1}`);
        }
        return [name, type === 'storage' ? 'write' : 'read'];
      }),
    ),
    parameters: Object.fromEntries(fields),
  };
}

/**
 * What webgpu-utils finds in the head of a shader. Its parser does not know all of WGSL, so that it gets a body that says
 * only that every binding is used.
 *
 * @param {string} source @param {string} file
 */
function interfaceOf(source, file) {
  const head = source.slice(0, source.indexOf(';', source.lastIndexOf('@binding')) + 1);
  const names = [...head.matchAll(/\bvar\s*<[^>]*>\s*(\w+)/g)].map(([, name]) => name);
  const uses = names.map((name, index) => `let used${index} = &${name};`);
  const definitions = makeShaderDataDefinitions(
    `${head}\n@compute @workgroup_size(1) fn main() { ${uses.join(' ')} }`,
  );
  const layout = definitions.uniforms.params?.typeDefinition;
  if (!layout || !('fields' in layout) || layout.size > PARAMETER_BYTES) {
    throw new Error(`${file}: params must be a struct of at most ${PARAMETER_BYTES} bytes`);
  }
  const { fields } = /** @type {import('webgpu-utils').StructDefinition} */ (layout);
  return {
    resources: definitions.entryPoints.main?.resources ?? [],
    fields: Object.entries(fields).map(([name, { offset, type }], index) => {
      const scalar = 'type' in type ? type.type : '';
      if (scalar !== 'u32' && scalar !== 'f32') {
        throw new Error(`${file}: parameter ${name} is ${scalar}, not u32 or f32`);
      }
      if (offset !== 4 * index) throw new Error(`${file}: ${name} does not follow the parameter before it`);
      return /** @type {const} */ ([name, scalar]);
    }),
  };
}

/**
 * WGSL without comments and indentation. Lines keep their numbers, for messages about them, and the mark of loops to be
 * unrolled stays (gpu/webgpu/unroll.ts).
 *
 * @param {string} source
 */
export function compact(source) {
  return source
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ''))
    .split('\n')
    .map((line) => (line.endsWith(MARK) ? line : line.replace(/\/\/.*$/, '')).trim())
    .join('\n');
}

/**
 * Types of what `wgsl` makes of files: the names of their bindings and parameters.
 *
 * @param {readonly string[]} files paths of `.wgsl` files, whose names all differ
 */
export function declarationsOf(files) {
  const known = new Set();
  const modules = files.toSorted().map((file) => {
    const source = readFileSync(file, 'utf8');
    const name = basename(file);
    if (known.has(name)) throw new Error(`${file}: another shader has this name`);
    known.add(name);
    if (!source.includes('@binding')) return declaration(name, 'const code: string', 'code');
    const { bindings, parameters } = shaderOf(source, file);
    const union = (/** @type {object} */ named) =>
      Object.keys(named)
        .map((name) => `'${name}'`)
        .join(' | ');
    return declaration(
      name,
      `const shader: import('./webgpu/kernel').Shader<\n    ${union(bindings)},\n    ${union(parameters)}\n  >`,
      'shader',
    );
  });
  return [
    '// Made by `node scripts/wgsl.mjs` from all .wgsl files: what their modules hold.',
    ...modules,
    '',
  ].join('\n');
}

/** @param {string} name @param {string} what @param {string} exported */
function declaration(name, what, exported) {
  return `declare module '*/${name}' {\n  ${what};\n  export default ${exported};\n}`;
}

/** All shaders of a checkout. @param {string} folder */
export function shaderFiles(folder) {
  return ['gpu', 'bench'].flatMap((room) =>
    readdirSync(join(folder, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.wgsl'))
      .map((name) => join(folder, room, name)),
  );
}

/** Where their types stand. */
export const DECLARATIONS = join('gpu', 'shaders.d.ts');

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(root, DECLARATIONS), declarationsOf(shaderFiles(root)));
}
