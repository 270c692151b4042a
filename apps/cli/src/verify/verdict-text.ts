import { DCAP_ERRORS, type VerificationReport } from '#dcap';
import { advisoryMeaning } from '../meaning/advisories.js';
import { DEBUG_MEANING, STATUS_MEANINGS, type StatusMeaning } from '../meaning/tcb-status.js';
import { columns, printable, wrap } from '../terminal/layout.js';
import { CROSS, styleFor, TICK, type Style } from '../terminal/style.js';

const WIDTH = 100;

/** The report for a person: verdict, identity, each step, then what the status and the advisories mean. */
export function verdictText(report: VerificationReport, at: Date, colour: boolean): string {
  const style = styleFor(colour);
  const parts = [
    headline(report, at, style),
    identity(report, style),
    steps(report, style),
    meanings(report, style),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function headline(report: VerificationReport, at: Date, style: Style): string {
  const kind = [
    report.tee?.toUpperCase(),
    report.quoteVersion === undefined ? '' : `quote v${report.quoteVersion}`,
  ]
    .filter(Boolean)
    .join(' ');
  const when = `at ${at.toISOString().replace('.000Z', 'Z')}`;
  const lines: string[] = [];
  if (report.verified) {
    lines.push(
      `${style.good(`${TICK} verified`)} ${when}: ${kind}, TCB status ${style.bold(report.tcbStatus ?? 'unknown')}`,
    );
  } else {
    lines.push(`${style.bad(`${CROSS} not verified`)} ${when}${kind === '' ? '' : `: ${kind}`}`);
    if (report.error) {
      const entry = DCAP_ERRORS[report.error.code];
      lines.push(`  ${style.bold(report.error.code)}: ${printable(report.error.message)}`);
      lines.push(wrap(entry.meaning, WIDTH, '  '), wrap(`What to do: ${entry.remedy}`, WIDTH, '  '));
    }
  }
  if (report.trustRoot === 'custom')
    lines.push(style.warn('  The root is the one given with --trust-root, not Intel’s.'));
  return lines.join('\n');
}

function identity(report: VerificationReport, style: Style): string {
  const rows: [string, string | number | undefined][] = [
    ['MRENCLAVE', report.mrenclave],
    ['MRSIGNER', report.mrsigner],
    ['ISVPRODID', report.isvProdId],
    ['ISVSVN', report.isvSvn],
    ['MRTD', report.mrtd],
    ['RTMR0', report.rtmr0],
    ['RTMR1', report.rtmr1],
    ['RTMR2', report.rtmr2],
    ['RTMR3', report.rtmr3],
    ['debug', report.debug === undefined ? undefined : report.debug ? 'yes' : 'no'],
    ['report data', report.reportData],
    ['FMSPC', report.fmspc],
    ['platform status', report.platformStatus],
    ['QE status', report.qeStatus],
    ['TDX module', report.moduleStatus],
    ['TCB date', report.tcbDate],
    ['collateral', collateralLine(report)],
    ['evidence', `sha256 ${report.evidenceSha256}`],
  ];
  const present = rows.filter((row): row is [string, string | number] => row[1] !== undefined);
  return `${style.bold('What the quote says')}\n${columns(
    present.map(([name, value]) => [name, String(value)]),
    '  ',
  )}`;
}

function collateralLine({ collateral }: VerificationReport): string | undefined {
  if (!collateral) return undefined;
  return `evaluation ${collateral.tcbEvaluationDataNumber}, issued ${collateral.tcbInfoIssueDate}, good until ${collateral.earliestExpiration}`;
}

function steps(report: VerificationReport, style: Style): string {
  const lines = report.steps.map(({ name, ok, detail }) => {
    const mark = ok ? style.good(TICK) : style.bad(CROSS);
    return `  ${mark} ${detail ? `${name.padEnd(22)} ${style.dim(printable(detail))}` : name}`;
  });
  return lines.length === 0 ? '' : `${style.bold('Steps')}\n${lines.join('\n')}`;
}

function meanings(report: VerificationReport, style: Style): string {
  const lines: string[] = [];
  const say = (head: string, { meaning, action }: StatusMeaning): void => {
    lines.push(
      `  ${style.bold(head)}`,
      wrap(meaning, WIDTH, '    '),
      wrap(`What to do: ${action}`, WIDTH, '    '),
    );
  };
  const status = report.tcbStatus === undefined ? undefined : STATUS_MEANINGS[report.tcbStatus];
  if (status && report.tcbStatus) say(report.tcbStatus, status);
  if (report.debug) say('debug', DEBUG_MEANING);
  for (const id of report.advisoryIds) {
    const { title, action, url } = advisoryMeaning(id);
    lines.push(
      `  ${style.bold(printable(id))}  ${title}`,
      wrap(action, WIDTH, '    '),
      `    ${style.dim(printable(url))}`,
    );
  }
  return lines.length === 0 ? '' : `${style.bold('What it means')}\n${lines.join('\n')}`;
}
