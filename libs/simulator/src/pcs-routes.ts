import type { CollateralOptions } from './collateral.js';
import { pem } from './der-writer.js';
import { PcsDocuments, type EvaluationDataNumber } from './pcs-documents.js';
import type { PcsEndpoint, PcsFault } from './pcs-faults.js';
import type { SimulatedPlatform } from './platform.js';
import type { PckCa } from './pki.js';
import { SimulatedSgx } from './simulated-sgx.js';
import type { Tee } from './tcb-documents.js';

/** Whose dialect the server speaks: Intel's PCS v4, Intel's caching PCCS, or Azure's THIM. */
export type PcsShape = 'pcs' | 'pccs' | 'thim';

export interface PcsAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

export interface PcsRequest {
  endpoint: PcsEndpoint;
  tee: Tee;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  /** Only THIM's host agent in the VM answers `pckcert` as JSON. */
  hostAgent: boolean;
}

export interface PcsRoutesOptions {
  shape: PcsShape;
  /** FMSPCs (12 hex digits) that the service knows; all if not given. */
  fmspcs?: string[];
  evaluationDataNumbers: EvaluationDataNumber[];
  /** The number that `update=standard` gives; `early` gives the highest. */
  standardNumber: number;
  /** PCS asks for a subscription key in `/pckcert`. */
  subscriptionKey?: string;
  /** Applied to every document: TCB levels, revocations, the time of issue. */
  collateral: CollateralOptions;
}

const PATH =
  /^(?:\/metadata\/THIM)?\/(sgx|tdx)\/certification\/v4\/(tcb|qe\/identity|pckcrl|rootcacrl|pckcert|tcbevaluationdatanumbers|fmspcs)$/;
const YEARS_AGO = 2 * 365 * 86_400_000;

/** Recognises a path; THIM and PCS serve the root CRL where the certificate's distribution point names it. */
export function routeOf(url: URL): Pick<PcsRequest, 'endpoint' | 'tee' | 'hostAgent'> | undefined {
  if (url.pathname === '/IntelSGXRootCA.der' || url.pathname.endsWith('/certification/v4/crl')) {
    return { endpoint: 'rootcacrl', tee: 'sgx', hostAgent: false };
  }
  const match = PATH.exec(url.pathname);
  if (match === null) return undefined;
  return {
    endpoint: match[2] === 'qe/identity' ? 'qe-identity' : (match[2] as PcsEndpoint),
    tee: match[1] as Tee,
    hostAgent: url.pathname.startsWith('/metadata/THIM'),
  };
}

/** Answers requests from the documents of a simulated PKI; knows the dialects, but no sockets. */
export class PcsRoutes {
  private readonly documents: PcsDocuments;
  private readonly foreign = SimulatedSgx.create({ seed: 'a PKI that nobody pins' });

  constructor(
    private readonly sgx: SimulatedSgx,
    readonly options: PcsRoutesOptions,
  ) {
    this.documents = new PcsDocuments(sgx);
  }

  answer(request: PcsRequest, fault: PcsFault | undefined): PcsAnswer {
    const { shape } = this.options;
    if (shape === 'thim' && request.hostAgent && request.headers['metadata'] !== 'true') {
      return problem(400, 'Bad request. Required metadata header not specified');
    }
    const answer = this.document(request, this.collateralFor(fault));
    if (fault?.kind === 'missing-chain' || fault?.kind === 'wrong-chain') {
      const chain = encodeURIComponent(this.foreign.pki.tcbSigner.pem + this.foreign.rootPem);
      const kept = Object.entries(answer.headers).filter(([name]) => !name.endsWith('Issuer-Chain'));
      const replaced = Object.keys(answer.headers).filter(
        (name) => fault.kind === 'wrong-chain' && name.endsWith('Issuer-Chain'),
      );
      return {
        ...answer,
        headers: Object.fromEntries([...kept, ...replaced.map((name) => [name, chain] as const)]),
      };
    }
    return answer;
  }

