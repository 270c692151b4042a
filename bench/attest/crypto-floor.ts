import { createCipheriv, diffieHellman, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { median } from '../measure/statistics.js';

/**
 * Milliseconds of CPU that the cryptography of one full attestation costs here, done by bare node:crypto calls:
 * the quote's signature (known platform), verdict signed and verified, leaf certificate signed, event signed and verified,
 * token signed, release sealed (key generation, agreement, encryption). The log's promise is shared by a batch and not counted.
 */
export function cryptoFloorMs(rounds = 300): { total: number; parts: Record<string, number> } {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed = generateKeyPairSync('ed25519');
  const quote = randomBytes(432);
  const token = randomBytes(1_500);
  const event = randomBytes(2_000);
  const options = { key: ec.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  const checking = { key: ec.publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const ecSignature = sign('sha256', token, options);
  const quoteSignature = sign('sha256', quote, options);
  const edSignature = sign(null, event, ed.privateKey);
  const steps: Record<string, () => unknown> = {
    quoteVerify: () => verify('sha256', quote, checking, quoteSignature),
    verdictSign: () => sign('sha256', token, options),
    verdictVerify: () => verify('sha256', token, checking, ecSignature),
    certificateSign: () => sign('sha256', token, options),
    eventSign: () => sign(null, event, ed.privateKey),
    eventVerify: () => verify(null, event, ed.publicKey, edSignature),
    tokenSign: () => sign('sha256', token, options),
    seal: () => {
      const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: ec.publicKey });
      const cipher = createCipheriv('aes-256-gcm', shared, randomBytes(12));
      cipher.update(token);
      cipher.final();
    },
  };
  const parts = Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, timed(step, rounds)]));
  return { total: Object.values(parts).reduce((sum, part) => sum + part, 0), parts };
}

function timed(step: () => unknown, rounds: number): number {
  const samples: number[] = [];
  for (let warm = 0; warm < 20; warm++) step();
  for (let at = 0; at < rounds; at++) {
    const started = process.hrtime.bigint();
    step();
    samples.push(Number(process.hrtime.bigint() - started) / 1e6);
  }
  return median(samples);
}
