import { createHash } from 'node:crypto';
import { request } from 'node:https';
import { hashedText } from './app-config-text.js';
import { EmAppFailure } from './em-app-client.js';

/** What an enclave has after its boot. */
export interface Credentials {
  readonly certificate?: string;
  readonly key?: string;
  /** The authority that it trusts; em-app without one trusts anybody, which ours never does. */
  readonly ca: string;
}

export interface RuntimeConfig {
  readonly config: Parameters<typeof hashedText>[0];
  readonly extra: {
    readonly connections: Record<
      string,
      Record<
        string,
        {
          dataset?: {
            location: string;
            credentials: {
              sdkms: { credentials_url: string; credentials_key_name: string; sdkms_app_id: string };
            };
          };
          application?: { workflow_domain: string };
        }
      >
    >;
  };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One HTTPS request with the client's certificate, on a connection of its own. */
export function call(
  url: string,
  { certificate, key, ca }: Credentials,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method,
        agent: false,
        ca,
        minVersion: 'TLSv1.2',
        ...(certificate === undefined ? {} : { cert: certificate, key }),
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body ?? '')) },
        timeout: 20_000,
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** `get_runtime_configuration` (em-app/src/utils.rs) and `deserialize_config_checked` (em-client). */
export async function runtimeConfiguration(
  server: string,
  credentials: Credentials,
  expected: string,
  path = '/api/v1/confidential_computing/runtime/app_configs',
): Promise<RuntimeConfig> {
  const { status, text } = await call(`${server}${path}`, credentials);
  if (status !== 200) throw new EmAppFailure(`Unexpected response code ${status}: ${text}`);
  const parsed = JSON.parse(text) as RuntimeConfig;
  const hash = createHash('sha256').update(hashedText(parsed.config)).digest('hex');
  if (hash !== expected) throw new EmAppFailure('App config hash mismatch');
  if (parsed.extra.connections === undefined) throw new EmAppFailure('Missing connections field');
  return parsed;
}

/** Members that sdkms' model of an exported object demands (sdkms-client-rust, Sobject). */
const DEMANDED = [
  'acct_id',
  'created_at',
  'creator',
  'enabled',
  'key_ops',
  'lastused_at',
  'obj_type',
  'origin',
  'public_only',
];

/** `get_sdkms_dataset` (em-app/src/utils.rs): authentication by certificate, then the export of one object by name. */
export async function dataset(
  url: string,
  name: string,
  app: string,
  credentials: Credentials,
): Promise<Buffer> {
  const basic = `Basic ${Buffer.from(`${app}:`).toString('base64')}`;
  const auth = await call(`${url}/sys/v1/session/auth`, credentials, {
    method: 'POST',
    headers: { authorization: basic },
  });
  if (auth.status !== 200) throw new EmAppFailure(`SDKMS authenticate failed: ${auth.status} ${auth.text}`);
  const { access_token, token_type, entity_id } = JSON.parse(auth.text) as Record<string, string>;
  if (token_type !== 'Bearer' || entity_id !== app) throw new EmAppFailure('SDKMS authenticate failed');
  const exported = await exportKey(url, name, access_token!, credentials);
  if (exported.status !== 200)
    throw new EmAppFailure(`Failed SDKMS export operation: ${exported.status} ${exported.text}`);
  const object = JSON.parse(exported.text) as Record<string, unknown>;
  const missing = DEMANDED.filter((member) => object[member] === undefined);
  if (missing.length > 0) throw new EmAppFailure(`missing field ${missing.join()}`);
  if (typeof object['value'] !== 'string') throw new EmAppFailure('Missing value in exported object');
  return Buffer.from(object['value'], 'base64');
}

export const exportKey = (
  url: string,
  name: string,
  token: string,
  credentials: Credentials,
): Promise<Answer> =>
  call(`${url}/crypto/v1/keys/export`, credentials, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  });