  private collateralFor(fault: PcsFault | undefined): CollateralOptions {
    const base = this.options.collateral;
    const at = base.at ?? this.sgx.now();
    if (fault?.kind === 'expired') return { ...base, at: new Date(at.getTime() - YEARS_AGO) };
    if (fault?.kind === 'wrong-signer') {
      const key = this.foreign.pki.tcbSigner.key;
      return {
        ...base,
        at,
        tcbInfoKey: key,
        qeIdentityKey: key,
        pckCrl: { signer: key },
        rootCrl: { signer: key },
      };
    }
    return { ...base, at };
  }

  private document(request: PcsRequest, collateral: CollateralOptions): PcsAnswer {
    const { query, tee } = request;
    switch (request.endpoint) {
      case 'tcb':
      case 'qe-identity':
        return this.tcbDocument(request, { ...collateral, tee });
      case 'pckcrl':
        return this.pckCrl(query, collateral);
      case 'rootcacrl': {
        const { body } = this.documents.rootCrl(collateral);
        return this.options.shape === 'pccs' && !query.has('uri')
          ? ok(Buffer.from(body.toString('hex')), 'application/pkix-crl')
          : ok(body, 'application/pkix-crl');
      }
      case 'tcbevaluationdatanumbers': {
        const document = this.documents.evaluationDataNumbers(
          tee,
          this.options.evaluationDataNumbers,
          collateral,
        );
        return ok(document.body, 'application/json', {
          'TCB-Evaluation-Data-Numbers-Issuer-Chain': document.issuerChainPem,
        });
      }
      case 'fmspcs': {
        const known = this.options.fmspcs ?? [
          ...new Set(this.sgx.knownPlatforms().map((each) => each.fmspc)),
        ];
        return ok(
          Buffer.from(JSON.stringify(known.map((fmspc) => ({ fmspc: fmspc.toUpperCase(), platform: 'E3' })))),
          'application/json',
        );
      }
      case 'pckcert':
        return this.pckCertificate(request);
    }
  }

  private tcbDocument(request: PcsRequest, collateral: CollateralOptions): PcsAnswer {
    const number = this.evaluationDataNumber(request.query);
    if (typeof number !== 'number') return number;
    if (request.endpoint === 'qe-identity') {
      const document = this.documents.qeIdentity({
        ...collateral,
        qeEvaluationDataNumber: collateral.qeEvaluationDataNumber ?? number,
      });
      return ok(document.body, 'application/json', {
        'SGX-Enclave-Identity-Issuer-Chain': document.issuerChainPem,
      });
    }
    const fmspc = request.query.get('fmspc') ?? '';
    if (!/^[0-9a-fA-F]{12}$/.test(fmspc)) return problem(400, 'Invalid request parameters.');
    const { fmspcs } = this.options;
    if (fmspcs !== undefined && !fmspcs.some((known) => known.toLowerCase() === fmspc.toLowerCase())) {
      return problem(404, 'No TCB info for this FMSPC.');
    }
    const document = this.documents.tcbInfo({
      ...collateral,
      fmspc: fmspc.toUpperCase(),
      tcbEvaluationDataNumber: collateral.tcbEvaluationDataNumber ?? number,
    });
    return ok(document.body, 'application/json', { 'TCB-Info-Issuer-Chain': document.issuerChainPem });
  }

