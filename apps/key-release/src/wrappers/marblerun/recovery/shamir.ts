import { randomBytes, randomInt } from 'node:crypto';

const MAX_SHARES = 255;

/**
 * Shamir's secret sharing over GF(2^8) modulo x^8+x^4+x^3+x+1, one polynomial per byte, in the form of HashiCorp's library: a share is the
 * values of all polynomials at its x, with x as its last byte. Multiplication uses no table, so that its time tells nothing.
 * @param threshold 2 to `count`
 */
export function splitShamir(secret: Uint8Array, count: number, threshold: number): Buffer[] {
  if (!(threshold >= 2 && threshold <= count && count <= MAX_SHARES) || secret.length === 0)
    throw new RangeError(`${threshold} of ${count} shares of ${secret.length} bytes`);
  const shares = distinctPoints(count).map((x) => {
    const share = Buffer.alloc(secret.length + 1);
    share[secret.length] = x;
    return share;
  });
  for (const [at, byte] of secret.entries()) {
    const polynomial = Buffer.concat([Buffer.of(byte), randomBytes(threshold - 1)]);
    for (const share of shares) share[at] = evaluate(polynomial, share[secret.length]!);
    polynomial.fill(0);
  }
  return shares;
}

/** What the shares' polynomials are at 0. Too few or foreign shares give another secret, not an error. @throws RangeError for shares that cannot belong together */
export function combineShamir(shares: readonly Uint8Array[]): Buffer {
  const length = shares[0]?.length ?? 0;
  if (shares.length < 2 || length < 2 || shares.some((share) => share.length !== length))
    throw new RangeError('shares of one length are needed, two at least');
  const points = shares.map((share) => share[length - 1]!);
  if (new Set(points).size !== points.length || points.includes(0))
    throw new RangeError('shares with distinct points are needed');
  const weights = points.map((x, at) =>
    points.reduce(
      (weight, other, from) => (from === at ? weight : multiply(weight, divide(other, other ^ x))),
      1,
    ),
  );
  const secret = Buffer.alloc(length - 1);
  for (let at = 0; at < secret.length; at++) {
    secret[at] = shares.reduce((sum, share, from) => sum ^ multiply(share[at]!, weights[from]!), 0);
  }
  return secret;
}

/** Random x coordinates, none 0, none twice. */
function distinctPoints(count: number): number[] {
  const points = Array.from({ length: MAX_SHARES }, (_, at) => at + 1);
  for (let at = points.length - 1; at > 0; at--) {
    const other = randomInt(at + 1);
    [points[at], points[other]] = [points[other]!, points[at]!];
  }
  return points.slice(0, count);
}

const evaluate = (polynomial: Buffer, x: number): number =>
  polynomial.reduceRight((sum, coefficient) => multiply(sum, x) ^ coefficient, 0);

function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = ((product << 1) ^ (-(product >> 7) & 0x11b) ^ (-((b >> bit) & 1) & a)) & 0xff;
  }
  return product;
}

/** By the inverse b^254. */
function divide(a: number, b: number): number {
  let inverse = 1;
  for (let bit = 7; bit >= 0; bit--) {
    inverse = multiply(inverse, inverse);
    if ((254 >> bit) & 1) inverse = multiply(inverse, b);
  }
  return multiply(a, inverse);
}
