import {
  derBitString,
  derElement,
  derExplicit,
  derImplicit,
  derOctetString,
  derOid,
  derSequence,
  derSet,
  derUnsigned,
} from '#pki';
import { marblerun } from '#policy';
import { ActivationRefusal } from '../../apps/key-release/src/wrappers/marblerun/activation/refusal.js';
import { parseMarbleCsr } from '../../apps/key-release/src/wrappers/marblerun/activation/marble-csr.js';
import {
  decodeActivationRequest,
  MalformedMessage,
} from '../../apps/key-release/src/wrappers/marblerun/activation/messages.js';
import { encodeRequest } from '../../test/marblerun/activation-messages.js';
import type { Mutation } from './byte-mutations.js';
import type { Target } from './targets.js';
import { mutateLines } from './text-mutations.js';

const TEMPLATES = [
  '{{ if eq (len .a) 3 }}{{ .a | printf "%q %5s" "x" }}{{ else }}{{ index .a 1 }}{{ end }}',
  '{{- range $i, $b := .a -}}{{ $i }}={{ $b }}{{ if gt $i 1 }}{{ break }}{{ end }}{{ end }}{{/* c */}}',
  'text {{ with $x := .b }}{{ $x }}{{ $x = "\\u00fc\\x41" }}{{ `raw` | print $x 1.5 0x1f nil }}{{ end }}',
];
const TOKENS = [
  '{{',
  '}}',
  ' -}}',
  '{{- ',
  '(',
  ')',
  ' | ',
  '.a',
  '$x',
  ':=',
  'range',
  'else',
  'end',
  'index',
  '"',
  '`',
];
const DATA = new marblerun.Structure(
  'data',
  new Map<string, Buffer | string>([
    ['a', Buffer.from('abc')],
    ['b', 'text'],
  ]),
);

const insertToken: Mutation = (input, _, random) => {
  const at = random.below(input.length + 1);
  return Buffer.concat([input.subarray(0, at), Buffer.from(random.pick(TOKENS)), input.subarray(at)]);
};

/** Parsers of what a marble sends to be activated, and of the templates of its manifest. */
export function activationTargets(quote: Buffer, der: readonly Mutation[]): Target[] {
  const csr = certificateRequest();
  const request = (presented: Buffer): Buffer =>
    encodeRequest({
      quote,
      csr: presented,
      marbleType: 'web',
      uuid: '11111111-2222-4333-8444-555555555555',
    });
  return [
    {
      name: 'marblerun-activation',
      seeds: [csr, Buffer.alloc(0), csr.subarray(0, -1), csr.subarray(4), Buffer.from(csr).reverse()].map(
        request,
      ),
      mutations: [],
      run: (input) =>
        codeOf(() => {
          const { csr: named } = decodeActivationRequest(input);
          parseMarbleCsr(named);
        }),
      share: 1,
    },
    {
      name: 'marblerun-csr',
      seeds: [csr],
      mutations: [...der],
      run: (input) => codeOf(() => void parseMarbleCsr(input)),
      share: 1,
    },
    {
      name: 'marblerun-template',
      seeds: TEMPLATES.map((text) => Buffer.from(text)),
      mutations: [mutateLines, insertToken],
      run: (input) => codeOf(() => void new marblerun.Template(input, 'file').render(DATA)),
      share: 1,
    },
  ];
}

/** A request with two names; its key and its signature are no more than bytes, as nobody looks at them here. */
function certificateRequest(): Buffer {
  const key = derSequence(
    derSequence(derOid('1.2.840.10045.2.1'), derOid('1.3.132.0.34')),
    derBitString(Buffer.alloc(97, 4)),
  );
  const names = derSequence(
    derImplicit(2, Buffer.from('web.example')),
    derImplicit(7, Buffer.of(127, 0, 0, 1)),
  );
  const extension = derSequence(derOid('2.5.29.17'), derOctetString(names));
  const attribute = derSequence(derOid('1.2.840.113549.1.9.14'), derSet(derSequence(extension)));
  const info = derSequence(derUnsigned(Buffer.of(0)), derElement(0x30), key, derExplicit(0, attribute));
  return derSequence(info, derSequence(derOid('1.2.840.10045.4.3.3')), derBitString(Buffer.alloc(100, 1)));
}

function codeOf(parse: () => void): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof MalformedMessage) return error.message;
    if (error instanceof ActivationRefusal) return error.reason.message.slice(0, 100);
    if (error instanceof marblerun.TemplateError)
      return error.message.replace(/^template: data:[\d:]* /, '').slice(0, 60);
    throw error;
  }
}
