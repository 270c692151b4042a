import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { QuoteRequest } from '#simulator';
import {
  b64u,
  front,
  HELD,
  held,
  onlyEvent,
  parts,
  quote,
  reportData,
  tail,
  tokenOf,
} from './attested-world.js';
import { openEnclaveReport } from './front.js';

/** Requests as other clients write them, those that are refused, and those that are none. */
export function requestCases(): void {
  describe('what other clients send', () => {
    it.each([
      ['standard base64 with padding', 'SgxEnclave', () => ({ quote: quote().toString('base64') })],
      ['other letter case and a slash at the end', 'sgxenclave/', () => ({ quote: b64u(quote()) })],
      [
        'empty init-time data and unknown members',
        'SGXENCLAVE',
        () => ({
          quote: b64u(quote()),
          initTimeData: { data: '', dataType: '' },
          somethingElse: { deep: [1] },
        }),
      ],
      [
        'a stated type of nothing',
        'SgxEnclave',
        () => ({ quote: b64u(quote()), runtimeData: { data: b64u(HELD) } }),
      ],
    ])('%s', async (_what, kind, body) => {
      tokenOf(await front.attest(kind, body()));
      await onlyEvent('token.issued');
    });

    it('a nonce of 64 bits keeps all its digits', async () => {
      const body = `{"nonce":18446744073709551615,"quote":"${b64u(quote())}"}`;
      const { claims } = parts(
        tokenOf(await front.attest('SgxEnclave', body, { 'content-type': 'text/plain' })),
      );
      expect(claims['nonce']).toBe('18446744073709551615');
      await onlyEvent('token.issued');
    });

    it('no api-version, and /certs with a slash: RSA keys alone', async () => {
      tokenOf(
        await front.http.call('POST', '/attest/SgxEnclave', {
          body: JSON.stringify({ quote: b64u(quote()) }),
        }),
      );
      expect((await onlyEvent('token.issued')).data.apiVersion).toBeUndefined();
      const answer = await front.http.call('GET', '/certs/');
      const { keys } = answer.body as { keys: { kty: string; n: string; e: string; x5c: string[] }[] };
      for (const { kty, n, e, x5c } of keys) {
        expect(kty).toBe('RSA');
        const bits = createPublicKey({ key: { kty, n, e }, format: 'jwk' }).asymmetricKeyDetails!
          .modulusLength;
        expect(bits).toBeGreaterThanOrEqual(2048);
        expect(Buffer.from(x5c[0]!, 'base64').toString('base64')).toBe(x5c[0]);
      }
    });
  });

  describe('refused, each with its event', () => {
    const flipped = (): Buffer => {
      const bytes = quote();
      bytes[200]! ^= 1;
      return bytes;
    };
    const deny = (evidence: () => Buffer, kind = 'SgxEnclave') => ({ evidence, kind });
    it.each([
      [
        'a debug enclave',
        deny(() => quote({ debug: true } as QuoteRequest)),
        'PolicyEvaluationError',
        'POLICY_DENIED',
      ],
      [
        'a platform out of date',
        deny(() => quote({}, { tcbStatus: 'OutOfDate' })),
        'PolicyEvaluationError',
        'TENANT_CONDITION_UNMET',
      ],
      [
        'a platform that needs configuration',
        deny(() => quote({}, { tcbStatus: 'ConfigurationNeeded' })),
        'PolicyEvaluationError',
        'TENANT_CONDITION_UNMET',
      ],
      [
        'a revoked platform',
        deny(() => quote({}, { tcbStatus: 'Revoked' })),
        'InvalidQuote',
        expect.any(String),
      ],
      [
        'another signer',
        deny(() => openEnclaveReport(quote({ mrsigner: 'ee'.repeat(32) } as QuoteRequest)), 'OpenEnclave'),
        'PolicyEvaluationError',
        'POLICY_DENIED',
      ],
      ['a changed quote', deny(flipped), 'InvalidQuote', expect.stringMatching(/SIGNATURE/)],
      ['no quote at all', deny(() => Buffer.alloc(2_000, 7)), 'InvalidQuote', expect.stringMatching(/QUOTE/)],
      [
        'a report without its header',
        deny(() => quote(), 'OpenEnclave'),
        'InvalidQuote',
        'OE_HEADER_INVALID',
      ],
      [
        'a TD as an enclave',
        deny(() =>
          front.siegel.machines.sgx
            .platform({ name: 'demo' })
            .quote({ tee: 'tdx', reportData: reportData(HELD) } as QuoteRequest),
        ),
        'InvalidQuote',
        'TEE_MISMATCH',
      ],
    ])('%s', async (_what, { evidence, kind }, code, inner) => {
      const name = kind === 'OpenEnclave' ? 'report' : 'quote';
      const answer = await front.attest(kind, { [name]: b64u(evidence()), runtimeData: held });
      const { error } = answer.body as {
        error: { code: string; message: string; innererror: { code: string } };
      };
      expect({ status: answer.status, code: error.code, header: answer.headers['x-ms-error-code'] }).toEqual({
        status: 400,
        code,
        header: code,
      });
      expect(error.message).not.toBe('');
      expect(error.innererror.code).toEqual(inner);
      const event = await onlyEvent('token.refused');
      expect(event.reason?.code).toBe(error.innererror.code);
      expect(answer.headers['x-ms-request-id']).toBe(event.id);
    });

    it('the explanation names what was expected and what is', async () => {
      const answer = await front.attest('SgxEnclave', { quote: b64u(quote({}, { tcbStatus: 'OutOfDate' })) });
      expect(answer.text).toContain('tcb-status: expected UpToDate | SWHardeningNeeded, is OutOfDate.');
      await onlyEvent('token.refused');
    });
  });

  describe('requests that are none', () => {
    it.each([
      ['no JSON', 'SgxEnclave', '{"quote":', 400, 'InvalidParameter'],
      ['an array', 'SgxEnclave', '[]', 400, 'InvalidParameter'],
      ['no quote', 'SgxEnclave', '{}', 400, 'InvalidParameter'],
      ['an empty quote', 'SgxEnclave', '{"quote":""}', 400, 'InvalidParameter'],
      ['no base64', 'SgxEnclave', '{"quote":"a b"}', 400, 'InvalidParameter'],
      ['mixed base64', 'SgxEnclave', '{"quote":"a-b+"}', 400, 'InvalidParameter'],
      ['a huge quote', 'SgxEnclave', `{"quote":"${'A'.repeat(60_000)}"}`, 400, 'InvalidParameter'],
      ['a huge body', 'SgxEnclave', `{"quote":"${'A'.repeat(500_000)}"}`, 413, 'InvalidParameter'],
      ['the wrong member', 'OpenEnclave', '{"quote":"AAAA"}', 400, 'InvalidParameter'],
      [
        'an unknown data type',
        'SgxEnclave',
        '{"quote":"AAAA","runtimeData":{"data":"AAAA","dataType":"XML"}}',
        400,
        'InvalidParameter',
      ],
      [
        'JSON that is none',
        'SgxEnclave',
        '{"quote":"AAAA","runtimeData":{"data":"AAAA","dataType":"JSON"}}',
        400,
        'InvalidParameter',
      ],
      ['a nonce of another kind', 'SgxEnclave', '{"quote":"AAAA","nonce":[1]}', 400, 'InvalidParameter'],
      [
        'a policy that is none',
        'SgxEnclave',
        '{"quote":"AAAA","draftPolicyForAttestation":"version= 9;"}',
        400,
        'PolicyParsingError',
      ],
      ['SEV-SNP', 'SevSnpVm', '{"report":"AAAA"}', 400, 'InvalidParameter'],
    ])('%s', async (_what, kind, body, status, code) => {
      const answer = await front.attest(kind, body);
      expect({
        status: answer.status,
        code: (answer.body as { error: { code: string } }).error.code,
      }).toEqual({
        status,
        code,
      });
      expect(answer.headers['x-ms-error-code']).toBe(code);
      expect(await tail.next()).toEqual([]);
    });

    it('another address, and JSON without end', async () => {
      expect((await front.http.call('GET', '/nothing')).status).toBe(404);
      const deep = Buffer.from(`${'['.repeat(5_000)}${']'.repeat(5_000)}`);
      const answer = await front.attest('SgxEnclave', {
        quote: 'AAAA',
        runtimeData: { data: b64u(deep), dataType: 'JSON' },
      });
      expect(answer.text).toContain('levels');
    });
  });
}
