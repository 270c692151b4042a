import { isIP } from 'node:net';
import { z } from 'zod';

/** Azure's host agent answers here and speaks no TLS; the address is not routed beyond the host. */
export const AZURE_HOST_AGENT = '169.254.169.254';

/**
 * The address of a collateral source. Collateral is signed, but whoever can change it on the way can withhold a newer one, so
 * that plain HTTP is accepted only where nobody is on the way: this machine, and Azure's host agent.
 */
export const sourceAddress = z.string().transform((text, context) => {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    context.addIssue({ code: 'custom', message: `is not a URL: ${text.slice(0, 100)}` });
    return z.NEVER;
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    context.addIssue({ code: 'custom', message: 'must have neither credentials nor query nor fragment' });
    return z.NEVER;
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isOnThisHost(url.hostname))) {
    context.addIssue({
      code: 'custom',
      message: `must be https (plain http only for loopback and ${AZURE_HOST_AGENT})`,
    });
    return z.NEVER;
  }
  return url.href.replace(/\/+$/, '');
});

function isOnThisHost(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]' || hostname === AZURE_HOST_AGENT) return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}
