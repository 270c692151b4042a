import { publicSigner } from '#policy';
import { readStatements, ShellSyntaxError, type ShellStatement } from './anjuna/shell-statements.js';
import { ANJUNA_BINDING, DEFAULT_ENGINE, secretNamed } from './anjuna/secret-name.js';
import { type Importer, type ImportLine, malformed, textOf, type WorkloadMembers } from './importer.js';

type Report = (path: string, result: ImportLine['result'], note: string) => void;
type Grant = Readonly<Record<string, string>>;

interface Rule {
  readonly line: number;
  readonly mrenclave?: string;
  readonly mrsigner: string;
  readonly grants: Grant[];
}

const TOOL = /(?:^|\/)anjuna-policy-manager$/;
/** A statement with one of these words could give access in a way that is not read here. */
const CONCERNED = /anjuna|vault|authorize|\bapm\b/i;
const HARMLESS = new Set([
  'set',
  'echo',
  'printf',
  'cd',
  'pwd',
  'sleep',
  'true',
  ':',
  'date',
  'export',
  'exit',
  'return',
]);

/**
 * Scripts of Anjuna's policy manager (docs.anjuna.io, "Managing policies"): each identity that is authorized becomes a workload with the
 * secrets that it may have.
 */
export const ANJUNA_AUTHORIZE: Importer = {
  what: 'shell script with "anjuna-policy-manager authorize" commands',
  maxBytes: 256 * 1024,
  read: (file) => {
    const report: ImportLine[] = [];
    const add: Report = (path, result, note) => void report.push({ path, result, note });
    const rules = new Map<string, Rule>();
    let commands = 0;
    for (const statement of statementsOf(textOf(file))) {
      const words = withoutAssignments(statement.words);
      if (
        TOOL.test(words[0] ?? '') ||
        (statement.unclear !== undefined && statement.words.some((word) => TOOL.test(word)))
      ) {
        commands++;
        readCommand(statement, words, rules, add);
      } else readOther(statement, words, add);
    }
    if (commands === 0) throw malformed('it has no command of anjuna-policy-manager');
    const [workload, ...further] = workloadsOf([...rules.values()], add);
    return { workload, further, report };
  },
};

function statementsOf(text: string): ShellStatement[] {
  try {
    return readStatements(text);
  } catch (error) {
    if (error instanceof ShellSyntaxError) throw malformed(error.message);
    throw error;
  }
}

function withoutAssignments(words: readonly string[]): readonly string[] {
  const first = words.findIndex((word) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word));
  return first < 0 ? [] : words.slice(first);
}

function readOther(
  { line, words: all, unclear }: ShellStatement,
  words: readonly string[],
  add: Report,
): void {
  const [command = ''] = words;
  const setsOnly = words.length === 0 || command === 'export' || command === 'readonly';
  if (unclear === undefined && (setsOnly || HARMLESS.has(command))) return;
  const concerned = all.some((word) => CONCERNED.test(word));
  // A variable from a file or another command matters where it is used, and is reported there.
  if (unclear !== undefined && !concerned && (setsOnly || HARMLESS.has(command))) return;
  const why = unclear === undefined ? `"${command.slice(0, 40)}" is not known here` : unclear;
  add(`line ${line}`, 'unsupported', `${why}; nothing was taken from it`);
}

