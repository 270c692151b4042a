// A quote-verifier of the same deployment, at the time of genuine collateral.
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { settlePorts } from '../../apps/cli/src/up/ports.js';
import { serviceSpec } from '../../apps/cli/src/up/services.js';
import { allGone, compiled, eventually, signal, TENANT } from '../harness/index.js';
import type { MaaFront } from './front.js';

/**
 * Intel's collateral for genuine quotes has long expired, and the service has no setting for its clock. So the process itself is told
 * another time, as libfaketime does: its code is the unchanged one.
 */
export const clockShiftedBy = (offset: number): string => {
  const text = `const real = Date.now, now = () => real() + ${offset};
globalThis.Date = new Proxy(Date, {
  construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made),
  get: (target, name) => (name === 'now' ? now : target[name]),
});`;
  return `--import=data:text/javascript,${encodeURIComponent(text)}`;
};

export class GenuineVerifier {
  private constructor(
    private readonly child: ChildProcess,
    readonly issuer: string,
    readonly http: HttpsJson,
    readonly log: () => string,
  ) {}

  /** @param offset of its clock from ours, in milliseconds */
  static async start(
    front: MaaFront,
    bundle: string,
    offset: number,
    tenant: object,
  ): Promise<GenuineVerifier> {
    const { siegel } = front;
    const state = join(front.folder, 'genuine');
    const bundles = join(state, 'bundles');
    mkdirSync(bundles, { recursive: true, mode: 0o700 });
    copyFileSync(bundle, join(bundles, 'genuine.json'));
    const settled = await settlePorts({ nats: 0, release: 0, verifier: 0, audit: 0 });
    const issuer = `https://localhost:${settled.nats}`;
    const tenants = join(state, 'tenants.json');
    writeFileSync(tenants, JSON.stringify({ tenants: { [TENANT]: { issuer, ...tenant } } }));
    const ports = Object.fromEntries(
      Object.entries(siegel.endpoints).map(([name, url]) => [name, Number(new URL(url).port)]),
    ) as unknown as { nats: number; release: number; verifier: number; audit: number };
    const tlsFile = (name: string): string => siegel.layout.path('quote-verifier', 'maa', name);
    const { env } = serviceSpec('quote-verifier', {
      layout: siegel.layout,
      ports: { ...ports, verifier: settled.verifier, maa: settled.nats },
      tenant: TENANT,
      trustDomain: 'siegel.local',
      logOrigin: 'siegel.local/log',
      publicUrl: siegel.endpoints.release,
      logLevel: 'info',
      maa: { issuer, tenants, certificate: tlsFile('server.pem'), key: tlsFile('server-key.pem'), ca: '' },
    });
    const child = spawn(
      process.execPath,
      [clockShiftedBy(offset), compiled('apps/quote-verifier/src/main.js')],
      {
        env: {
          ...env,
          SIEGEL_PARENT_PIPE: 'true',
          SIEGEL_INSTANCE: 'quote-verifier-genuine',
          SIEGEL_STATE_DIR: state,
          SIEGEL_COLLATERAL_BUNDLE_DIR: bundles,
          SIEGEL_COLLATERAL_SHARED: 'false',
        },
        stdio: ['pipe', 'ignore', 'pipe'],
      },
    );
    let log = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (log += text));
    await eventually('a verifier at another time', () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${log}`);
      return log.includes('verifying; HTTP on');
    });
    const ca = readFileSync(join(siegel.state, 'maa-ca.pem'), 'utf8');
    return new GenuineVerifier(child, issuer, new HttpsJson(issuer, ca), () => log);
  }

  async stop(): Promise<void> {
    this.http.close();
    if (this.child.pid === undefined) return;
    signal(this.child.pid, 'SIGKILL');
    await allGone([this.child.pid]);
  }
}
