import { createPublicKey, generateKeyPairSync, hash, verify, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { AuditEvent } from '#contracts';
import { maaPolicyHash } from '#policy';
import type { QuoteRequest } from '#simulator';
import { identityOf, measured, SIGNER, TENANT, type EventTail } from './harness/index.js';
import { MaaFront, openEnclaveReport, OTHER_ISSUER, SIGNER_POLICY } from './maa/front.js';
import { clockShiftedBy, GenuineVerifier } from './maa/genuine-verifier.js';
import { SdkClient } from './maa/sdk-client.js';

jest.setTimeout(180_000);

const HELD = Buffer.from('{"keys":[]} and more than JSON');
const NOW = (): number => Math.floor(Date.now() / 1_000);
let front: MaaFront;
let tail: EventTail;

beforeAll(async () => {
  front = await MaaFront.start(
    { tcb: { minEvaluationDataNumber: 1, refuseAdvisories: ['INTEL-SA-00999'] }, tokenSeconds: 300 },
    { OpenEnclave: SIGNER_POLICY(SIGNER) },
  );
  const { sgx } = front.siegel.machines;
  front.siegel.machines.addBundle(
    'tdx',
    sgx.collateral({ platform: sgx.platform({ name: 'demo' }), tee: 'tdx' }),
  );
  tail = await front.siegel.log.tail();
});
afterAll(async () => front?.stop());

const reportData = (data: Uint8Array): Buffer =>
  Buffer.concat([hash('sha256', data, 'buffer'), Buffer.alloc(32)]);
const quote = (request: QuoteRequest = {}, machine: object = {}): Buffer =>
  front.siegel.machines.sgx
    .platform({ name: 'demo', ...machine })
    .quote({ ...identityOf('maa'), reportData: reportData(HELD), ...request } as QuoteRequest);
const b64u = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const held = { data: b64u(HELD), dataType: 'Binary' };
type Of<T extends AuditEvent['type']> = Extract<AuditEvent, { type: T }>;
async function onlyEvent<T extends AuditEvent['type']>(type: T): Promise<Of<T>> {
  const events = await tail.next();
  expect(events.map((event) => event.type)).toEqual([type]);
  return events[0] as Of<T>;
}
type Claims = Record<string, unknown> & { iat: number; exp: number };
function parts(token: string) {
  const [head = '', body = '', signature = ''] = token.split('.');
  const json = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Claims;
  return { header: json(head), claims: json(body), input: `${head}.${body}`, signature };
}
const tokenOf = (answer: { status: number; text: string; body: unknown }): string => {
  expect(answer.status === 200 ? 200 : answer.text).toBe(200);
  return (answer.body as { token: string }).token;
};

describe('the SDK @azure/attestation, unmodified', () => {
  const b64 = (data: Uint8Array): string => Buffer.from(data).toString('base64');

  it('attests an SGX enclave with binary runtime data', async () => {
    const { sdk, issuer } = front;
    const request = { evidence: b64(quote()), runTimeData: b64(HELD) };
    const { body } = await sdk.done({ call: 'attestSgxEnclave', ...request });
    expect(body).toMatchObject({
      issuer,
      version: '1.0',
      isDebuggable: false,
      mrEnclave: measured('maa'),
      mrSigner: SIGNER,
      productId: 1,
      svn: 3,
      enclaveHeldData: b64(HELD),
    });
    const event = await onlyEvent('token.issued');
    expect(event).toMatchObject({
      tenant: TENANT,
      outcome: 'granted',
      mrenclave: measured('maa'),
      tcbStatus: 'UpToDate',
      simulated: true,
      emitter: { name: 'quote-verifier' },
    });
    expect(event.data).toMatchObject({
      protocol: 'maa',
      kind: 'SgxEnclave',
      apiVersion: '2020-10-01',
      issuer,
      runtimeDataSha256: hash('sha256', HELD, 'hex'),
    });
  });

  it('attests an SGX enclave with JSON runtime data, and the key in it is confirmed', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const text = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'enc' }] });
    const runTimeJson = Buffer.from(text);
    const evidence = b64(quote({ reportData: reportData(runTimeJson) }));
    const { body, token } = await front.sdk.done({
      call: 'attestSgxEnclave',
      evidence,
      runTimeJson: b64(runTimeJson),
    });
    expect(body['runTimeClaims']).toEqual(JSON.parse(text));
    expect(body['enclaveHeldData']).toBeUndefined();
    expect(parts(token).claims['cnf']).toEqual({ jkt: expect.any(String) });
    await onlyEvent('token.issued');
  });

  it('attests an Open Enclave report, by the policy of the tenant', async () => {
    const evidence = b64(openEnclaveReport(quote()));
    const { body, token } = await front.sdk.done({
      call: 'attestOpenEnclave',
      evidence,
      runTimeData: b64(HELD),
    });
    expect(body['policyHash']).toBe(b64(Buffer.from(maaPolicyHash(SIGNER_POLICY(SIGNER)), 'base64url')));
    const { claims } = parts(token);
    expect({ minutes: (claims['exp'] - claims['iat']) / 60, issued: claims['sgx-mrsigner'] }).toEqual({
      minutes: 2,
      issued: SIGNER,
    });
    expect((await onlyEvent('token.issued')).data.conditions.map(({ name, ok }) => `${name} ${ok}`)).toEqual([
      'tcb-status true',
      'debug true',
      'tcb-evaluation true',
      'advisories true',
      'policy line 4 deny true',
      'policy line 5 permit true',
    ]);
  });

  it('reads metadata, signers, policies and their signers; and cannot change them', async () => {
    const { sdk, issuer } = front;
    expect((await sdk.done({ call: 'getOpenIdMetadata' })).body).toMatchObject({
      issuer,
      jwks_uri: `${issuer}/certs`,
    });
    expect((await sdk.done({ call: 'getAttestationSigners' })).body).toHaveLength(1);
    const policy = async (kind: string) => (await sdk.done({ call: 'getPolicy', kind })).body;
    expect(await policy('OpenEnclave')).toBe(SIGNER_POLICY(SIGNER));
    expect(await policy('SgxEnclave')).toContain('issue(type="tee", value=c.value)');
    expect((await sdk.done({ call: 'getPolicyManagementCertificates' })).body).toEqual([]);
    for (const call of ['setPolicy', 'resetPolicy'] as const)
      expect((await sdk.call({ call })).error).toMatchObject({ statusCode: 403 });
    expect(await tail.next()).toEqual([]);
  });

  it('tries a draft policy: what it gets is not signed, and says so', async () => {
    const draftPolicyForAttestation = SIGNER_POLICY(SIGNER).replace('version= 1.0', 'version= 1.2');
    const request = { call: 'attestSgxEnclave', runTimeData: b64(HELD) } as const;
    const { token } = await front.sdk.done({ ...request, evidence: b64(quote()), draftPolicyForAttestation });
    const { header, claims, signature } = parts(token);
    expect({
      header,
      signature,
      dry: claims['x-siegel-dry-run'],
      policy: claims['x-ms-policy-hash'],
    }).toEqual({
      header: { alg: 'none', typ: 'JWT' },
      signature: '',
      dry: true,
      policy: maaPolicyHash(draftPolicyForAttestation),
    });
    expect((await onlyEvent('token.drafted')).data.permitted).toBe(true);
    // What a draft permits, the tenant's own conditions still decide.
    const { error } = await front.sdk.call({
      ...request,
      evidence: b64(quote({ debug: true } as QuoteRequest)),
      draftPolicyForAttestation: 'version= 1.0; authorizationrules { => permit(); }; issuancerules {};',
    });
    expect(error).toMatchObject({ statusCode: 400, code: 'PolicyEvaluationError' });
    expect((await onlyEvent('token.drafted')).data.permitted).toBe(false);
  });

  it('is told why it is refused', async () => {
    const request = { evidence: b64(quote()), runTimeData: b64(Buffer.from('other')) };
    const { error } = await front.sdk.call({ call: 'attestSgxEnclave', ...request });
    expect(error).toMatchObject({ statusCode: 400, code: 'InvalidParameter' });
    expect((await onlyEvent('token.refused')).reason?.code).toBe('BINDING_MISMATCH');
  });
});

