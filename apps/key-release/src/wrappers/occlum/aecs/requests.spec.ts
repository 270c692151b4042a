import { SiegelError } from '#contracts';
import { GrpcError } from '#platform';
import { mirrorSignature, SimulatedSgx } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AecsClient } from '../../../../../../test/occlum/aecs-client.js';
import { quoteIdentity } from './client-report.js';
import { readGetEnclaveSecret, readTaGetSecret } from './requests.js';

const platform = SimulatedSgx.create().platform({ name: 'aecs' });
const nowhere = (): Promise<Buffer> => Promise.reject(new Error('not connected'));
const client = new AecsClient(nowhere, (reportData) => platform.quote({ reportData }), {}, { version: 3 });
const request = client.getEnclaveSecretRequest('service1', 'image_key', 'n');

describe('requests of AECS clients', () => {
  it('are read whole', () => {
    const { report, ...asked } = readGetEnclaveSecret(request);
    expect(asked).toEqual({ service: 'service1', name: 'image_key', nonce: 'n' });
    expect(report.pem.toString()).toBe(client.pem);
    expect(report.quote.readUInt16LE(0)).toBe(3);
  });

  it('of AECS 2 are read with names as in the .proto file and in camel case', () => {
    for (const json of [
      '{"service_name":"s","secret_name":"n","nonce":"x"}',
      '{"serviceName":"s","secretName":"n","nonce":"x"}',
    ]) {
      const { report: _report, ...asked } = readTaGetSecret(client.taRequest('TaGetSecret', json));
      expect(asked).toEqual({ service: 's', name: 'n', nonce: 'x' });
    }
    expect(() => readTaGetSecret(client.taRequest('TaGetSecret', '{"secret_name":7}'))).toThrow(SiegelError);
    expect(() => readTaGetSecret(client.taRequest('TaDestroySecret', '{}'))).toThrow(GrpcError);
  });

  it('whatever arrives, it is read or refused by name, and quickly', () => {
    const mutated = fc
      .array(fc.tuple(fc.nat(request.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const copy = Buffer.from(request);
        for (const [at, value] of changes) copy[at] = value;
        return copy;
      });
    const cut = fc.nat(request.length).map((end) => request.subarray(0, end));
    const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(mutated, cut, noise), (bytes) => {
        for (const read of [readGetEnclaveSecret, readTaGetSecret]) {
          try {
            read(bytes);
          } catch (error) {
            if (!(error instanceof SiegelError || error instanceof GrpcError)) throw error;
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('what tells quotes apart', () => {
  it('is not fooled by the other form of the same signature, or by padding', () => {
    const quote = platform.quote({ reportData: '11'.repeat(64) });
    const copy = Buffer.from(quote);
    mirrorSignature(quote.subarray(436, 500)).copy(copy, 436);
    expect(copy.equals(quote)).toBe(false);
    expect(quoteIdentity(copy)).toBe(quoteIdentity(quote));
    expect(quoteIdentity(Buffer.concat([quote, Buffer.alloc(64)]))).toBe(quoteIdentity(quote));
    const other = SimulatedSgx.create()
      .platform({ name: 'another' })
      .quote({ reportData: '11'.repeat(64) });
    expect(quoteIdentity(other)).not.toBe(quoteIdentity(quote));
  });
});
