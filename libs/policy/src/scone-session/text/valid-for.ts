const SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 7 * 86_400,
  y: 365 * 86_400,
};
const UNIT: Readonly<Record<string, string>> = {
  s: 's',
  sec: 's',
  second: 's',
  m: 'm',
  min: 'm',
  minute: 'm',
  h: 'h',
  hour: 'h',
  d: 'd',
  day: 'd',
  w: 'w',
  week: 'w',
  y: 'y',
  year: 'y',
};

/** Seconds of `1 year`, `59d`, `24h`; a year has 365 days. Undefined for anything else. */
export function validForSeconds(text: string): number | undefined {
  const [, number, word = ''] = /^([1-9][0-9]{0,8})\s*([a-z]+)$/.exec(text.trim()) ?? [];
  const unit = UNIT[word] ?? UNIT[word.replace(/s$/, '')];
  return number === undefined || unit === undefined ? undefined : Number(number) * SECONDS[unit]!;
}
