import type { Field } from './inspection.js';

/** How the bytes of a field are shown. */
export type Show = 'hex' | 'u16' | 'u32' | 'u32-hex';

/** One row of a layout: offset within the structure, size, name, how to show it, what it says. */
export interface Row {
  readonly at: number;
  readonly size: number;
  readonly name: string;
  readonly show?: Show;
  readonly note?: (bytes: Buffer) => string | undefined;
}

export const row = (at: number, size: number, name: string, show: Show = 'hex', note?: Row['note']): Row => ({
  at,
  size,
  name,
  show,
  ...(note === undefined ? {} : { note }),
});

/** Reads the rows of a layout from a structure that begins at `base` of the file. */
export function readRows(structure: Buffer, rows: readonly Row[], base: number): Field[] {
  return rows.map(({ at, size, name, show = 'hex', note }) => {
    const bytes = structure.subarray(at, at + size);
    const said = note?.(bytes);
    return {
      name,
      value: shown(bytes, show),
      offset: base + at,
      size,
      ...(said === undefined ? {} : { note: said }),
    };
  });
}

function shown(bytes: Buffer, show: Show): string | number {
  switch (show) {
    case 'u16':
      return bytes.readUInt16LE(0);
    case 'u32':
      return bytes.readUInt32LE(0);
    case 'u32-hex':
      return `0x${bytes.readUInt32LE(0).toString(16).padStart(8, '0')}`;
    case 'hex':
      return bytes.toString('hex');
  }
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

/** Says that a reserved field is not what it must be. */
export const mustBeZero = (bytes: Buffer): string | undefined =>
  isZero(bytes) ? undefined : 'reserved, but not zero';

export const zeroNote =
  (text: string) =>
  (bytes: Buffer): string | undefined =>
    isZero(bytes) ? text : undefined;

/** Names of the bits that are set in a little-endian field, with the position of those that have no name. */
export function bitNames(bytes: Buffer, names: Readonly<Record<number, string>>): string {
  const set: string[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    if (((bytes[bit >> 3] as number) >> (bit & 7)) & 1) set.push(names[bit] ?? `bit ${bit}`);
  }
  return set.length === 0 ? 'none' : set.join(', ');
}

/** SGX ATTRIBUTES.FLAGS (Intel SDM vol. 3D, §37.7.1). */
export const SGX_FLAGS: Readonly<Record<number, string>> = {
  0: 'INIT',
  1: 'DEBUG',
  2: 'MODE64BIT',
  4: 'PROVISIONKEY',
  5: 'EINITTOKENKEY',
  6: 'CET',
  7: 'KSS',
  10: 'AEXNOTIFY',
};

/** TDATTRIBUTES (Intel TDX module ABI). */
export const TD_ATTRIBUTES: Readonly<Record<number, string>> = {
  0: 'DEBUG',
  28: 'SEPT_VE_DISABLE',
  30: 'PKS',
  31: 'KL',
  63: 'PERFMON',
};
