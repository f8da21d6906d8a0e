import { type DeviceBuffer, type HalfType, isHalf } from '../../rows';
import { type Shader, withParts } from '../../webgpu/kernel';
import bf16Code from './stored-bf16.wgsl';
import f16Code from './stored-f16.wgsl';
import f32Code from './stored-f32.wgsl';

type StoredType = 'f32' | HalfType;

type Define<Binding extends string, Parameter extends string, Defined> = (
  name: string,
  shader: Shader<Binding, Parameter>,
) => Defined;

/**
 * What `define` makes of a shader that reads `array<Stored>` by numbers(), for each type that weights are stored in. Names end with
 * those of halves.
 */
export function forStored<Binding extends string, Parameter extends string, Defined>(
  name: string,
  shader: Shader<Binding, Parameter>,
  define: Define<Binding, Parameter, Defined>,
): Readonly<Record<StoredType, Defined>> {
  return { f32: define(name, withParts(shader, f32Code)), ...forHalves(name, shader, define) };
}

/** The same for halves alone. */
export function forHalves<Binding extends string, Parameter extends string, Defined>(
  name: string,
  shader: Shader<Binding, Parameter>,
  define: Define<Binding, Parameter, Defined>,
): Readonly<Record<HalfType, Defined>> {
  return {
    f16: define(`${name}-f16`, withParts(shader, f16Code)),
    bf16: define(`${name}-bf16`, withParts(shader, bf16Code)),
  };
}

/** What the buffer of a checked view holds: no integers. */
export function storedType({ type }: DeviceBuffer): StoredType {
  return isHalf(type) ? type : 'f32';
}
