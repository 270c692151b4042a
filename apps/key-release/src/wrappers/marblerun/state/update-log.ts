/**
 * One line of the update log, as upstream's logger writes it: time first, then what happened, then the members in their order. The command
 * line of MarbleRun reads `package` and `new version`. Source: reference marblerun.md §1.4 and the recorded exchanges.
 */
export function logLine(
  now: Date,
  update: string,
  members: Readonly<Record<string, string | number | readonly string[]>> = {},
): string {
  return JSON.stringify({ time: now.toISOString(), update, ...members });
}
