/** A reference `$(NAME)`, or the escape `$$`, in a command-line argument (the notation of Kubernetes' `args`). */
const REFERENCE = /\$\$|\$\(([A-Za-z0-9_.-]{1,128})\)/g;

/** Names that an argument refers to, in their order. */
export function argvReferences(argument: string): string[] {
  return [...argument.matchAll(REFERENCE)].flatMap((match) => (match[1] === undefined ? [] : [match[1]]));
}

/**
 * Puts values into a command line: `$(NAME)` becomes the value, `$$` a dollar sign, everything else stays. A value is never
 * looked at again, so that a secret containing `$(…)` stays what it is. A reference without a value stays as written.
 */
export function renderArgv(argv: readonly string[], values: ReadonlyMap<string, string>): string[] {
  return argv.map((argument) =>
    argument.replace(REFERENCE, (whole, name: string | undefined) =>
      name === undefined ? '$' : (values.get(name) ?? whole),
    ),
  );
}
