import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileManifest, decide, lintManifest, ManifestSchema } from '../index.js';
import { code, compile, E, request } from './decision-fixtures.js';

const secrets =
  'secrets: [{ vault: v, objectName: a, objectType: secret, as: file, path: /a }, { vault: v, objectName: b, objectType: secret, objectAlias: B, as: env }]';
const workload = (more: string) => compile(`w:\n  identity: { mrenclave: [${E}] }\n  ${secrets}\n  ${more}`);
const by = (convention: 'sha256-spki' | 'trustee-runtime-data' | 'dice-claims') =>
  request({}, { binding: { convention, challenge: true } });
const RESOURCES =
  'trustee: { resources: [{ path: default/key/test, secret: B }, { path: r/t/x.1, secret: a, encoding: base64 }, { path: r/t/y, secret: a }] }';

describe('a workload for Trustee clients', () => {
  it('grants its resources by path, each a secret of the workload', () => {
    const decision = decide(workload(RESOURCES), by('trustee-runtime-data'));
    if (decision.outcome !== 'granted') throw new Error(decision.message);
    const { trustee } = decision.grants;
    expect([...trustee!.keys()]).toEqual(['default/key/test', 'r/t/x.1', 'r/t/y']);
    expect(trustee!.get('default/key/test')).toMatchObject({
      secret: { objectName: 'b' },
      encoding: 'none',
    });
    expect(trustee!.get('r/t/x.1')).toMatchObject({ secret: { objectName: 'a' }, encoding: 'base64' });
    expect(trustee!.get('r/t/z')).toBeUndefined();
  });

  it('accepts the binding of the protocol and the native one', () => {
    const compiled = workload(RESOURCES);
    expect(code(decide(compiled, by('trustee-runtime-data')))).toBe('granted');
    expect(code(decide(compiled, by('sha256-spki')))).toBe('granted');
    expect(code(decide(compiled, by('dice-claims')))).toBe('BINDING_NOT_ALLOWED');
  });

  it('and other workloads do not accept it', () => {
    expect(code(decide(workload('debug: false'), by('trustee-runtime-data')))).toBe('BINDING_NOT_ALLOWED');
  });

  it('is written as docs/wrappers/trustee.md shows it', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/wrappers/trustee.md'), 'utf8');
    const example = /```yaml\n(\s*siegel: v1[\s\S]+?)```/.exec(page)?.[1] ?? '';
    const text = example.replace('<64 hex digits>', E);
    expect(text).not.toBe(example);
    expect(lintManifest(text)).toEqual({ ok: true, problems: [] });
  });

  it('has no resource where the alias is that of two secrets, even unlinted', () => {
    const secret = { vault: 'v', objectName: 'a', objectType: 'secret', as: 'env' };
    const manifest = ManifestSchema.parse({
      siegel: 'v1',
      workloads: {
        w: {
          identity: { mrenclave: [E] },
          secrets: [secret, { ...secret, objectName: 'b', objectAlias: 'a' }],
          trustee: { resources: [{ path: 'a/b/c', secret: 'a' }] },
        },
      },
    });
    const decision = decide(compileManifest(manifest), by('trustee-runtime-data'));
    expect(decision).toMatchObject({ outcome: 'granted', grants: { trustee: new Map() } });
  });
});
