/**
 * Splits a command as SCONE does: at white space, but for what stands in single or double quotes, whose characters all count as they are.
 * Undefined where a quote does not end.
 */
export function splitCommand(command: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const character of command) {
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== undefined) return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** Numbers of the host's arguments (`@@N`) that a command takes over, in its order. */
export function hostArguments(words: readonly string[]): number[] {
  return words.flatMap((word) => [...word.matchAll(/@@(\d{1,4})/g)].map((match) => Number(match[1])));
}
