/** The text that em-client makes of a configuration before it hashes it (serde's compact JSON), written apart from ours. */
interface Config {
  app_config: Record<string, { contents?: string }>;
  labels: Record<string, string>;
  zone_ca: string[];
  workflow?: {
    workflow_id: string;
    app_name: string;
    port_map: Record<string, Record<string, Record<string, Record<string, string>>>>;
    app_acct_id?: string;
    app_group_id?: string;
  };
}

const bytewise = (a: string, b: string): number => Buffer.from(a).compare(Buffer.from(b));
const sortedMap = (map: Record<string, unknown>, text: (value: never) => string): string =>
  `{${Object.keys(map)
    .sort(bytewise)
    .map((key) => `${JSON.stringify(key)}:${text(map[key] as never)}`)
    .join(',')}}`;
const inOrder = (value: Record<string, unknown>, order: readonly string[]): string => {
  const unknown = Object.keys(value).filter((key) => !order.includes(key));
  // deny_unknown_fields
  if (unknown.length > 0) throw new Error(`unknown field ${unknown.join()}`);
  const present = order.filter((key) => value[key] !== undefined);
  return `{${present.map((key) => `"${key}":${JSON.stringify(value[key])}`).join(',')}}`;
};

export function hashedText(config: Config): string {
  const { app_config, labels, zone_ca, workflow, ...unknown } = config;
  if (Object.keys(unknown).length > 0) throw new Error('unknown field');
  const parts = [
    `"app_config":${sortedMap(app_config, (file: { contents?: string }) => inOrder(file, ['contents']))}`,
    `"labels":${sortedMap(labels, (label: string) => JSON.stringify(label))}`,
    `"zone_ca":${JSON.stringify([...new Set(zone_ca)].sort(bytewise))}`,
  ];
  if (workflow) {
    const ports = sortedMap(workflow.port_map, (names: Record<string, unknown>) =>
      sortedMap(names, (port: Record<string, Record<string, string>>) =>
        sortedMap(port, (end: Record<string, string>) => inOrder(end, ['id', 'acct_id', 'group_id'])),
      ),
    );
    const { workflow_id, app_name, app_acct_id, app_group_id } = workflow;
    const rest = inOrder({ app_acct_id, app_group_id }, ['app_acct_id', 'app_group_id']).slice(1, -1);
    const head = inOrder({ workflow_id, app_name }, ['workflow_id', 'app_name']).slice(1, -1);
    parts.push(`"workflow":{${[head, `"port_map":${ports}`, ...(rest === '' ? [] : [rest])].join(',')}}`);
  }
  return `{${parts.join(',')}}`;
}
