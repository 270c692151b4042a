import { SiegelError } from '#contracts';
import { SimulatedSgx } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import type { TLSSocket } from 'node:tls';
import { certificateWith, ecKeys, spkiOf } from '../../../../test/ra-tls/certificate-builder.js';
import { identityIn } from '../../../../test/ra-tls/dialect-identities.js';
import { attestationInput, certificateOf, raTlsPeer } from './ra-tls-peer.js';
import { tlsOptions } from './server-identity.js';

const platform = SimulatedSgx.create().platform({ name: 'peer' });
const quoting = (reportData: Buffer): Buffer => platform.quote({ reportData });
const reasonOf = (attempt: () => unknown): [string, string | undefined] => {
  try {
    attempt();
    return ['accepted', undefined];
  } catch (error) {
    const { code, reason } = error as SiegelError;
    return [code, reason?.code];
  }
};

describe('the peer of a TLS connection', () => {
  it('is its key and what its certificate carries', () => {
    const { keys, certificate } = identityIn('dice', quoting, { claimed: { region: 'eu' } });
    const input = attestationInput(raTlsPeer(certificate));
    expect(input).toMatchObject({
      format: 'dcap',
      binding: { convention: 'dice-claims' },
      customClaims: { region: Buffer.from('eu').toString('hex') },
    });
    expect(input.binding.key.spki).toEqual(spkiOf(keys));
  });

  it('is none without a certificate, or with one that carries nothing', () => {
    expect(reasonOf(() => raTlsPeer(undefined))).toEqual(['EVIDENCE_MALFORMED', 'CERTIFICATE_MISSING']);
    const bare = certificateWith({ keys: ecKeys(), extensions: [] });
    expect(reasonOf(() => raTlsPeer(bare))).toEqual(['EVIDENCE_MALFORMED', 'EVIDENCE_MISSING']);
  });

  it("is not taken from an earlier handshake's certificate", () => {
    const socket = (reused: boolean): TLSSocket =>
      ({ isSessionReused: () => reused, getPeerX509Certificate: () => undefined }) as never;
    expect(certificateOf(socket(false))).toBeUndefined();
    expect(reasonOf(() => certificateOf(socket(true)))).toEqual([
      'EVIDENCE_MALFORMED',
      'TLS_SESSION_RESUMED',
    ]);
  });

  it('is asked for its certificate only where RA-TLS is on', () => {
    const identity = { cert: 'c', key: 'k' };
    expect(tlsOptions(identity)).not.toHaveProperty('requestCert');
    expect(tlsOptions(identity, true)).toMatchObject({ requestCert: true, rejectUnauthorized: false });
  });
});
