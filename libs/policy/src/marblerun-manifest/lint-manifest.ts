import { DOCUMENT_LIMITS } from '../document/limits.js';
import { publicSigner } from '../lint/public-signers.js';
import { formatPath, type LintProblem, quoted } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { checkManifest } from './check-manifest.js';
import type { UnknownMember } from './field-reader.js';
import { parseGoJson, positionOf } from './go-json.js';
import { placeInData, placeOf } from './json-place.js';
import type { Manifest, PackageProperties } from './model.js';
import { ManifestSyntaxError, readManifest } from './read-manifest.js';
import { templateFaults } from './templates/index.js';

/** A finding about what a manifest says. `strict`: this server refuses it, upstream does not. */
interface Remark {
  readonly code: string;
  readonly level: 'strict' | 'warning';
  readonly path: readonly string[];
  readonly message: string;
  readonly suggestion?: string | undefined;
}

export const MARBLERUN_TCB_STATUSES = [
  'UpToDate',
  'OutOfDate',
  'Revoked',
  'ConfigurationNeeded',
  'OutOfDateConfigurationNeeded',
  'SWHardeningNeeded',
  'ConfigurationAndSWHardeningNeeded',
] as const;

/** All that can be said of a manifest without a deployment: what it does not accept, and what its writer hardly meant. Never throws. */
export function lintMarbleRunManifest(bytes: Uint8Array): LintProblem[] {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  try {
    const { manifest, unknown } = readManifest(bytes);
    const root = parseGoJson(bytes);
    const place = (path: readonly string[]) => positionOf(text, placeOf(root, path).keyOffset);
    return [
      ...unknown.slice(0, DOCUMENT_LIMITS.problems).map((member): LintProblem => {
        const { message, suggestion } = unknownMember(member);
        return {
          code: 'UNKNOWN_KEY',
          severity: 'error',
          path: formatPath([...member.path.slice(1), member.key]),
          ...positionOf(text, member.offset),
          message,
          ...(suggestion === undefined ? {} : { suggestion }),
        };
      }),
      ...checkManifest(manifest)
        .slice(0, DOCUMENT_LIMITS.problems)
        .map(({ message, path }): LintProblem => ({
          code: 'MANIFEST_INCONSISTENT',
          severity: 'error',
          path: formatPath(path),
          ...place(path),
          message,
        })),
      ...firstOf(templateFaults(manifest)).map(({ message, path, at, suggestion }): LintProblem => {
        const { keyOffset, node } = placeOf(root, path);
        return {
          code: 'TEMPLATE_FAILS',
          severity: 'error',
          path: formatPath(path),
          ...positionOf(text, node ? placeInData(text, node, at) : keyOffset),
          message,
          ...(suggestion === undefined ? {} : { suggestion }),
        };
      }),
      ...[...remarks(manifest)]
        .slice(0, DOCUMENT_LIMITS.problems)
        .map(({ code, level, path, message, suggestion }): LintProblem => ({
          code,
          severity: level === 'strict' ? 'error' : 'warning',
          path: formatPath(path),
          ...place(path),
          message,
          ...(suggestion === undefined ? {} : { suggestion }),
        })),
    ];
  } catch (error) {
    if (!(error instanceof ManifestSyntaxError)) throw error;
    return [
      {
        code: 'SYNTAX_ERROR',
        severity: 'error',
        path: '',
        ...positionOf(text, error.offset),
        message: error.message,
      },
    ];
  }
}

function firstOf<T>(found: Iterable<T>): T[] {
  const first: T[] = [];
  for (const each of found) if (first.push(each) === DOCUMENT_LIMITS.problems) break;
  return first;
}

/** What a strict deployment refuses although upstream accepts it: misspelt members and values without effect. */
export function* strictFaults(manifest: Manifest, unknown: readonly UnknownMember[]): Generator<string> {
  for (const member of unknown) yield unknownMember(member).message;
  for (const { level, message } of remarks(manifest)) if (level === 'strict') yield message;
}

