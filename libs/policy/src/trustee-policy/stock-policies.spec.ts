import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_TRUSTEE_POLICY_CHARACTERS, recogniseTrusteePolicy } from '../index.js';

const HEAD = 'package policy\n\ndefault allow = false\n';
const NOT_SAMPLE = 'not input["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["sample"]';
const TRANSCRIPT = join(process.cwd(), '..', 'shared', 'vectors', 'trustee', 'transcript-sample.json');

describe('the stock resource policies of Trustee', () => {
  it.each([
    ['allow-all', 'package policy\n\ndefault allow = true\n'],
    ['deny-all', HEAD],
    ['deny-all', `# a "comment" = ignored\n${HEAD.replaceAll('\n', '\r\n\t')}# end`],
    ['not-sample', `${HEAD}allow if {\n\t${NOT_SAMPLE}\n}`],
    ['not-sample', `${HEAD}allow if {\n  data.plugin == "resource"\n  ${NOT_SAMPLE}\n}`],
    [
      'affirming',
      `package policy\nimport rego.v1\ndefault allow = false\nallow if {\n not any_not_affirming\n count(input.submods) > 0 }\nany_not_affirming if {\n some _, submod in input.submods\n submod["ear.status"] != "affirming" }`,
    ],
  ])('%s is known by its words, whatever stands between them', (meaning, rego) => {
    expect(recogniseTrusteePolicy(rego)).toBe(meaning);
  });

  it.each([
    ['nothing', ''],
    ['a further rule', `${HEAD}allow if {\n\t${NOT_SAMPLE}\n}\nallow if { true }`],
    ['a word in a string', HEAD.replace('false', '"false"')],
    ['another comparison', `${HEAD}allow if {\n  data.plugin == "resource2"\n  ${NOT_SAMPLE}\n}`],
    ['a comment sign in a string', `${HEAD}allow if {\n\t${NOT_SAMPLE.replace('cpu0', 'cpu0#')}\n}`],
    ['no text of Rego', 'topsecret'],
    ['far too much', HEAD + ' '.repeat(MAX_TRUSTEE_POLICY_CHARACTERS)],
  ])('is unknown with %s', (_what, rego) => {
    expect(recogniseTrusteePolicy(rego)).toBeUndefined();
  });

  (existsSync(TRANSCRIPT) ? it : it.skip)('is known as the real client uploads it', () => {
    const calls = JSON.parse(readFileSync(TRANSCRIPT, 'utf8')) as { req: { url: string; body: string } }[];
    const upload = calls.find(({ req }) => req.url.endsWith('/resource-policy'))!;
    const { policy } = JSON.parse(upload.req.body) as { policy: string };
    expect(recogniseTrusteePolicy(Buffer.from(policy, 'base64url').toString('utf8'))).toBe('allow-all');
  });
});
