import { appConfigId } from '#evidence';
import { FORTANIX_FILES } from '../manifest/fortanix-schema.js';
import { secretAlias } from '../manifest/secret-alias.js';
import { type PathStep, quoted } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { error, type Report, section, warning, type WorkloadView } from './rule.js';

type Config = NonNullable<NonNullable<WorkloadView['workload']['fortanix']>['configs']>[number];

/** Lints what clients of Fortanix' em-app are served: an identity that they can take, and configurations that hold together. */
export function lintFortanix(view: WorkloadView, report: Report): void {
  const { name, workload } = view;
  const { fortanix } = workload;
  if (!fortanix) return;
  const base = ['workloads', name, 'fortanix'];
  if (!workload.certificate) {
    const message = 'em-app boots for a certificate, and this workload has no "certificate"';
    report(error('FORTANIX_CERTIFICATE_MISSING', base, message, { at: 'key' }));
  }
  const binding = section(view, 'binding')?.value;
  if (binding?.challenge === 'required') {
    const message = "em-app's protocol has no challenge, so that this workload could never be released by it";
    report(error('BINDING_HOLDS_NO_CHALLENGE', base, message, { at: 'key' }));
  }
  if (binding?.convention !== undefined && ![binding.convention].flat().includes('fortanix-config')) {
    const message = 'the binding of this workload has no "fortanix-config", so that no em-app can reach it';
    report(error('FORTANIX_BINDING_UNFIT', base, message, { at: 'key' }));
  }
  const seen = new Set<string>();
  for (const [index, one] of (fortanix.configs ?? []).entries()) {
    const at = [...base, 'configs', index];
    const id = appConfigId(one.config).toString('hex');
    if (seen.has(id)) report(error('FORTANIX_CONFIG_REPEATED', at, 'this configuration stands here twice'));
    seen.add(id);
    lintFiles(one, at, report);
    lintConnections(view, one, at, report);
  }
}

function lintFiles({ config }: Config, at: readonly PathStep[], report: Report): void {
  for (const path of Object.keys(config.app_config)) {
    if (path.startsWith(FORTANIX_FILES) && !path.split('/').includes('..')) continue;
    const message = `clients of EnclaveOS refuse files outside ${FORTANIX_FILES}`;
    report(warning('FORTANIX_PATH_OUTSIDE', [...at, 'config', 'app_config', path], message, { at: 'key' }));
  }
}

function lintConnections(
  { workload }: WorkloadView,
  { config, connections = {} }: Config,
  at: readonly PathStep[],
  report: Report,
): void {
  const aliases = (workload.secrets ?? []).map(secretAlias);
  const ports = config.workflow?.port_map ?? {};
  for (const [port, names] of Object.entries(connections)) {
    for (const [name, { dataset, application }] of Object.entries(names)) {
      const path = [...at, 'connections', port, name];
      const hashed =
        Object.hasOwn(ports, port) && Object.hasOwn(ports[port]!, name) ? ports[port]![name] : undefined;
      if ((dataset && !hashed?.dataset) || (application && !hashed?.application)) {
        const message = 'the configuration has no such port of this kind in "port_map"';
        report(error('FORTANIX_CONNECTION_UNKNOWN', path, message, { at: 'key' }));
      }
      if (!dataset || aliases.filter((alias) => alias === dataset.secret).length === 1) continue;
      const message = `${quoted(dataset.secret)} is not the alias of exactly one secret; known: ${aliases.join(', ') || 'none'}`;
      report(
        error('FORTANIX_SECRET_UNKNOWN', [...path, 'dataset', 'secret'], message, {
          suggestion: didYouMean(dataset.secret, aliases),
        }),
      );
    }
  }
}