function readCommand(
  { line, unclear }: ShellStatement,
  [, ...given]: readonly string[],
  rules: Map<string, Rule>,
  add: Report,
): void {
  const path = `line ${line}`;
  const unsupported = (note: string): void => add(path, 'unsupported', note);
  if (unclear !== undefined)
    return unsupported(`not certain what it does: ${unclear}; nothing was taken from it`);
  const [area, verb, ...rest] = given;
  if (area === 'secret') {
    // Its value is never repeated, whatever it is.
    if (verb !== 'create') return unsupported('this command for secrets is not known here');
    return unsupported(
      'a manifest holds no values: put it into the vault ("siegel secret put"); the script has it in the clear',
    );
  }
  if (area !== 'authorize' || (verb !== 'enclave' && verb !== 'signer'))
    return unsupported('only "authorize enclave", "authorize signer" and "secret create" are known here');
  const read = optionsOf(
    rest,
    verb === 'enclave' ? ['enclave', 'signer', 'engine-path'] : ['signer', 'engine-path'],
  );
  if (typeof read === 'string') return unsupported(read);
  const { options, names } = read;
  const mrsigner = measurement(options.get('signer'));
  const mrenclave = verb === 'enclave' ? measurement(options.get('enclave')) : undefined;
  if (mrsigner === undefined) return unsupported('--signer is not 64 hexadecimal digits');
  if (verb === 'enclave' && mrenclave === undefined)
    return unsupported('--enclave is not 64 hexadecimal digits');
  const [name] = names;
  if (name === undefined || names.length > 1) return unsupported('it does not name one secret');
  const secret = secretNamed(name, options.get('engine-path') ?? DEFAULT_ENGINE);
  if (typeof secret === 'string') return unsupported(secret);
  const key = `${mrenclave ?? ''}/${mrsigner}`;
  const rule: Rule = rules.get(key) ?? {
    line,
    mrsigner,
    grants: [],
    ...(mrenclave === undefined ? {} : { mrenclave }),
  };
  rules.set(key, rule);
  include(rule.grants, secret.grant);
  add(path, 'mapped', secret.note);
}

function optionsOf(
  words: readonly string[],
  known: readonly string[],
): { options: Map<string, string>; names: string[] } | string {
  const options = new Map<string, string>();
  const names: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (!word.startsWith('-')) {
      names.push(word);
      continue;
    }
    const [, option, , inline] = /^--([a-z-]+)(=(.*))?$/s.exec(word) ?? [];
    if (option === undefined || !known.includes(option))
      return `the option ${JSON.stringify(word.split('=', 1)[0]?.slice(0, 40))} is not known here`;
    if (options.has(option)) return `--${option} stands there twice`;
    const value = inline ?? words[++at];
    if (value === undefined) return `--${option} has no value`;
    options.set(option, value);
  }
  return { options, names };
}

const measurement = (text = ''): string | undefined =>
  /^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : undefined;

function include(grants: Grant[], grant: Grant): void {
  const same = (one: Grant): boolean =>
    one['vault'] === grant['vault'] && one['objectAlias'] === grant['objectAlias'];
  if (!grants.some(same)) grants.push(grant);
}

function workloadsOf(rules: readonly Rule[], add: Report): WorkloadMembers[] {
  return rules.map((rule) => {
    const { line, mrenclave, mrsigner } = rule;
    const secrets = [...rule.grants];
    if (mrenclave === undefined) reportOpen(line, mrsigner, add);
    else {
      // What the signer may have, this enclave of its may have as well.
      const wider = rules.find((other) => other.mrenclave === undefined && other.mrsigner === mrsigner);
      for (const grant of wider?.grants ?? []) include(secrets, grant);
      if (wider)
        add(
          `line ${line} and line ${wider.line}`,
          'mapped',
          'both rules fit this enclave: it has the secrets of both, and must name its workload when it attests',
        );
    }
    return { identity: identityOf(rule), binding: ANJUNA_BINDING, secrets };
  });
}

/** A signer whose key is public says nothing beside a measurement; alone it is left for the linter to refuse. */
function identityOf({ mrenclave, mrsigner }: Rule): WorkloadMembers {
  if (mrenclave === undefined) return { mrsigner: [mrsigner] };
  return {
    mrenclave: [mrenclave],
    ...(publicSigner(mrsigner) === undefined ? { mrsigner: [mrsigner] } : {}),
  };
}

/** What "authorize signer" leaves open must be said by name. */
function reportOpen(line: number, mrsigner: string, add: Report): void {
  const reason = publicSigner(mrsigner);
  if (reason !== undefined)
    add(`line ${line} signer`, 'unsupported', `${reason}: no rule by this signer alone`);
  add(
    `line ${line} isvprodid`,
    'unsupported',
    'the rule names no product: every product of the signer is accepted; add identity.isvprodid',
  );
  add(
    `line ${line} isvsvn`,
    'unsupported',
    'the rule names no security version: builds with known faults are accepted; add identity.isvsvn',
  );
}
