import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, hash } from 'node:crypto';
import { checkBinding } from '../index.js';

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const spki = publicKey.export({ type: 'spki', format: 'der' });
const pem = publicKey.export({ type: 'pkcs1', format: 'pem' }) as string;
const over = (text: string, low = Buffer.alloc(32)): Buffer =>
  Buffer.concat([low, hash('sha256', text, 'buffer')]);
const check = (reportData: Buffer, text: string, key: Buffer = spki): string => {
  const result = checkBinding('aecs-pem', reportData, { spki: key, runtimeData: Buffer.from(text) });
  return result.ok ? 'ok' : result.code;
};

describe('the binding of AECS clients', () => {
  it('is the hash of the PEM text as sent, in the upper half', () => {
    expect(check(over(pem), pem)).toBe('ok');
    const windows = pem.replaceAll('\n', '\r\n');
    expect(check(over(windows), windows)).toBe('ok');
    expect(check(over(pem), windows)).toBe('BINDING_MISMATCH');
  });

  it('leaves no room for user data or another half', () => {
    expect(check(over(pem, Buffer.alloc(32, 1)), pem)).toBe('BINDING_MISMATCH');
    expect(check(Buffer.concat([hash('sha256', pem, 'buffer'), Buffer.alloc(32)]), pem)).toBe(
      'BINDING_MISMATCH',
    );
  });

  it('needs the presented key in one PKCS #1 PEM text and nothing around it', () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const foreign = other.export({ type: 'spki', format: 'der' });
    expect(check(over(pem), pem, foreign)).toBe('KEY_NOT_IN_RUNTIME_DATA');
    const asSpki = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const broken = pem.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA');
    for (const text of [asSpki, `x\n${pem}`, `${pem}${pem}`, broken, ''])
      expect(check(over(text), text)).toBe('BINDING_INPUT_INVALID');
  });

  it('has no room for a challenge', () => {
    const result = checkBinding('aecs-pem', over(pem), {
      spki,
      runtimeData: Buffer.from(pem),
      nonce: Buffer.alloc(32),
    });
    expect(result).toMatchObject({ ok: false, code: 'CHALLENGE_NOT_BOUND' });
  });
});
