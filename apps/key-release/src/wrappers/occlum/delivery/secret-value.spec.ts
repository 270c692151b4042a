import type { ReleasePayload } from '#contracts';
import type { OcclumAnswerGrant } from '#policy';
import { describe, expect, it } from '@jest/globals';
import { secretValue } from './secret-value.js';

const KEY = Buffer.from('a56d0011223344556677889900aabbff', 'hex');
const KEY_TEXT = 'a5-6d-00-11-22-33-44-55-66-77-88-99-00-aa-bb-ff\n';
const outcome = (value: string | Buffer, change: Partial<OcclumAnswerGrant>): Buffer | string => {
  const secret = {
    vault: 'v',
    objectName: 'o',
    objectType: 'secret',
    objectAlias: 'o',
    as: 'file',
    path: '/o',
  } as const;
  const content = Buffer.from(value).toString('base64');
  const payload: ReleasePayload = {
    v: 1,
    workload: 'w',
    env: {},
    files: [{ path: '/o', mode: '0400', content }],
    argv: [],
  };
  try {
    return secretValue(payload, { name: 'n', secret, form: 'text', encoding: 'none', ...change });
  } catch (error) {
    const { message, reason } = error as { message: string; reason: { code: string; message: string } };
    if (value.length > 4) expect(`${message} ${reason.message}`).not.toContain(value.toString());
    return reason.code;
  }
};

describe('what a file of an Occlum enclave holds', () => {
  it.each([
    ['text', { form: 'text' }, 'zwölf', Buffer.from('zwölf')],
    ['bytes as they are', { form: 'bytes' }, Buffer.of(0, 1, 255), Buffer.of(0, 1, 255)],
    ['bytes from hex', { form: 'bytes', encoding: 'hex', length: 3 }, '0001FF', Buffer.of(0, 1, 255)],
    ['bytes from base64', { form: 'bytes', encoding: 'base64' }, 'AAH_', Buffer.of(0, 1, 255)],
    ['base64', { form: 'base64', encoding: 'hex' }, '0001ff02', Buffer.from('AAH/Ag==')],
    [
      'an image key from hex',
      { form: 'image-key', encoding: 'hex' },
      KEY.toString('hex'),
      Buffer.from(KEY_TEXT),
    ],
    [
      'an image key from base64',
      { form: 'image-key', encoding: 'base64' },
      KEY.toString('base64'),
      Buffer.from(KEY_TEXT),
    ],
    ['an image key as Occlum writes it', { form: 'image-key' }, KEY_TEXT, Buffer.from(KEY_TEXT)],
    ['an image key without its line end', { form: 'image-key' }, KEY_TEXT.trim(), Buffer.from(KEY_TEXT)],
  ] as const)('%s', (_what, change, value, expected) => expect(outcome(value, change)).toEqual(expected));

  it.each([
    ['OCCLUM_SECRET_EMPTY', {}, ''],
    ['SECRET_NOT_TEXT', {}, Buffer.from('a\0b')],
    ['SECRET_NOT_TEXT', {}, Buffer.of(0xff, 0xfe)],
    ['OCCLUM_ENCODING', { form: 'bytes', encoding: 'hex' }, '0001f'],
    ['OCCLUM_ENCODING', { form: 'bytes', encoding: 'base64' }, 'AAH/\n'],
    ['OCCLUM_SECRET_LENGTH', { form: 'bytes', encoding: 'hex', length: 32 }, '0001ff'],
    ['OCCLUM_IMAGE_KEY', { form: 'image-key', encoding: 'hex' }, KEY.toString('hex').slice(2)],
    ['OCCLUM_IMAGE_KEY', { form: 'image-key' }, KEY.toString('hex')],
    ['OCCLUM_SECRET_TOO_LONG', {}, 'x'.repeat(10_238)],
    ['OCCLUM_SECRET_TOO_LONG', { name: 'image_key' }, 'x'.repeat(254)],
  ] as const)('%s %j', (code, change, value) => expect(outcome(value, change)).toBe(code));
});
