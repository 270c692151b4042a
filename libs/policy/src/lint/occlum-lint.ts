import {
  carriedExactly,
  type OcclumAnswer,
  occlumForm,
  occlumLimit,
  type OcclumProtocol,
} from '../manifest/occlum-schema.js';
import { secretAlias } from '../manifest/secret-alias.js';
import type { PathStep } from '../problem.js';
import { quoted } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { error, section } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

const BINDING_OF: Readonly<Record<OcclumProtocol, string>> = { aecs: 'aecs-pem', grpc_ratls: 'sha256-spki' };

/** Lints what Occlum's init clients may ask for: each name once, each a secret that its protocol can carry to the byte. */
export function lintOcclum(view: WorkloadView, report: Report): void {
  const { occlum } = view.workload;
  if (!occlum) return;
  const base = ['workloads', view.name, 'occlum'];
  const protocols = occlum.protocols ?? ['aecs'];
  for (const [index, answer] of occlum.answers.entries()) {
    const at = [...base, 'answers', index];
    lintName(occlum.answers.slice(0, index), answer, at, report);
    lintSecret(view, answer, at, report);
    lintForm(answer, protocols, at, report);
  }
  const binding = section(view, 'binding')?.value;
  if (binding?.challenge === 'required') {
    const message =
      "Occlum's protocols have no challenge, so that this workload could never be released by them";
    report(error('BINDING_HOLDS_NO_CHALLENGE', base, message, { at: 'key' }));
  }
  const named = binding?.convention === undefined ? undefined : [binding.convention].flat();
  for (const protocol of named ? protocols : []) {
    const needed = BINDING_OF[protocol];
    if ((named as readonly string[]).includes(needed)) continue;
    const message = `the binding of this workload has no ${quoted(needed)}, so that no ${protocol} client can reach it`;
    report(error('OCCLUM_BINDING_UNFIT', base, message, { at: 'key' }));
  }
}

function lintName(
  earlier: readonly OcclumAnswer[],
  { name, service }: OcclumAnswer,
  at: PathStep[],
  report: Report,
): void {
  const same = (other: OcclumAnswer): boolean =>
    other.name === name &&
    (other.service === service || other.service === undefined || service === undefined);
  if (!earlier.some(same)) return;
  const message = `${quoted(name)} stands here twice for one service; each request has one answer`;
  report(error('OCCLUM_NAME_REPEATED', [...at, 'name'], message));
}

function lintSecret({ workload }: WorkloadView, answer: OcclumAnswer, at: PathStep[], report: Report): void {
  const { secrets = [] } = workload;
  const aliases = secrets.map(secretAlias);
  const [chosen, ...others] = secrets.filter((entry) => secretAlias(entry) === answer.secret);
  if (chosen === undefined || others.length > 0) {
    const message =
      chosen === undefined
        ? `there is no secret with the alias ${quoted(answer.secret)}; known: ${aliases.join(', ') || 'none'}`
        : `${quoted(answer.secret)} is the alias of several secrets`;
    const suggestion = didYouMean(answer.secret, aliases);
    report(error('OCCLUM_SECRET_UNKNOWN', [...at, 'secret'], message, { suggestion }));
    return;
  }
  if (chosen.as === 'argv') {
    const message = 'a secret for the command line cannot be sent; give it as: env or file';
    report(error('OCCLUM_SECRET_ARGV', [...at, 'secret'], message));
  }
  if (chosen.objectType === 'cert' && occlumForm(answer) === 'image-key') {
    const message = 'a certificate with its key is never an image key of 16 bytes';
    report(error('OCCLUM_SIZE_UNFIT', at, message));
  }
}

function lintForm(
  answer: OcclumAnswer,
  protocols: readonly OcclumProtocol[],
  at: PathStep[],
  report: Report,
): void {
  const { name, service, encoding, length } = answer;
  const form = occlumForm(answer);
  if (service !== undefined && !protocols.includes('aecs')) {
    report(error('KEY_NOT_USED', [...at, 'service'], 'grpc_ratls has no name of a service', { at: 'key' }));
  }
  if (form === 'text' && encoding !== undefined) {
    const message = '"encoding" is for forms of bytes; this one is sent as text';
    report(error('KEY_NOT_USED', [...at, 'encoding'], message, { at: 'key' }));
  }
  if (form === 'text' || form === 'image-key') {
    if (length !== undefined) {
      const message = `"length" is for bytes; the form ${form} has a length of its own`;
      report(error('KEY_NOT_USED', [...at, 'length'], message, { at: 'key' }));
    }
    return;
  }
  const sent = length === undefined ? 0 : form === 'base64' ? Math.ceil(length / 3) * 4 : length;
  if (sent > occlumLimit(name)) {
    const message = `${sent} bytes are more than the client's buffer for ${quoted(name)} takes: ${occlumLimit(name)}`;
    report(error('OCCLUM_SIZE_UNFIT', [...at, 'length'], message));
    return;
  }
  if (form !== 'bytes' || !protocols.includes('grpc_ratls')) return;
  if (length === undefined) {
    const message =
      'grpc_ratls carries bytes exactly for some lengths only: say which length this secret has';
    report(error('OCCLUM_LENGTH_MISSING', at, message, { suggestion: 'length: 32' }));
  } else if (!carriedExactly(length)) {
    const message =
      `grpc_ratls cannot carry ${length} bytes exactly: its client adds a byte to lengths of 3n + 1. Use another length, form: base64, ` +
      'form: image-key for image keys, or aecs alone';
    report(error('OCCLUM_SIZE_UNFIT', [...at, 'length'], message));
  }
}
