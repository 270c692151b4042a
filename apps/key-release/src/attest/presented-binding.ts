import { type AttestRequest, SiegelError } from '#contracts';
import { type BindingConvention, BINDINGS, type BindingProperties, isBindingConvention } from '#evidence';
import type { KeyBinding } from '../pipeline/interface.js';

const CARRIED = ['certificate', 'runtimeData', 'claims', 'configId'] as const;

/**
 * The binding that a request names, with what that convention hashes; what another convention would hash is refused rather than
 * ignored, since the caller believes that it is bound.
 *
 * @throws SiegelError BINDING_UNKNOWN, REQUEST_MALFORMED
 */
export function presentedBinding(body: AttestRequest): Omit<KeyBinding, 'key' | 'challenge'> {
  const convention = body.binding;
  if (!isBindingConvention(convention)) throw new SiegelError('BINDING_UNKNOWN');
  const { carries } = propertiesOf(convention);
  for (const member of CARRIED) {
    if (member !== carries && body[member] !== undefined) {
      throw new SiegelError('REQUEST_MALFORMED', {
        detail: `the binding ${convention} does not cover "${member}"`,
      });
    }
  }
  const text = carries === undefined ? undefined : body[carries];
  if (carries === undefined || text === undefined) return { convention };
  return { convention, [carries]: Buffer.from(text, 'base64url') };
}

const propertiesOf = (convention: BindingConvention): BindingProperties => BINDINGS[convention];