  /** `update` and `tcbEvaluationDataNumber` exclude each other; a number before the oldest is gone, one after the newest unknown. */
  private evaluationDataNumber(query: URLSearchParams): number | PcsAnswer {
    const numbers = this.options.evaluationDataNumbers.map((each) => each.number);
    const update = query.get('update') ?? 'standard';
    const asked = this.options.shape === 'pcs' ? query.get('tcbEvaluationDataNumber') : null;
    if (asked === null) {
      if (update !== 'early' && update !== 'standard') return problem(400, 'Invalid request parameters.');
      return update === 'early' ? Math.max(...numbers) : this.options.standardNumber;
    }
    if (query.has('update') || !/^\d{1,9}$/.test(asked)) return problem(400, 'Invalid request parameters.');
    if (numbers.includes(Number(asked))) return Number(asked);
    return problem(Number(asked) < Math.min(...numbers) ? 410 : 404, 'This evaluation is not available.');
  }

  private pckCrl(query: URLSearchParams, collateral: CollateralOptions): PcsAnswer {
    const point = query.get('uri');
    const parameters = point !== null && URL.canParse(point) ? new URL(point).searchParams : query;
    const ca = parameters.get('ca');
    if (ca !== 'platform' && ca !== 'processor') return problem(400, 'Invalid request parameters.');
    const document = this.documents.pckCrl(ca satisfies PckCa, collateral);
    const chain = { 'SGX-PCK-CRL-Issuer-Chain': document.issuerChainPem };
    if (parameters.get('encoding') === 'der') return ok(document.body, 'application/pkix-crl', chain);
    // A PCCS answers in hex although it says PEM.
    return this.options.shape === 'pccs'
      ? ok(Buffer.from(document.body.toString('hex')), 'application/x-pem-file', chain)
      : ok(Buffer.from(pem('X509 CRL', document.body)), 'application/x-pem-file', chain);
  }

  private pckCertificate(request: PcsRequest): PcsAnswer {
    const { shape, subscriptionKey } = this.options;
    if (
      shape === 'pcs' &&
      subscriptionKey !== undefined &&
      request.headers['ocp-apim-subscription-key'] !== subscriptionKey
    ) {
      return problem(401, 'Access denied due to invalid subscription key.');
    }
    const platform = this.findPlatform(request.query);
    if (platform === undefined) return problem(404, 'No PCK certificate for this platform.');
    const material = this.sgx.pckFor(platform);
    if (request.hostAgent) {
      const body = {
        tcbm: material.tcbm.toUpperCase(),
        pckCert: material.certificatePem,
        'sgx-Pck-Certificate-Issuer-Chain': material.issuerChainPem,
        'sgx-Tcbm': material.tcbm.toUpperCase(),
        cacheMaxAge: '86400',
      };
      return ok(Buffer.from(JSON.stringify(body)), 'application/json');
    }
    return ok(Buffer.from(material.certificatePem), 'application/x-pem-file', {
      'SGX-PCK-Certificate-Issuer-Chain': material.issuerChainPem,
      'SGX-TCBm': material.tcbm.toUpperCase(),
      'SGX-FMSPC': platform.fmspc.toUpperCase(),
      'SGX-PCK-Certificate-CA-Type': platform.ca,
    });
  }

  private findPlatform(query: URLSearchParams): SimulatedPlatform | undefined {
    const ppid = query.get('encrypted_ppid')?.toLowerCase();
    const qeId = query.get('qeid')?.toLowerCase();
    return this.sgx
      .knownPlatforms()
      .find(
        (each) =>
          (ppid !== undefined &&
            [2048, 3072].some((bits) => each.encryptedPpid(bits as 2048 | 3072).toString('hex') === ppid)) ||
          (qeId !== undefined && each.qeId.toString('hex') === qeId),
      );
  }
}

function problem(status: number, message: string): PcsAnswer {
  return {
    status,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ message })),
  };
}

function ok(body: Buffer, contentType: string, headers: Record<string, string | undefined> = {}): PcsAnswer {
  const encoded = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [[name, name.endsWith('Issuer-Chain') ? encodeURIComponent(value) : value] as const],
  );
  return {
    status: 200,
    headers: {
      'Content-Type': contentType,
      'Cache-Control': 'max-age=86400',
      ...Object.fromEntries(encoded),
    },
    body,
  };
}
