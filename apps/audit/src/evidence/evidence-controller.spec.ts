import { describe, expect, it } from '@jest/globals';
import { Principal } from '../access/roles.js';
import { EvidenceController } from './evidence.controller.js';

const SHA256 = 'ab'.repeat(32);

/** What was erased by a caller, of evidence that events of a tenant name; perhaps more events than are looked at. */
async function erased(caller: Principal, more: boolean): Promise<string[]> {
  const done: string[] = [];
  const log = {
    sequencer: { head: 1 },
    follower: { waitIndexed: () => Promise.resolve() },
    reader: { call: () => Promise.resolve({ events: [{ event: { tenant: 'a' } }], more }) },
  };
  const retention = {
    info: () => Promise.resolve({}),
    erase: (sha256: string) => Promise.resolve(done.push(sha256)),
  };
  const recorded = { record: () => Promise.resolve() };
  const controller = new EvidenceController(log as never, retention as never, recorded as never);
  await controller.erase(SHA256, caller);
  return done;
}

describe('evidence that more events name than are looked at', () => {
  const admin = (tenants: 'all' | string[]) => new Principal('someone', [{ role: 'admin', tenants }]);

  it('is erased by an admin of all tenants alone: some of them may be of a tenant of others', async () => {
    await expect(erased(admin(['a']), true)).rejects.toMatchObject({ code: 'ADMIN_FORBIDDEN' });
    expect(await erased(admin('all'), true)).toEqual([SHA256]);
    expect(await erased(admin(['a']), false)).toEqual([SHA256]);
  });
});
