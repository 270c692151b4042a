export const VAULTS = Symbol('VAULTS');
