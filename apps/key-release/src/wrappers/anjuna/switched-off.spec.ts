import { HealthRegistry } from '#platform';
import { describe, expect, it } from '@jest/globals';
import { TenantResolver } from '../../tenants/tenant-resolver.js';
import { ProvisioningController } from './provisioning/provisioning.controller.js';
import { VaultController } from './vault/vault.controller.js';
import { VaultLanguage } from './vault/vault-language.js';

const off = { SIEGEL_ANJUNA: false } as never;
const refused = { code: 'NOT_FOUND', detail: 'this is off; set SIEGEL_ANJUNA=true' };

describe('Anjuna that is switched off', () => {
  it('is not there: nothing is read, nothing is asked of the pipeline', async () => {
    const provisioning = new ProvisioningController({} as never, new TenantResolver('', 'default'), off);
    await expect(provisioning.attest({} as never, {} as never)).rejects.toMatchObject(refused);
    const vault = new VaultController({} as never, new HealthRegistry(), off);
    await expect(vault.answer({} as never, {} as never)).rejects.toMatchObject(refused);
  });

  it('changes nothing of the server', () => {
    const adapterHost = {
      get httpAdapter(): never {
        throw new Error('the server was asked for');
      },
    };
    new VaultLanguage(adapterHost as never, off).onModuleInit();
  });
});
