import type { BindingInput } from '#evidence';
import type { KeyBinding } from './interface.js';

/** What a convention's check is given: the key, the challenge's bytes, and what a protocol carried besides. */
export function bindingInput(binding: KeyBinding, nonce: Buffer | undefined): BindingInput {
  const { key, claims, runtimeData, certificate, configId } = binding;
  return { spki: key.spki, nonce, claims, runtimeData, certificate, configId };
}
