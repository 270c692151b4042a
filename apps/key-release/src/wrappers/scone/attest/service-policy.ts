import { compileManifest, parseManifest, scone, type CompiledManifest } from '#policy';
import { Denial } from '../../../pipeline/denial.js';

/** Name of the one workload that a service's policy is compiled to. */
export const SERVICE_WORKLOAD = 'service';
/** Lines of the import that this protocol serves although a manifest cannot. */
const SERVED = ['security.attestation.one_time_password_shared_secret', 'security.service_access_token'];

export interface ServicePolicy {
  readonly service: scone.SconeService;
  readonly image: scone.SconeImage | undefined;
  readonly compiled: CompiledManifest;
}

/**
 * The policy of one service, by the same rules as an imported manifest. A session whose policy would be weaker here than with its CAS is
 * not served.
 * @throws Denial
 */
export function servicePolicy(
  read: scone.ReadSession,
  name: string,
  options: { tenant: string; trustDomain: string; acceptSimulated: boolean },
): ServicePolicy {
  const { session } = read;
  const service = session.services.find((one) => one.name === name);
  if (!service) throw refused('SCONE_SERVICE_UNKNOWN', 'the session has no such service');
  const { services, report } = scone.importSession(read);
  const open = report.find(
    ({ path, result }) =>
      path.startsWith('security') &&
      !SERVED.includes(path) &&
      (result === 'unsupported' || path.endsWith('.mode')) &&
      result !== 'mapped',
  );
  if (open) throw refused('SCONE_POLICY_NOT_SERVED', `${open.path}: ${open.note}`);
  const found = services.find((one) => one.service === name)?.workload;
  if (!found) throw refused('SCONE_POLICY_NOT_SERVED', 'no rule for its enclaves could be taken over');
  const { identity, tcb, debug, platform, binding } = found;
  const workload = { identity, tcb, debug, platform, binding, certificate: {} };
  const parsed = parseManifest(JSON.stringify({ siegel: 'v1', workloads: { [SERVICE_WORKLOAD]: workload } }));
  if (!parsed.ok)
    throw refused('SCONE_POLICY_NOT_SERVED', parsed.problems[0]?.message ?? 'the policy is not valid');
  const { images } = session;
  return {
    service,
    image: images.find((one) => one.name === service.imageName),
    compiled: compileManifest(parsed.manifest, options),
  };
}

export const refused = (code: string, message: string): Denial =>
  Denial.of('RELEASE_DENIED', { code, message: message.slice(0, 1_000) });
