import { printable, wrap } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Field, FieldValue } from './inspection.js';
import type { Recognised } from './recognise.js';

const WIDTH = 100;

/** A file taken apart, for a person; offsets in hex as debuggers and hex dumps have them. */
export function inspectionText({ inspection, encoding, size }: Recognised, colour: boolean): string {
  const style = styleFor(colour);
  const blocks = [
    `${style.bold(inspection.title)}  ${style.dim(`(${size} bytes${encoding === 'binary' ? '' : `, ${encoding}`})`)}`,
  ];
  for (const { title, fields } of inspection.sections) {
    const located = fields.some(({ offset }) => offset !== undefined);
    const width = Math.max(...fields.map(({ name }) => name.length));
    const lines = fields.flatMap((each) => {
      const place = located ? `${position(each)}  ` : '';
      const [first = '', ...rest] = values(each.value);
      const note = each.note === undefined ? '' : `  ${style.dim(`(${printable(each.note)})`)}`;
      const head = `  ${style.dim(place)}${each.name.padEnd(width)}  ${first}${note}`;
      return [head, ...rest.map((value) => `  ${' '.repeat(place.length + width)}  ${value}`)];
    });
    blocks.push(`${style.bold(title)}\n${lines.join('\n')}`);
  }
  const remarks = inspection.remarks.map(({ subject, meaning, action, url }) =>
    [
      `  ${style.bold(printable(subject))}`,
      wrap(meaning, WIDTH, '    '),
      ...(action === undefined ? [] : [wrap(`What to do: ${action}`, WIDTH, '    ')]),
      ...(url === undefined ? [] : [`    ${style.dim(printable(url))}`]),
    ].join('\n'),
  );
  if (remarks.length > 0) blocks.push(`${style.bold('What it means')}\n${remarks.join('\n')}`);
  return `${blocks.join('\n\n')}\n`;
}

function position({ offset, size }: Field): string {
  if (offset === undefined) return ' '.repeat(13);
  return `0x${offset.toString(16).padStart(4, '0')} ${String(size ?? '').padStart(6)}`;
}

function values(value: FieldValue): string[] {
  if (typeof value === 'boolean') return [value ? 'yes' : 'no'];
  if (typeof value === 'object') return value.map(printable);
  return [printable(String(value))];
}
