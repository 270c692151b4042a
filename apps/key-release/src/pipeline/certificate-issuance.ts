import type { CertificateRecord, ReleasePayload } from '#contracts';
import { SiegelError } from '#contracts';
import type { CertificateGrant } from '#policy';
import type { CertificateIssuer, IssuedLeaf, LeafRequest, PublicKey } from '#pki';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { signerRefusal } from './vault-refusals.js';

export const MESH_CA = Symbol('MESH_CA');

export interface IssuedCertificate {
  readonly payload: NonNullable<ReleasePayload['certificate']>;
  readonly record: z.infer<typeof CertificateRecord>;
}

/** TLS identities from the mesh CA, for the enclave's own key: the private key never leaves the enclave. */
@Injectable()
export class CertificateIssuance {
  constructor(@Inject(MESH_CA) private readonly ca: CertificateIssuer) {}

  /** The root that certifies a new intermediate may be a vault's key. @throws SiegelError VAULT_… */
  private async issued(request: LeafRequest): Promise<IssuedLeaf> {
    try {
      return await this.ca.issueLeaf(request);
    } catch (error) {
      throw signerRefusal(error);
    }
  }

  async issue(grant: CertificateGrant, key: PublicKey, now: Date): Promise<IssuedCertificate> {
    if (!key.canSign) {
      throw new SiegelError('PUBLIC_KEY_INVALID', {
        detail:
          'this workload receives a TLS certificate, so the bound key must be able to sign (P-256, P-384, P-521 or RSA)',
      });
    }
    const leaf = await this.issued({
      spki: key,
      dns: [...grant.dns],
      ...(grant.ips ? { ips: [...grant.ips] } : {}),
      ...(grant.spiffeId === undefined ? {} : { spiffeId: grant.spiffeId }),
      // The authority's own bound goes first; the certificate says when it ends.
      ttlSeconds: Math.min(grant.ttlSeconds, this.ca.maxLeafTtlSeconds),
      now,
    });
    const named = grant.spiffeId === undefined ? {} : { spiffeId: grant.spiffeId };
    const notAfter = leaf.notAfter.toISOString();
    return {
      payload: { chainPem: leaf.chainPem, rootPem: this.ca.rootPem, dns: [...grant.dns], ...named, notAfter },
      record: { serial: leaf.serial, sha256: leaf.sha256, dns: [...grant.dns], ...named, notAfter },
    };
  }
}
