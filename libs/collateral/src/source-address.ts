import { isIP } from 'node:net';
import { z } from 'zod';

/** Azure's host agent answers here and speaks no TLS; the address is not routed beyond the host. */
export const AZURE_HOST_AGENT = '169.254.169.254';

/**
 * The address of a collateral source. Collateral is signed, but whoever can change it on the way can withhold a newer one, so
 * that plain HTTP is accepted only where nobody is on the way: this machine, and Azure's host agent.
 */
export const sourceAddress = z.string().transform((text, context) => {
  const parsed = parseSourceAddress(text);
  if ('url' in parsed) return parsed.url;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

/** The address without a slash at its end, or what is wrong with it, as the end of a sentence that begins with its name. */
export function parseSourceAddress(text: string): { readonly url: string } | { readonly problem: string } {
  if (!URL.canParse(text)) return { problem: `is not a URL: ${text.slice(0, 100)}` };
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return { problem: 'must have neither credentials nor query nor fragment' };
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isOnThisHost(url.hostname)))
    return { problem: `must be https (plain http only for loopback and ${AZURE_HOST_AGENT})` };
  return { url: url.href.replace(/\/+$/, '') };
}

function isOnThisHost(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]' || hostname === AZURE_HOST_AGENT) return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}
