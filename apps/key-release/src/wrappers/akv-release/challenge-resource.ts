import { isIP } from 'node:net';

/**
 * The resource that a challenge names: clients send a token only to a host below that of the resource, so it is the parent domain of
 * ours. A host without a parent (`localhost`, an address) names itself; clients then must have that check turned off.
 */
export function challengeResource(publicUrl: string): string {
  const { hostname, origin } = new URL(publicUrl);
  const parent = hostname.slice(hostname.indexOf('.') + 1);
  const below = hostname.includes('.') && parent.includes('.') && isIP(hostname) === 0;
  return below ? `https://${parent}` : origin;
}
