import type { PlatformOptions, QuoteRequest } from '#simulator';
import { rsaKeys } from '../ra-tls/certificate-builder.js';
import type { AecsChanges } from './aecs-client.js';

export const INVALID_ARGUMENT = 3;

export function pemOf({ publicKey }: ReturnType<typeof rsaKeys>): string {
  return publicKey.export({ type: 'pkcs1', format: 'pem' }) as string;
}

/** Genuine evidence that the manifest does not let in, by either protocol: what, the enclave's word, the reason, the differences. */
export const REPORTS: readonly (readonly [string, string, string, QuoteRequest, PlatformOptions])[] = [
  ['a wrong measurement', 'stranger', 'MEASUREMENT_NOT_ALLOWED', {}, {}],
  ['a debug enclave', 'app', 'DEBUG_ENCLAVE', { debug: true } as QuoteRequest, {}],
  ['an SVN below the floor', 'newer', 'ISV_SVN_TOO_LOW', {}, {}],
  ['a TCB below policy', 'app', 'TCB_STATUS_NOT_ACCEPTED', {}, { name: 'old', tcbStatus: 'OutOfDate' }],
];
/** Reports of AECS clients that are refused before their quote is looked at: what, the status, the reason, the difference. */
export const UNREADABLE_REPORTS: readonly (readonly [string, number, string, AecsChanges])[] = [
  ['another report version', INVALID_ARGUMENT, 'AECS_REPORT_UNSUPPORTED', { report: { version: '2.0' } }],
  ['a report of another service', INVALID_ARGUMENT, 'AECS_REPORT_UNSUPPORTED', { report: { type: 'Uas' } }],
  ['another platform', INVALID_ARGUMENT, 'AECS_REPORT_UNSUPPORTED', { report: { platform: 'CSV' } }],
  ['nested reports', INVALID_ARGUMENT, 'AECS_REPORT_UNSUPPORTED', { report: { nested: '{}' } }],
  ['no JSON', INVALID_ARGUMENT, 'AECS_REPORT_MALFORMED', { report: { json: '{' } }],
  ['no quote', INVALID_ARGUMENT, 'AECS_REPORT_MALFORMED', { report: { json: '{"b64_quote":""}' } }],
  ['a key of SM2', INVALID_ARGUMENT, 'AECS_KEY_UNSUPPORTED', { pem: '-----BEGIN PUBLIC KEY-----\n' }],
  ['a key that is too short', INVALID_ARGUMENT, 'KEY_WEAK', { pem: pemOf(rsaKeys(1024)) }],
  [
    'no key at all',
    INVALID_ARGUMENT,
    'KEY_MALFORMED',
    { pem: '-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n' },
  ],
];
