import { AttestRequest } from '#contracts';
import { BINDING_CONVENTIONS, type BindingProperties, BINDINGS } from '#evidence';
import { describe, expect, it } from '@jest/globals';
import { presentedBinding } from './presented-binding.js';

const bytes = Buffer.from('what was hashed');
const request = (members: object): AttestRequest =>
  AttestRequest.parse({ evidence: 'AAAA', publicKey: { spki: 'AAAA' }, ...members });
const CARRIED = ['certificate', 'runtimeData', 'claims', 'configId'] as const;

describe('the binding of a request', () => {
  it.each(BINDING_CONVENTIONS)('%s takes what it hashes and nothing else', (binding) => {
    const { carries }: BindingProperties = BINDINGS[binding];
    expect(presentedBinding(request({ binding }))).toEqual({ convention: binding });
    for (const member of CARRIED) {
      const body = request({ binding, [member]: bytes.toString('base64url') });
      if (member === carries)
        expect(presentedBinding(body)).toEqual({ convention: binding, [member]: bytes });
      else
        expect(() => presentedBinding(body)).toThrow(expect.objectContaining({ code: 'REQUEST_MALFORMED' }));
    }
  });

  it('is refused where it is absent, unknown or empty', () => {
    expect(AttestRequest.safeParse({ evidence: 'AAAA', publicKey: { spki: 'AAAA' } }).success).toBe(false);
    for (const binding of ['', 'md5-spki', 'constructor', 'SHA256-SPKI']) {
      expect(() => presentedBinding(request({ binding }))).toThrow(
        expect.objectContaining({ code: 'BINDING_UNKNOWN' }),
      );
    }
  });
});
