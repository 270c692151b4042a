import { SUBJECTS } from '#contracts';
import {
  SimulatedPcsServer,
  SimulatedSgx,
  type PcsEndpoint,
  type PcsFault,
  type PcsServerOptions,
} from '#simulator';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Deployment, type Verifier } from './verifier-deployment.js';

// Every test starts processes, on a machine that may be busy.
jest.setTimeout(60_000);
const reportData = Buffer.alloc(64, 9);

interface Held {
  id: string;
  source: string;
  tcbEvaluationDataNumber: number;
  failure?: string;
}
const held = async ({ url }: Verifier): Promise<Held[]> =>
  ((await (await fetch(`${url}/v1/collateral`)).json()) as { collateral: Held[] }).collateral;

async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('quote-verifier: collateral over HTTP', () => {
  let deployment: Deployment;
  const servers: SimulatedPcsServer[] = [];

  beforeEach(async () => {
    deployment = await Deployment.start({ sgx: SimulatedSgx.create({ seed: 'collateral tests' }) });
  });
  afterEach(async () => {
    await deployment.stop();
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  async function serve(options: PcsServerOptions = {}): Promise<SimulatedPcsServer> {
    const server = new SimulatedPcsServer(deployment.sgx, options);
    await server.start();
    servers.push(server);
    return server;
  }
  const pcs = (server: SimulatedPcsServer): Record<string, string> => ({
    SIEGEL_COLLATERAL_SOURCES: 'pcs',
    SIEGEL_PCS_URL: server.url,
    SIEGEL_PCS_ROOT_CRL_URL: `${server.url}/IntelSGXRootCA.der`,
  });
  const settings = {
    pcs,
    pccs: (server: SimulatedPcsServer) => ({
      SIEGEL_COLLATERAL_SOURCES: 'pccs',
      SIEGEL_PCCS_URL: server.url,
    }),
    // The root CRL is asked for by the address that configuration gives, through THIM.
    thim: (server: SimulatedPcsServer) => ({
      SIEGEL_COLLATERAL_SOURCES: 'thim',
      SIEGEL_THIM_URLS: `${server.url}/metadata/THIM`,
    }),
  };
  const quote = (): Buffer => deployment.sgx.platform({ name: 'one' }).quote({ reportData });

  it.each(['pcs', 'pccs'] as const)('fetches from %s, for SGX and TDX', async (shape) => {
    const server = await serve({ shape });
    const verifier = await deployment.verifier(settings[shape](server));
    expect((await deployment.verify(quote())).claims).toMatchObject({
      verified: true,
      claims: { tcbStatus: 'UpToDate' },
    });
    const td = deployment.sgx.platform({ name: 'one' }).quote({ tee: 'tdx', version: 4, reportData });
    expect((await deployment.verify(td)).claims).toMatchObject({ verified: true, claims: { tee: 'tdx' } });
    expect((await held(verifier)).map(({ source }) => source)).toEqual([shape, shape]);
    expect(server.requests('tcb').map(({ url }) => url.includes('update=standard'))).toEqual([true, true]);
  });

  it('fetches from THIM with its header, its parameters and the configured address of the root CRL', async () => {
    const server = await serve({ shape: 'thim' });
    await deployment.verifier(settings.thim(server));
    const outcome = await deployment.verify(quote()).catch((error: unknown) => error);
    expect(server.requests('tcb')[0]).toMatchObject({ status: 200, headers: { metadata: 'true' } });
    expect(server.requests('tcb')[0]?.url).toContain(
      'clientid=production_client&api-version=2018-10-01-preview',
    );
    const byAddress = server.requests('pckcrl').filter(({ url }) => url.includes('uri='));
    expect(byAddress[0]?.url).toContain(
      encodeURIComponent('https://certificates.trustedservices.intel.com/'),
    );
    expect(outcome).toMatchObject({ claims: { verified: true } });
  });

  it('takes the update channel of its configuration', async () => {
    const server = await serve();
    const verifier = await deployment.verifier({ ...pcs(server), SIEGEL_COLLATERAL_UPDATE: 'early' });
    await deployment.verify(quote());
    expect((await held(verifier))[0]?.tcbEvaluationDataNumber).toBe(20);
    await verifier.stop();
    // The other channel has records of its own in the bucket.
    const standard = await deployment.verifier(pcs(server));
    await deployment.verify(quote());
    expect((await held(standard))[0]?.tcbEvaluationDataNumber).toBe(19);
  });

  it('fetches once for many requests at once, and never for a platform that no root vouches for', async () => {
    const server = await serve();
    await deployment.verifier(pcs(server));
    const stranger = SimulatedSgx.create({ seed: 'a stranger' });
    const refused = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        deployment.verify(
          stranger.platform({ name: `p${i}`, fmspc: Buffer.alloc(6, i) }).quote({ reportData }),
        ),
      ),
    );
    expect(refused.every(({ claims }) => claims.error?.code === 'ROOT_NOT_TRUSTED')).toBe(true);
    expect(server.requests()).toEqual([]);
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => deployment.verify(quote())));
    expect(verdicts.every(({ claims }) => claims.verified)).toBe(true);
    expect(server.requests('tcb')).toHaveLength(1);
    expect(server.requests('pckcrl')).toHaveLength(1);
  });

  const unavailable: [PcsFault, PcsEndpoint | '*', string][] = [
    [{ kind: 'stall' }, 'tcb', 'timeout'],
    [{ kind: 'slow', ms: 3_000 }, 'qe-identity', 'timeout'],
    [{ kind: 'status', status: 404 }, 'tcb', 'not-found'],
    [{ kind: 'status', status: 410 }, 'tcb', 'not-found'],
    [{ kind: 'status', status: 429, retryAfterSeconds: 1 }, 'tcb', 'throttled'],
    [{ kind: 'status', status: 401 }, 'pckcrl', 'refused'],
    [{ kind: 'status', status: 503 }, 'pckcrl', 'server-error'],
    [{ kind: 'wrong-chain' }, '*', 'malformed'],
    [{ kind: 'missing-chain' }, 'tcb', 'malformed'],
    [{ kind: 'wrong-signer' }, '*', 'malformed'],
    [{ kind: 'truncated' }, 'tcb', 'unreachable'],
    [{ kind: 'cut-json' }, 'tcb', 'malformed'],
    [{ kind: 'garbage' }, 'pckcrl', 'malformed'],
    [{ kind: 'oversized', bytes: 3_000_000 }, 'tcb', 'too-large'],
    [{ kind: 'reset' }, 'rootcacrl', 'unreachable'],
  ];
  it('answers with a typed error for each fault of the only source, and recovers when it is over', async () => {
    const server = await serve();
    const verifier = await deployment.verifier({
      ...pcs(server),
      SIEGEL_COLLATERAL_TIMEOUT_MS: '700',
      SIEGEL_COLLATERAL_SHARED: 'false',
    });
    for (const [index, [fault, endpoint, outcome]] of unavailable.entries()) {
      server.faults.clear();
      server.faults.add(endpoint, fault);
      // Each fault meets a kind of platform of its own, so that no back-off of the one before is in the way.
      const platform = deployment.sgx.platform({ name: `p${index}`, fmspc: Buffer.alloc(6, index + 1) });
      const answer = await deployment.verify(platform.quote({ reportData })).catch((error: unknown) => error);
      expect({ fault: fault.kind, answer }).toMatchObject({
        fault: fault.kind,
        answer: { code: 'COLLATERAL_UNAVAILABLE' },
      });
      const metrics = await (await fetch(`${verifier.url}/metrics`)).text();
      expect(metrics).toContain(`siegel_collateral_fetches_total{source="pcs",outcome="${outcome}"}`);
      if (fault.kind === 'status' && fault.status === 429) {
        // It asked to be left alone for a second.
        const before = server.requests().length;
        server.faults.clear();
        const other = deployment.sgx.platform({ name: 'patience', fmspc: Buffer.alloc(6, 0xee) });
        await expect(deployment.verify(other.quote({ reportData }))).rejects.toMatchObject({
          code: 'COLLATERAL_UNAVAILABLE',
        });
        expect(server.requests()).toHaveLength(before);
        await new Promise((resolve) => setTimeout(resolve, 1_100));
      }
    }
    server.faults.clear();
    const last = deployment.sgx.platform({ name: 'p0', fmspc: Buffer.alloc(6, 1) }).quote({ reportData });
    await until('a verdict', async () =>
      deployment.verify(last).then(
        ({ claims }) => claims.verified,
        () => false,
      ),
    );
  });

  it('refuses evidence by a signed verdict where the collateral is authentic but expired', async () => {
    const server = await serve();
    server.faults.add('*', { kind: 'expired' });
    await deployment.verifier(pcs(server));
    const { claims } = await deployment.verify(quote());
    expect(claims).toMatchObject({ verified: false, error: { step: 'collateral-time' } });
    expect(claims.error?.code).toMatch(/^(TCB_INFO|QE_IDENTITY|CRL)_EXPIRED$/);
  });

  it('accepts expired collateral within the grace that is configured, but prefers what is in force', async () => {
    const server = await serve({ shape: 'pccs' });
    const expired = new Date(Date.now() - 35 * 86_400_000);
    server.setCollateral({ at: expired });
    const grace = { ...settings.pccs(server), SIEGEL_COLLATERAL_GRACE_SECONDS: String(10 * 86_400) };
    const verifier = await deployment.verifier(grace);
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
    await verifier.stop();
    const fresh = await serve();
    const both = await deployment.verifier(
      { ...pcs(fresh), ...grace, SIEGEL_COLLATERAL_SOURCES: 'pccs,pcs', SIEGEL_COLLATERAL_SHARED: 'false' },
      'both',
    );
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
    expect((await held(both))[0]).toMatchObject({ source: 'pcs' });
  });

  it('goes on to the next source when one fails', async () => {
    const broken = await serve({ shape: 'pccs' });
    broken.faults.add('*', { kind: 'wrong-chain' });
    const good = await serve();
    const verifier = await deployment.verifier({
      ...pcs(good),
      SIEGEL_PCCS_URL: broken.url,
      SIEGEL_COLLATERAL_SOURCES: 'bundle,pccs,pcs',
    });
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
    expect((await held(verifier))[0]?.source).toBe('pcs');
  });

  it('refreshes before expiry, announces what changed and judges by it', async () => {
    const server = await serve();
    const announced: unknown[] = [];
    deployment.relyingParty.subscribe(SUBJECTS.collateralChanged, {
      callback: (_error, message) => void announced.push(message.json()),
    });
    await deployment.relyingParty.flush();
    const verifier = await deployment.verifier({
      ...pcs(server),
      SIEGEL_COLLATERAL_REFRESH_SECONDS: '1',
      SIEGEL_COLLATERAL_PREFETCH: 'sgx:00606a000000:platform',
    });
    await until('the prefetch', async () => (await held(verifier)).length === 1);
    const [before] = await held(verifier);
    expect((await deployment.verify(quote())).claims.claims?.tcbStatus).toBe('UpToDate');
    server.setCollateral({
      revokedPcks: [Buffer.from('1234', 'hex')],
      tcbEvaluationDataNumber: 21,
      qeEvaluationDataNumber: 21,
    });
    await until('new collateral', async () => (await held(verifier))[0]?.tcbEvaluationDataNumber === 21);
    const [after] = await held(verifier);
    await until('the announcement', () => announced.length > 0);
    expect(announced).toEqual([{ tee: 'sgx', fmspc: '00606a000000', previousId: before?.id, id: after?.id }]);
    expect((await deployment.verify(quote())).claims.collateral?.id).toBe(after?.id);
    // The source falls back to what it had; the verifier does not, nor after a restart.
    server.setCollateral({});
    await until(
      'the step back was refused',
      async () => (await held(verifier))[0]?.failure?.includes('rolled back') ?? false,
    );
    expect((await held(verifier))[0]?.id).toBe(after?.id);
    await verifier.stop('SIGKILL');
    await deployment.verifier({ ...pcs(server), SIEGEL_COLLATERAL_SHARED: 'false' });
    await expect(deployment.verify(quote())).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
  });

  it('serves on through an outage of the source, as long as what it has is in force', async () => {
    const server = await serve();
    const verifier = await deployment.verifier({ ...pcs(server), SIEGEL_COLLATERAL_REFRESH_SECONDS: '1' });
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
    server.faults.add('*', { kind: 'reset' });
    await until('a failed refresh', async () => (await held(verifier))[0]?.failure !== undefined);
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
  });

  it('looks the PCK chain up for quotes that do not carry it', async () => {
    const server = await serve({ shape: 'pccs' });
    await deployment.verifier(settings.pccs(server));
    const platform = deployment.sgx.platform({ name: 'one' });
    for (const certificationType of [1, 2, 3, 4] as const) {
      const { claims } = await deployment.verify(platform.quote({ certificationType, reportData }));
      expect({ certificationType, claims }).toMatchObject({ certificationType, claims: { verified: true } });
    }
    const before = server.requests('pckcert').length;
    await deployment.verify(platform.quote({ certificationType: 3, reportData: Buffer.alloc(64, 1) }));
    expect(server.requests('pckcert')).toHaveLength(before);
  });

  it('refuses such quotes by a signed verdict where no source knows the platform', async () => {
    const server = await serve({ subscriptionKey: 'a key' });
    await deployment.verifier(pcs(server));
    const platform = deployment.sgx.platform({ name: 'one' });
    const { claims } = await deployment.verify(platform.quote({ certificationType: 3, reportData }));
    expect(claims).toMatchObject({
      verified: false,
      error: { code: 'PCK_LOOKUP_REQUIRED', step: 'pck-chain' },
    });
    expect(server.requests('pckcert')).toEqual([]);
  });

  it('shares what one replica fetched; a record that no verifier signed is not believed', async () => {
    const server = await serve();
    const first = await deployment.verifier(pcs(server), 'first');
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
    await until('the first has it', async () => (await held(first)).length === 1);
    await first.stop();
    const asked = server.requests().length;
    const second = await deployment.verifier(pcs(server), 'second');
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
    expect(server.requests()).toHaveLength(asked);
    expect(await held(second)).toHaveLength(1);
    await second.stop();
    // Whoever can write the bucket can spoil it, and no more.
    const key = `$KV.siegel_collateral.c.standard.${await recordKey(second)}`;
    deployment.relyingParty.publish(key, Buffer.from('not a record'));
    await deployment.relyingParty.flush();
    const third = await deployment.verifier(pcs(server), 'third');
    expect((await deployment.verify(quote())).claims.verified).toBe(true);
    expect(server.requests().length).toBeGreaterThan(asked);
    expect(third.log()).toContain('shared collateral: read');
  });

  it('fetches once when replicas start at the same time', async () => {
    const server = await serve();
    server.faults.add('tcb', { kind: 'slow', ms: 500 });
    const environment = { ...pcs(server), SIEGEL_COLLATERAL_PREFETCH: 'sgx:00606a000000:platform' };
    const replicas = await Promise.all(['a', 'b'].map((name) => deployment.verifier(environment, name)));
    await until('both have it', async () =>
      (await Promise.all(replicas.map((replica) => held(replica)))).every(({ length }) => length === 1),
    );
    expect(server.requests('tcb')).toHaveLength(1);
  });

  it('works without JetStream', async () => {
    const plain = await Deployment.start({ sgx: deployment.sgx, jetstream: false });
    try {
      const server = await serve();
      const verifier = await plain.verifier(pcs(server));
      expect((await plain.verify(quote())).claims.verified).toBe(true);
      expect(verifier.log()).toContain('collateral is not shared between replicas');
    } finally {
      await plain.stop();
    }
  });

  /** The key under which the replica stores the test's platform. */
  async function recordKey(verifier: Verifier): Promise<string> {
    const found = /collateral for (simulated-[0-9a-f]+\.sgx\.00606a000000\.platform)/.exec(
      verifier.log(),
    )?.[1];
    if (found === undefined) throw new Error('the replica did not say its key');
    return found;
  }
});
