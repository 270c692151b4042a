import { SimulatedSgx } from '#simulator';
import { afterEach, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { AttestationDevice } from '../../../../../../test/gramine/attestation-device.js';
import { checkServer } from '../../../../../../test/occlum/ratls-client.js';
import type { KeyReleaseEnvironment } from '../../../environment.js';
import { X509Certificate } from 'node:crypto';
import { serverIdentity } from './server-certificate.js';
import { serverQuotes } from './server-quote.js';

const platform = SimulatedSgx.create().platform({ name: 'server' });
const MRENCLAVE = 'cd'.repeat(32);
const quoteOver = (reportData: Buffer): Buffer => platform.quote({ mrenclave: MRENCLAVE, reportData });
const environment = (changes: Record<string, unknown>): KeyReleaseEnvironment =>
  ({ SIEGEL_OCCLUM_RATLS_QUOTES: 'none', SIEGEL_SIMULATION: true, ...changes }) as never;

describe('the quote in our own certificate', () => {
  const devices: AttestationDevice[] = [];
  const device = (quote: (reportData: Buffer) => Buffer): AttestationDevice => {
    const made = new AttestationDevice(quote);
    devices.push(made);
    return made;
  };
  const sourceOf = ({ folder }: AttestationDevice) =>
    serverQuotes(
      environment({ SIEGEL_OCCLUM_RATLS_QUOTES: 'simulated', SIEGEL_OCCLUM_RATLS_DEVICE: folder }),
    );
  afterEach(async () => {
    for (const each of devices.splice(0)) await each.close();
  });

  it('comes from nowhere by itself, and the error says what to do', () => {
    expect(() => serverQuotes(environment({}))).toThrow(
      /SIEGEL_OCCLUM_RATLS_QUOTES: .*certificate carries an SGX quote.*gramine-device.*--init-ra aecs/,
    );
  });

  it('is simulated in deployments of simulated evidence alone', () => {
    const kind = { SIEGEL_OCCLUM_RATLS_QUOTES: 'simulated' };
    expect(() => serverQuotes(environment({ ...kind, SIEGEL_SIMULATION: false }))).toThrow(
      /SIEGEL_SIMULATION/,
    );
    expect(() => serverQuotes(environment(kind))).toThrow(/SIEGEL_OCCLUM_RATLS_DEVICE: is required/);
  });

  it('is asked of the device of Gramine where that is named', async () => {
    const source = serverQuotes(environment({ SIEGEL_OCCLUM_RATLS_QUOTES: 'gramine-device' }));
    await expect(source.quote(Buffer.alloc(64))).rejects.toThrow(/\/dev\/attestation/);
  });

  it('makes a certificate that Occlum accepts, over a new key each time', async () => {
    const source = sourceOf(
      device((reportData) => Buffer.concat([quoteOver(reportData), Buffer.alloc(512)])),
    );
    const [one, two] = await Promise.all([
      serverIdentity(source, new Date()),
      serverIdentity(source, new Date()),
    ]);
    expect(one.key).not.toBe(two.key);
    for (const { cert } of [one, two]) {
      const { raw } = new X509Certificate(cert);
      const { quote } = checkServer(raw, { mrEnclave: MRENCLAVE, verifyQuote: () => undefined });
      // Padding of the device's buffer stays outside.
      expect(quote.length).toBe(quoteOver(Buffer.alloc(64)).length);
      expect(raw.subarray(4, 40).includes(Buffer.of(0xa0, 3, 2, 1, 2))).toBe(false);
    }
  });

  it.each([
    ['a quote over other report data', () => quoteOver(Buffer.alloc(64, 9)), /other report data/],
    ['no quote', () => Buffer.alloc(2_000), /no quote/],
  ])('is not taken from a device that gives %s', async (_what, quote, message) => {
    await expect(serverIdentity(sourceOf(device(quote)), new Date())).rejects.toThrow(message);
  });

  it('is of DCAP', async () => {
    const epid = device(quoteOver);
    writeFileSync(epid.path('attestation_type'), 'epid');
    await expect(sourceOf(epid).quote(Buffer.alloc(64))).rejects.toThrow(/"epid", not dcap/);
  });
});
