import { PkiError } from './pki-error.js';

/**
 * OpenSSL takes any 32 octets for an Ed25519 or X25519 public key. These checks refuse what is not a point, is not
 * canonically encoded, or lies in the small subgroup, where a signature or a shared secret proves nothing
 * (RFC 8032 §5.1.3, RFC 7748 §6.1).
 */

const P = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** y of the Ed25519 points whose order divides 8, besides y = 0, 1 and p − 1. */
const ORDER_EIGHT_Y = [
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
];
/** u of the Curve25519 points (and twist points) whose order divides 8, besides u = 0, 1 and p − 1. */
const ORDER_EIGHT_U = [
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
];

/** Throws KEY_NOT_CANONICAL, KEY_NOT_ON_CURVE or KEY_WEAK unless the 32 octets are a proper Ed25519 public key. */
export function checkEd25519Point(point: Uint8Array): void {
  // The top bit is the sign of x; x = 0 only for y = ±1, which is refused below, so either sign names a point.
  const y = littleEndian(point) & ((1n << 255n) - 1n);
  if (y >= P) throw new PkiError('KEY_NOT_CANONICAL', 'Ed25519 y is not reduced');
  if (y <= 1n || y === P - 1n || ORDER_EIGHT_Y.includes(y))
    throw new PkiError('KEY_WEAK', 'Ed25519 point of small order');
  // x² = (y² − 1) / (d·y² + 1); u/v is a square exactly when u·v is.
  const yy = (y * y) % P;
  const product = ((yy + P - 1n) * ((D * yy + 1n) % P)) % P;
  if (power(product, (P - 1n) / 2n) !== 1n) throw new PkiError('KEY_NOT_ON_CURVE', 'Ed25519');
}

/** Throws KEY_NOT_CANONICAL or KEY_WEAK unless the 32 octets are a proper X25519 public key. */
export function checkX25519Point(point: Uint8Array): void {
  const u = littleEndian(point);
  if (u >= P) throw new PkiError('KEY_NOT_CANONICAL', 'X25519 u is not reduced');
  if (u <= 1n || u === P - 1n || ORDER_EIGHT_U.includes(u))
    throw new PkiError('KEY_WEAK', 'X25519 point of small order');
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % P;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}
