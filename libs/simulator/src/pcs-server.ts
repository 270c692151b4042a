import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CollateralOptions } from './collateral.js';
import { EVALUATION_DATA_NUMBERS, type EvaluationDataNumber } from './pcs-documents.js';
import { FaultScript, type PcsEndpoint, type PcsFault } from './pcs-faults.js';
import { PcsRoutes, routeOf, type PcsAnswer, type PcsShape } from './pcs-routes.js';
import type { SimulatedSgx } from './simulated-sgx.js';
import { SimulatorError } from './simulator-error.js';

export interface PcsServerOptions {
  shape?: PcsShape;
  /** FMSPCs that the service knows (404 for others); all if not given. */
  fmspcs?: string[];
  evaluationDataNumbers?: EvaluationDataNumber[];
  standardNumber?: number;
  subscriptionKey?: string;
  collateral?: CollateralOptions;
  /** Entries of the request log that are kept; the oldest go first. */
  logLimit?: number;
}

/** One request as the server saw it. */
export interface PcsLogEntry {
  at: Date;
  method: string;
  /** Path with query. */
  url: string;
  headers: Record<string, string | string[] | undefined>;
  endpoint?: PcsEndpoint;
  fault?: PcsFault['kind'];
  /** 0 where the connection was cut. */
  status: number;
}

/**
 * A collateral server on 127.0.0.1 over a simulated PKI that speaks the dialect of Intel's PCS v4, of a PCCS or of
 * Azure THIM, with faults on demand. Bounded in what it remembers; it holds no file and no other port.
 */
export class SimulatedPcsServer {
  readonly log: PcsLogEntry[] = [];
  readonly faults = new FaultScript();
  private readonly routes: PcsRoutes;
  private server: Server | undefined;
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(
    sgx: SimulatedSgx,
    private readonly options: PcsServerOptions = {},
  ) {
    this.routes = new PcsRoutes(sgx, {
      shape: options.shape ?? 'pcs',
      ...(options.fmspcs === undefined ? {} : { fmspcs: options.fmspcs }),
      evaluationDataNumbers: options.evaluationDataNumbers ?? EVALUATION_DATA_NUMBERS,
      standardNumber: options.standardNumber ?? 19,
      ...(options.subscriptionKey === undefined ? {} : { subscriptionKey: options.subscriptionKey }),
      collateral: options.collateral ?? {},
    });
  }

  /** What the next documents say: a test sets levels or revocations here to let a TCB recovery happen. */
  setCollateral(collateral: CollateralOptions): void {
    this.routes.options.collateral = collateral;
  }

  /** Listens on a port that the OS chooses, or on `port`; returns the base URL without a slash at its end. */
  async start(port = 0): Promise<string> {
    if (this.server !== undefined)
      throw new SimulatorError('SIMULATOR_SERVER_STATE', 'The server has been started already.');
    const server = createServer((request, response) => this.handle(request, response));
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return this.url;
  }

  get url(): string {
    const address = this.server?.address() as AddressInfo | null | undefined;
    if (!address) throw new SimulatorError('SIMULATOR_SERVER_STATE', 'The server is not listening.');
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Requests that asked for an endpoint (all of them without one). */
  requests(endpoint?: PcsEndpoint): PcsLogEntry[] {
    return endpoint === undefined ? [...this.log] : this.log.filter((entry) => entry.endpoint === endpoint);
  }

  private record(entry: PcsLogEntry): void {
    this.log.push(entry);
    if (this.log.length > (this.options.logLimit ?? 10_000)) this.log.shift();
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const route = routeOf(url);
    const fault = route === undefined ? undefined : this.faults.next(route.endpoint);
    const answer: PcsAnswer =
      route === undefined || request.method !== 'GET'
        ? { status: route === undefined ? 404 : 405, headers: {}, body: Buffer.alloc(0) }
        : this.routes.answer({ ...route, query: url.searchParams, headers: request.headers }, fault);
    this.record({
      at: new Date(),
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      ...(route === undefined ? {} : { endpoint: route.endpoint }),
      ...(fault === undefined ? {} : { fault: fault.kind }),
      status: fault?.kind === 'reset' ? 0 : fault?.kind === 'status' ? fault.status : answer.status,
    });
    this.send(response, answer, fault);
  }

  private send(response: ServerResponse, answer: PcsAnswer, fault: PcsFault | undefined): void {
    const headers = {
      ...answer.headers,
      'Request-ID': `sim-${this.log.length}`,
      'Content-Length': String(answer.body.length),
    };
    const half = answer.body.subarray(0, Math.floor(answer.body.length / 2));
    const complete = (body: Buffer): void => {
      response.writeHead(answer.status, { ...headers, 'Content-Length': String(body.length) });
      response.end(body);
    };
    switch (fault?.kind) {
      case 'slow': {
        const timer = setTimeout(() => {
          this.timers.delete(timer);
          complete(answer.body);
        }, fault.ms);
        this.timers.add(timer);
        return;
      }
      case 'stall':
        response.writeHead(answer.status, headers);
        response.write(half);
        return;
      case 'truncated':
        response.writeHead(answer.status, headers);
        response.write(half, () => response.destroy());
        return;
      case 'status':
        response.writeHead(
          fault.status,
          fault.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(fault.retryAfterSeconds) },
        );
        response.end();
        return;
      case 'cut-json':
        return complete(half);
      case 'garbage':
        return complete(Buffer.from('\u0000\u00ff<html>not a document</html>', 'latin1'));
      case 'oversized':
        return complete(Buffer.alloc(fault.bytes, 0x20));
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      default:
        return complete(answer.body);
    }
  }
}
