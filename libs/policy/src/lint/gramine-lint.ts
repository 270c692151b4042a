import { GRAMINE_STRING_BYTES } from '../manifest/gramine-schema.js';
import { secretAlias } from '../manifest/secret-alias.js';
import { quoted } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { error, section } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

/**
 * Lints what a workload sends to Gramine's Secret Provisioning: which secret, and what can be known here about whether it fits.
 * Sizes of values are known to the vault alone; they are checked at release.
 */
export function lintGramine(view: WorkloadView, report: Report): void {
  const { name, workload } = view;
  const { gramine } = workload;
  if (!gramine) return;
  const base = ['workloads', name, 'gramine'];
  const bytes = gramine.delivery !== 'env-string' && gramine.delivery !== 'json-bundle';
  if (gramine.encoding !== undefined && !bytes) {
    const message = `"encoding" is for deliveries of bytes; ${gramine.delivery} sends text`;
    report(error('KEY_NOT_USED', [...base, 'encoding'], message, { at: 'key' }));
  }
  if (section(view, 'binding')?.value.challenge === 'required') {
    const message =
      "Gramine's protocol has no challenge, so that this workload could never be released by it";
    report(error('BINDING_HOLDS_NO_CHALLENGE', base, message, { at: 'key' }));
  }
  if (gramine.delivery === 'json-bundle') lintBundle(view, base, report);
  else lintChosen(view, base, report);
}

function lintBundle({ workload }: WorkloadView, base: string[], report: Report): void {
  const { gramine, env, secrets = [] } = workload;
  if (gramine?.secret !== undefined) {
    const message = 'a json-bundle holds all secrets; "secret" is for deliveries of one';
    report(error('KEY_NOT_USED', [...base, 'secret'], message, { at: 'key' }));
  }
  const names = secrets.filter(({ as }) => as === 'env').map((entry) => [secretAlias(entry), '']);
  const paths = secrets.filter(({ as }) => as === 'file').map(({ path }) => [path ?? '', '']);
  const smallest = JSON.stringify({
    env: { ...env, ...Object.fromEntries(names) },
    files: Object.fromEntries(paths),
  });
  if (Buffer.byteLength(smallest) > GRAMINE_STRING_BYTES) {
    const message = `names and plain values alone need ${Buffer.byteLength(smallest)} bytes; Gramine takes ${GRAMINE_STRING_BYTES}`;
    report(error('GRAMINE_SIZE_UNFIT', base, message, { at: 'key' }));
  }
}

function lintChosen({ workload }: WorkloadView, base: string[], report: Report): void {
  const { gramine, secrets = [] } = workload;
  const wanted = gramine?.secret;
  const aliases = secrets.map(secretAlias);
  if (wanted === undefined && secrets.length !== 1) {
    const message = `${gramine?.delivery} sends one secret and the workload has ${secrets.length}; name it with "secret", or send a json-bundle`;
    const suggestion = aliases[0] && `secret: ${aliases[0]}`;
    report(error('GRAMINE_SECRET_MISSING', base, message, { at: 'key', suggestion }));
    return;
  }
  const chosen = wanted === undefined ? secrets : secrets.filter((entry) => secretAlias(entry) === wanted);
  if (wanted !== undefined && chosen.length !== 1) {
    const message =
      chosen.length === 0
        ? `there is no secret with the alias ${quoted(wanted)}; known: ${aliases.join(', ') || 'none'}`
        : `${quoted(wanted)} is the alias of several secrets`;
    report(
      error('GRAMINE_SECRET_UNKNOWN', [...base, 'secret'], message, {
        suggestion: didYouMean(wanted, aliases),
      }),
    );
    return;
  }
  if (chosen[0]?.as === 'argv') {
    const message = 'a secret for the command line cannot be sent; give it as: env or file';
    report(error('GRAMINE_SECRET_ARGV', base, message, { at: 'key' }));
  }
  if (chosen[0]?.objectType === 'cert' && gramine?.delivery.endsWith('16')) {
    const message = `a certificate with its key is never 16 bytes, which ${gramine.delivery} demands`;
    report(error('GRAMINE_SIZE_UNFIT', [...base, 'delivery'], message, { suggestion: 'raw' }));
  }
}
