import { describe, expect, it } from '@jest/globals';
import { TenantResolver } from '../../tenants/tenant-resolver.js';
import { RaTlsController } from './ra-tls.controller.js';

describe('RA-TLS that is switched off', () => {
  it('is not there: nothing is read, nothing is asked of the pipeline', async () => {
    const controller = new RaTlsController({} as never, new TenantResolver('', 'default'), {
      SIEGEL_RA_TLS: false,
    } as never);
    await expect(controller.attest({} as never)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      detail: 'RA-TLS is off; set SIEGEL_RA_TLS=true',
    });
  });
});
