import type { QeIdentity, TcbInfo } from '#dcap';
import { advisoryMeaning } from '../meaning/advisories.js';
import { STATUS_MEANINGS } from '../meaning/tcb-status.js';
import type { Remark, Section } from './inspection.js';

/** One level of TCB info, QE identity or a TDX module, whatever its SVNs. */
interface Level {
  readonly status: string;
  readonly tcbDate: string;
  readonly advisoryIds: readonly string[];
}

const line = (svn: string, { status, tcbDate, advisoryIds }: Level): string =>
  [svn, tcbDate.slice(0, 10), status, advisoryIds.join(' ')].filter((part) => part !== '').join('  ');

/** The levels of TCB info, best first; one line each. */
export function tcbInfoSections(info: TcbInfo): Section[] {
  const sections: Section[] = [
    {
      title: `TCB info for ${info.id}`,
      fields: [
        { name: 'version', value: info.version },
        { name: 'FMSPC', value: info.fmspc },
        { name: 'PCEID', value: info.pceId },
        { name: 'evaluation data number', value: info.tcbEvaluationDataNumber },
        { name: 'issued', value: info.issueDate },
        { name: 'next update', value: info.nextUpdate },
      ],
    },
    {
      title: 'TCB levels (a platform is on the first that it reaches)',
      fields: info.levels.map((level, index) => ({
        name: `level ${index + 1}`,
        value: line(
          `${level.components.toString('hex')} pce ${level.pceSvn}${level.tdxComponents ? ` tdx ${level.tdxComponents.toString('hex')}` : ''}`,
          level,
        ),
      })),
    },
  ];
  for (const module of info.tdxModuleIdentities) {
    sections.push({
      title: `TDX module ${module.id}`,
      fields: module.levels.map((level) => ({ name: `SVN >= ${level.isvSvn}`, value: line('', level) })),
    });
  }
  return sections;
}

export function qeIdentitySections(identity: QeIdentity): Section[] {
  const hex32 = (value: number): string => value.toString(16).padStart(8, '0');
  return [
    {
      title: `Identity of the enclave ${identity.id}`,
      fields: [
        { name: 'MRSIGNER', value: identity.mrSigner.toString('hex') },
        { name: 'ISVPRODID', value: identity.isvProdId },
        {
          name: 'ATTRIBUTES',
          value: identity.attributes.toString('hex'),
          note: `mask ${identity.attributesMask.toString('hex')}`,
        },
        {
          name: 'MISCSELECT',
          value: hex32(identity.miscSelect),
          note: `mask ${hex32(identity.miscSelectMask)}`,
        },
        { name: 'evaluation data number', value: identity.tcbEvaluationDataNumber },
        { name: 'issued', value: identity.issueDate },
        { name: 'next update', value: identity.nextUpdate },
      ],
    },
    {
      title: 'TCB levels',
      fields: identity.levels.map((level) => ({ name: `ISVSVN >= ${level.isvSvn}`, value: line('', level) })),
    },
  ];
}

/** What the statuses and advisories of some levels mean, each once. */
export function levelRemarks(levels: readonly Level[]): Remark[] {
  const statuses = [...new Set(levels.map(({ status }) => status))];
  const advisories = [...new Set(levels.flatMap(({ advisoryIds }) => advisoryIds))].sort();
  return [
    ...statuses.flatMap((status) => {
      const known = STATUS_MEANINGS[status];
      return known ? [{ subject: status, ...known }] : [];
    }),
    ...advisories.map((id) => {
      const { title, action, url } = advisoryMeaning(id);
      return { subject: id, meaning: title, action, url };
    }),
  ];
}
