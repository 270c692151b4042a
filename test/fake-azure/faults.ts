import { KeyVaultError } from './wire.js';

/** What a scripted fault does to a request. */
export type FaultEffect =
  /** The 429 that Key Vault sends: without Retry-After. `retryAfterSeconds` adds the header that it never sends. */
  | { readonly kind: 'throttle'; readonly retryAfterSeconds?: number }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly code?: string;
      readonly innerCode?: string;
      readonly message?: string;
    }
  | { readonly kind: 'firewall' }
  | { readonly kind: 'rbac' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The connection is reset without an answer. */
  | { readonly kind: 'reset' }
  /** Half an answer, then the connection ends. */
  | { readonly kind: 'truncate' }
  /** HTML with status 200, as from a proxy in between. */
  | { readonly kind: 'garbage' }
  /** A continuous-access-evaluation challenge, until a token comes that was asked for with its claims. */
  | { readonly kind: 'cae' };

export interface FaultRule {
  readonly effect: FaultEffect;
  /** Permission that the request needs (`secrets/get`), or `token` / `imds`; without it every request. */
  readonly action?: string;
  readonly vault?: string;
  /** Regular expression over the path. */
  readonly path?: string;
  /** How many requests it strikes; without it all. */
  readonly times?: number;
  /** How many matching requests it lets pass first. */
  readonly after?: number;
}

export interface FaultTarget {
  readonly action: string;
  readonly vault: string;
  readonly path: string;
}

/** Scripted faults: the first rule that matches strikes; delays strike in addition to the next one. */
export class Faults {
  private rules: { rule: FaultRule; path: RegExp | undefined; passed: number; struck: number }[] = [];

  add(rule: FaultRule): void {
    const path = rule.path === undefined ? undefined : new RegExp(rule.path);
    this.rules.push({ rule, path, passed: 0, struck: 0 });
  }

  clear(): void {
    this.rules = [];
  }

  /** The effects for this request, in order: any number of delays, then at most one other. */
  take(target: FaultTarget): FaultEffect[] {
    const effects: FaultEffect[] = [];
    for (const entry of this.rules) {
      const { rule } = entry;
      if (rule.action !== undefined && rule.action !== target.action) continue;
      if (rule.vault !== undefined && rule.vault !== target.vault) continue;
      if (entry.path !== undefined && !entry.path.test(target.path)) continue;
      if (entry.passed < (rule.after ?? 0)) {
        entry.passed++;
        continue;
      }
      if (rule.times !== undefined && entry.struck >= rule.times) continue;
      entry.struck++;
      effects.push(rule.effect);
      if (rule.effect.kind !== 'delay') break;
    }
    return effects;
  }
}

export const throttled = (retryAfterSeconds?: number): KeyVaultError =>
  new KeyVaultError(
    429,
    'Throttled',
    'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
    undefined,
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  );

export const forbidden = (innerCode: string, message: string): KeyVaultError =>
  new KeyVaultError(403, 'Forbidden', message, innerCode);

/** The error of an effect that is an answer; undefined for those that are not. */
export function faultError(effect: FaultEffect, vault: string, action: string): KeyVaultError | undefined {
  switch (effect.kind) {
    case 'throttle':
      return throttled(effect.retryAfterSeconds);
    case 'status':
      return new KeyVaultError(
        effect.status,
        effect.code ?? (effect.status >= 500 ? 'InternalServerError' : 'Forbidden'),
        effect.message ?? 'Scripted fault.',
        effect.innerCode,
      );
    case 'firewall':
      return forbidden(
        'ForbiddenByFirewall',
        `Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\nVault: ${vault};location=fake`,
      );
    case 'rbac':
      return rbacError(vault, action);
    default:
      return undefined;
  }
}

export const rbacError = (vault: string, action: string): KeyVaultError =>
  forbidden(
    'ForbiddenByRbac',
    `Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nAction: 'Microsoft.KeyVault/vaults/${action}/action'\r\nVault: ${vault};location=fake`,
  );
