import { scone } from '#policy';
import { formatSecret } from './formats.js';
import { type MadeSecrets, SecretProblem } from './made-secret.js';

/** The bytes of a text with its placeholders filled in. A value is never looked at again. @throws SecretProblem */
export function renderBytes(template: string, secrets: MadeSecrets): Buffer {
  return Buffer.concat(
    partsOf(template).map((part) => {
      if (part.kind === 'text') return Buffer.from(part.text, 'utf8');
      const secret = secrets.get(part.name);
      if (!secret)
        throw new SecretProblem('SCONE_SECRET_UNKNOWN', `there is no secret "${part.name}" to put in`);
      const bytes = formatSecret(part.name, secret, part.format, part.legacy);
      return part.escapeJson ? escaped(part.name, bytes) : bytes;
    }),
  );
}

/** For commands and environments, whose values are texts. @throws SecretProblem */
export function renderText(template: string, secrets: MadeSecrets): string {
  const bytes = renderBytes(template, secrets);
  const text = textOf(bytes);
  if (text !== undefined && !text.includes('\0')) return text;
  throw new SecretProblem(
    'SCONE_FORMAT_UNKNOWN',
    'a secret that is no text stands where only text can; give it a format such as ":base64"',
  );
}

/** Names of the secrets that a text refers to. */
export function referencesOf(template: string): string[] {
  return partsOf(template).flatMap((part) => (part.kind === 'secret' ? [part.name] : []));
}

function partsOf(template: string): scone.TemplatePart[] {
  try {
    return scone.parseTemplate(template);
  } catch (error) {
    if (error instanceof scone.PlaceholderError)
      throw new SecretProblem('SCONE_SECRET_INVALID', `a placeholder: ${error.message}`);
    throw error;
  }
}

/** `|escape(json)`: the inside of a JSON string. */
function escaped(name: string, bytes: Buffer): Buffer {
  const text = textOf(bytes);
  if (text === undefined)
    throw new SecretProblem('SCONE_FORMAT_UNKNOWN', `"${name}" is no text that could be escaped`);
  return Buffer.from(JSON.stringify(text).slice(1, -1), 'utf8');
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