function unknownMember({ path, key, candidates }: UnknownMember): { message: string; suggestion?: string } {
  const suggestion = didYouMean(key, candidates);
  const hint = suggestion === undefined ? '' : `; did you mean ${quoted(suggestion)}?`;
  const where = path.length > 1 ? ` in ${formatPath(path.slice(1))}` : '';
  return {
    message: `unknown key ${quoted(key)}${where}${hint}`,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function* remarks(manifest: Manifest): Generator<Remark> {
  for (const [name, properties] of manifest.packages) yield* packageRemarks(name, properties);
  yield* marbleRemarks(manifest);
  yield* secretRemarks(manifest);
  yield* configRemarks(manifest);
}

function* packageRemarks(name: string, properties: PackageProperties): Generator<Remark> {
  const path = ['Packages', name];
  const { debug, uniqueId, signerId, acceptedTcbStatuses, acceptedAdvisories } = properties;
  for (const [member, value] of [
    ['UniqueID', uniqueId],
    ['SignerID', signerId],
  ] as const) {
    if (value !== undefined && !/^[0-9a-f]{64}$/.test(value))
      yield {
        code: 'MEASUREMENT_MALFORMED',
        level: 'strict',
        path: [...path, member],
        message: `${member} of package ${name} is not 64 hexadecimal digits: no enclave will ever match`,
      };
  }
  for (const status of acceptedTcbStatuses) {
    if ((MARBLERUN_TCB_STATUSES as readonly string[]).includes(status)) continue;
    const suggestion = didYouMean(status, MARBLERUN_TCB_STATUSES);
    yield {
      code: 'TCB_STATUS_UNKNOWN',
      level: 'strict',
      path: [...path, 'AcceptedTCBStatuses'],
      message: `unknown TCB status ${quoted(status)} in package ${name}${suggestion ? `; did you mean ${quoted(suggestion)}?` : ''}`,
      suggestion,
    };
  }
  if (acceptedTcbStatuses.includes('Revoked'))
    yield {
      code: 'REVOKED_ACCEPTED',
      level: 'warning',
      path: [...path, 'AcceptedTCBStatuses'],
      message: `package ${name} accepts revoked platforms; they are refused here whatever it says`,
    };
  for (const advisory of acceptedAdvisories) {
    if (!/^INTEL-SA-\d{5}$/i.test(advisory))
      yield {
        code: 'ADVISORY_UNKNOWN',
        level: 'warning',
        path: [...path, 'AcceptedAdvisories'],
        message: `${quoted(advisory)} is no number of an Intel advisory (INTEL-SA-00000)`,
      };
  }
  if (debug)
    yield {
      code: 'DEBUG_PACKAGE',
      level: 'warning',
      path: [...path, 'Debug'],
      message: `package ${name} is a debug enclave: its host can read its memory`,
    };
  const signer = signerId === undefined || uniqueId !== undefined ? undefined : publicSigner(signerId);
  if (signer !== undefined && !debug)
    yield {
      code: 'SIGNER_PUBLIC',
      level: 'strict',
      path: [...path, 'SignerID'],
      message: `the signer of package ${name} has a private key that anybody has`,
    };
}

function* marbleRemarks({ marbles, packages }: Manifest): Generator<Remark> {
  for (const [name, marble] of marbles) {
    if (marble.tls.length > 0 && [...marble.parameters.files.keys()].some((file) => GRAMINE_KEYS.test(file)))
      yield {
        code: 'TTLS_NOT_SUPPORTED',
        level: 'warning',
        path: ['Marbles', name, 'TLS'],
        message: `marble ${name} gets Gramine keys; MarbleRun's runtime for Gramine and Occlum refuses marbles with TLS tags`,
      };
  }
  const used = new Set([...marbles.values()].map((marble) => marble.package));
  for (const name of packages.keys()) {
    if (!used.has(name))
      yield {
        code: 'PACKAGE_UNUSED',
        level: 'warning',
        path: ['Packages', name],
        message: `no marble uses package ${name}`,
      };
  }
}

function* secretRemarks({ secrets }: Manifest): Generator<Remark> {
  for (const [name, { type, userDefined, source, shared }] of secrets) {
    const path = ['Secrets', name];
    if (type === 'plain' && !userDefined && source === undefined)
      yield {
        code: 'SECRET_WITHOUT_VALUE',
        level: 'strict',
        path,
        message: `secret ${name} is plain, neither UserDefined nor with a Source: it will never have a value`,
      };
    if (shared && userDefined)
      yield {
        code: 'SHARED_WITHOUT_EFFECT',
        level: 'warning',
        path,
        message: `secret ${name} is UserDefined, so that Shared has no effect`,
      };
  }
}

function* configRemarks({ recoveryKeys, config, users, roles }: Manifest): Generator<Remark> {
  if (recoveryKeys.size === 0 && config.sealMode !== 'Disabled')
    yield {
      code: 'NO_RECOVERY_KEY',
      level: 'warning',
      path: [],
      message: 'without recovery keys the state is lost with the sealing key',
    };
  if (config.sealMode === 'Disabled')
    yield {
      code: 'NOT_PERSISTENT',
      level: 'warning',
      path: ['Config', 'SealMode'],
      message: 'the state is lost with the process',
    };
  const mayUpdate = (name: string): boolean => roles.get(name)?.actions.includes('UpdateManifest') ?? false;
  if (![...users.values()].some((user) => user.roles.some(mayUpdate)))
    yield { code: 'NOT_UPDATABLE', level: 'warning', path: [], message: 'no user may update this manifest' };
}

const GRAMINE_KEYS = /^\/dev\/attestation\//;