describe('a token', () => {
  it('has header, claims and types as the protocol has them, and what Microsoft leaves out', async () => {
    const answer = await front.attest('SgxEnclave', {
      quote: b64u(quote()),
      runtimeData: held,
      nonce: 'n-1',
    });
    const { header, claims, input, signature } = parts(tokenOf(answer));
    const { keys } = (await front.http.call('GET', '/certs')).body as {
      keys: { kid: string; x5c: string[] }[];
    };
    expect(header).toEqual({ alg: 'RS256', jku: `${front.issuer}/certs`, kid: keys[0]!.kid, typ: 'JWT' });
    const der = keys[0]!.x5c[0]!;
    const certificate = new X509Certificate(`-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----`);
    const good = verify(
      'sha256',
      Buffer.from(input),
      certificate.publicKey,
      Buffer.from(signature, 'base64url'),
    );
    expect({ good, subject: certificate.subject }).toEqual({ good: true, subject: `CN=${front.issuer}` });

    const event = await onlyEvent('token.issued');
    const data = b64u(HELD);
    const collateral = Object.fromEntries(
      [
        'qeidcertshash',
        'qeidcrlhash',
        'qeidhash',
        'quotehash',
        'tcbinfocertshash',
        'tcbinfocrlhash',
        'tcbinfohash',
      ].map((name) => [name, expect.stringMatching(/^[0-9a-f]{64}$/)]),
    );
    expect(claims).toEqual({
      iss: front.issuer,
      iat: expect.any(Number),
      nbf: claims['iat'],
      exp: claims['iat'] + 300,
      jti: event.data.tokenId,
      nonce: 'n-1',
      'x-ms-ver': '1.0',
      'x-ms-attestation-type': 'sgx',
      'x-ms-policy-hash': event.data.policyHash,
      'x-ms-sgx-is-debuggable': false,
      'x-ms-sgx-mrenclave': measured('maa'),
      'x-ms-sgx-mrsigner': SIGNER,
      'x-ms-sgx-product-id': 1,
      'x-ms-sgx-svn': 3,
      'x-ms-sgx-report-data': reportData(HELD).toString('hex'),
      'x-ms-sgx-collateral': collateral,
      'maa-attestationcollateral': collateral,
      'x-ms-sgx-ehd': data,
      'maa-ehd': data,
      'aas-ehd': data,
      'is-debuggable': false,
      'sgx-mrenclave': measured('maa'),
      'sgx-mrsigner': SIGNER,
      'product-id': 1,
      svn: 3,
      tee: 'sgx',
      'x-siegel-tenant': TENANT,
      'x-siegel-simulated': true,
      'x-siegel-tcb-status': 'UpToDate',
      'x-siegel-tcb-date': expect.any(String),
      'x-siegel-advisories': [],
      'x-siegel-fmspc': '00606a000000',
      'x-siegel-tcb-evaluation': expect.any(Number),
      'x-siegel-collateral': {
        id: expect.any(String),
        issued: expect.any(String),
        expires: expect.any(String),
      },
      'x-siegel-evidence-sha256': event.data.evidence!.sha256,
      'x-siegel-quote-sha256': event.data.evidence!.signedRegionSha256,
      'x-siegel-log': {
        event: event.id,
        log: 'siegel.local/log/default',
        index: expect.any(Number),
        time: expect.any(Number),
        leafHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
    expect(Math.abs(claims['iat'] - NOW())).toBeLessThan(30);
    expect(answer.headers).toMatchObject({
      'x-ms-request-id': event.id,
      'x-ms-maa-service-version': expect.any(String),
      'cache-control': 'no-store',
    });
    // The receipt that the reference leads to is this event's.
    const [logged] = (await front.siegel.log.all({ type: 'token.issued' })).slice(-1);
    expect(claims['x-siegel-log']).toMatchObject({ index: logged!.index });
  });

  it('has the claims of key separation where the enclave has it, with init-time data in CONFIGID', async () => {
    const init = Buffer.from('{"policy":1}');
    const configId = Buffer.concat([hash('sha256', init, 'buffer'), Buffer.alloc(32)]);
    const attributes = Buffer.from('85000000000000000700000000000000', 'hex');
    const body = (evidence: Buffer, dataType = 'JSON') => ({
      quote: b64u(evidence),
      initTimeData: { data: b64u(init), dataType },
    });
    const kss = quote({ attributes, configId, configSvn: 7 } as QuoteRequest);
    const { claims } = parts(tokenOf(await front.attest('SgxEnclave', body(kss))));
    expect(claims).toMatchObject({
      'x-ms-inittime': { policy: 1 },
      'x-ms-sgx-config-id': configId.toString('hex'),
      'x-ms-sgx-config-svn': 7,
      'x-ms-sgx-isv-extended-product-id': '00'.repeat(16),
      'x-ms-sgx-isv-family-id': '00'.repeat(16),
    });
    await onlyEvent('token.issued');
    const codes: unknown[] = [];
    for (const evidence of [quote({ configId } as QuoteRequest), quote({ attributes } as QuoteRequest)]) {
      const answer = await front.attest('SgxEnclave', body(evidence));
      codes.push([answer.status, (answer.body as { error: { innererror: object } }).error.innererror]);
      await onlyEvent('token.refused');
    }
    expect(codes).toEqual([
      [400, { code: 'INIT_TIME_UNSUPPORTED' }],
      [400, { code: 'INIT_TIME_MISMATCH' }],
    ]);
  });

  it('of a TD has the names of the EAT profile', async () => {
    const td = front.siegel.machines.sgx
      .platform({ name: 'demo' })
      .quote({ tee: 'tdx', mrtd: 'ab'.repeat(48), reportData: reportData(HELD) } as QuoteRequest);
    const runtimeData = { data: b64u(HELD), dataType: 'Binary' };
    const { claims } = parts(tokenOf(await front.attest('tdxvm', { quote: b64u(td), runtimeData })));
    expect(claims).toMatchObject({
      'x-ms-attestation-type': 'tdxvm',
      eat_profile: 'https://aka.ms/maa-eat-profile-tdxvm',
      intuse: 'generic',
      dbgstat: 'disabled',
      attester_tcb_status: 'UpToDate',
      tdx_mrtd: 'ab'.repeat(48),
      tdx_report_data: reportData(HELD).toString('hex'),
      tdx_td_attributes_debug: false,
      tdx_td_attributes_septve_disable: true,
      tdx_seamsvn: expect.any(Number),
    });
    await onlyEvent('token.issued');
  });

  it('is of its tenant alone: issuer, keys and host belong together', async () => {
    const other = await front.at('other.svc.example', '/.well-known/openid-configuration');
    expect(other.body).toMatchObject({ issuer: OTHER_ISSUER, jwks_uri: `${OTHER_ISSUER}/certs` });
    const kid = async (host: string): Promise<string> =>
      ((await front.at(host, '/certs')).body as { keys: { kid: string }[] }).keys[0]!.kid;
    expect(await kid('other.attest.example:443')).not.toBe(await kid('localhost'));
    const stranger = await front.at('stranger.example', '/certs');
    expect(stranger.status).toBe(404);
  });
});

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
      await front.http.call('POST', '/attest/SgxEnclave', { body: JSON.stringify({ quote: b64u(quote()) }) }),
    );
    expect((await onlyEvent('token.issued')).data.apiVersion).toBeUndefined();
    const answer = await front.http.call('GET', '/certs/');
    const { keys } = answer.body as { keys: { kty: string; n: string; e: string; x5c: string[] }[] };
    for (const { kty, n, e, x5c } of keys) {
      expect(kty).toBe('RSA');
      const bits = createPublicKey({ key: { kty, n, e }, format: 'jwk' }).asymmetricKeyDetails!.modulusLength;
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
    ['a report without its header', deny(() => quote(), 'OpenEnclave'), 'InvalidQuote', 'OE_HEADER_INVALID'],
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
    expect({ status: answer.status, code: (answer.body as { error: { code: string } }).error.code }).toEqual({
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

describe('genuine Azure quotes, at the time of their collateral', () => {
  const VECTORS = resolve('../shared/vectors/quotes/Azure-Samples+microsoft-azure-attestation');
  const OFFSET = Date.parse('2025-06-23T02:31:00Z') - Date.now();
  const present = existsSync(VECTORS);
  if (!present) process.stdout.write('shared/vectors is absent: no genuine evidence in this run\n');
  const genuine = (name: string): Buffer => readFileSync(join(VECTORS, name, 'quote.bin'));
  const RELEASE = 'e9f0aad4-enclave.info.release';
  /** What Microsoft's sample enclave holds; its SHA-256 stands in the quote. */
  const SAMPLE_HELD = Buffer.from([1, 2, 3, 4, 5, 6]);
  let verifier: GenuineVerifier | undefined;

  const start = async (tenant: object): Promise<GenuineVerifier> => {
    await verifier?.stop();
    verifier = await GenuineVerifier.start(
      front,
      join(VECTORS, RELEASE, 'collateral-2025-06-23-v3-ev19.json'),
      OFFSET,
      tenant,
    );
    return verifier;
  };
  afterAll(async () => verifier?.stop());

  (present ? it : it.skip)('are attested by the SDK where the tenant accepts such platforms', async () => {
    const { issuer } = await start({ tcb: { accept: ['OutOfDate'] }, debug: false });
    const sdk = SdkClient.start(issuer, front.caFile, [clockShiftedBy(OFFSET)]);
    try {
      const b64 = (data: Uint8Array): string => Buffer.from(data).toString('base64');
      const sgx = { call: 'attestSgxEnclave', runTimeData: b64(SAMPLE_HELD) } as const;
      const report = b64(openEnclaveReport(genuine(RELEASE)));
      const { body } = await sdk.done({ ...sgx, call: 'attestOpenEnclave', evidence: report });
      expect(body).toMatchObject({
        issuer,
        mrEnclave: 'd37d983a85d63fb49649610e2eba0930ecdbff6d113aca3ff3fc7261696c0134',
        mrSigner: 'feb995eb86c349ac98e5afbbb5732ca7376ec9979002702ea17ad476e0853a04',
        productId: 1,
        svn: 1,
        isDebuggable: false,
        enclaveHeldData: b64(SAMPLE_HELD),
      });
      const second = await sdk.done({
        ...sgx,
        evidence: b64(genuine('075b64c9-enclave.info.securityversion')),
      });
      expect(second.body['svn']).toBe(8888);
      expect(parts(second.token).claims).toMatchObject({
        'x-siegel-simulated': false,
        'x-siegel-tcb-status': 'OutOfDate',
        'x-siegel-tcb-evaluation': 19,
        'x-siegel-advisories': expect.arrayContaining(['INTEL-SA-00828', 'INTEL-SA-00615']),
      });
      const debug = b64(genuine('c3819d79-enclave.info.debug'));
      expect((await sdk.call({ call: 'attestSgxEnclave', evidence: debug })).error).toMatchObject({
        code: 'PolicyEvaluationError',
      });
      const unbound = { ...sgx, evidence: b64(genuine(RELEASE)), runTimeData: b64(Buffer.from([1])) };
      expect((await sdk.call(unbound)).error).toMatchObject({ code: 'InvalidParameter' });
    } finally {
      await sdk.stop();
    }
  });

  (present ? it : it.skip)('are refused by a tenant that says nothing about such platforms', async () => {
    const { http } = await start({});
    const answer = await http.post('/attest/SgxEnclave', { quote: b64u(genuine(RELEASE)) });
    expect(answer.text).toContain('tcb-status: expected UpToDate | SWHardeningNeeded, is OutOfDate.');
  });
});

describe('without the log', () => {
  it('no token leaves', async () => {
    await front.siegel.frozen('audit', async () => {
      const answer = await front.attest('SgxEnclave', { quote: b64u(quote()) });
      expect(answer.status).toBe(503);
      expect((answer.body as { error: { code: string } }).error.code).toBe('ServiceUnavailable');
      expect(answer.text).not.toContain('token"');
    });
  });
});
