import { join } from 'node:path';

/** Where everything of one deployment lies: one folder, nothing outside of it. */
export class Layout {
  constructor(readonly root: string) {}

  readonly path = (...parts: string[]): string => join(this.root, ...parts);

  get lock(): string {
    return this.path('up.lock');
  }
  get context(): string {
    return this.path('siegel.json');
  }
  get trust(): string {
    return this.path('trust.json');
  }
  get natsConfig(): string {
    return this.path('nats', 'nats.conf');
  }
  get natsData(): string {
    return this.path('nats', 'data');
  }
  get natsPid(): string {
    return this.path('nats', 'nats.pid');
  }
  /** What the configuration of nats-server was made of, for whoever adds a user while it runs. */
  get natsSettings(): string {
    return this.path('nats', 'settings.json');
  }
  get auditors(): string {
    return this.path('nats', 'auditors');
  }
  get witnessLogs(): string {
    return this.path('witness', 'logs.txt');
  }
  get simulator(): string {
    return this.path('simulator', 'platform.json');
  }
  get simulatedRoot(): string {
    return this.path('simulator', 'root.pem');
  }
  get bundles(): string {
    return this.path('quote-verifier', 'bundles');
  }
  get vaults(): string {
    return this.path('key-release', 'vaults.json');
  }
  get pki(): string {
    return this.path('key-release', 'pki');
  }
  get adminToken(): string {
    return this.path('admin.token');
  }
  get auditToken(): string {
    return this.path('audit.token');
  }
  get caCertificate(): string {
    return this.path('ca.pem');
  }
  get challengeKey(): string {
    return this.path('key-release', 'challenge.key');
  }
  seed(user: string): string {
    return this.path('nats', `${user}.seed`);
  }
  key(service: string, name: string): string {
    return this.path(service, `${name}.pem`);
  }
  log(name: string): string {
    return this.path('logs', `${name}.log`);
  }
  service(name: string): string {
    return this.path(name);
  }
}
