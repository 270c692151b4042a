// Talks to the SDK's process. Its trust in a private CA comes from NODE_EXTRA_CA_CERTS, as its documentation has it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { compiled } from '../harness/index.js';
import type { SdkAnswer, SdkRequest } from './sdk-program.js';

export class SdkClient {
  private readonly waiting: ((answer: SdkAnswer) => void)[] = [];
  private log = '';

  private constructor(private readonly child: ChildProcess) {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    createInterface({ input: child.stdout! }).on('line', (line) =>
      this.waiting.shift()?.(JSON.parse(line) as SdkAnswer),
    );
    child.once('exit', () => {
      for (const answer of this.waiting.splice(0))
        answer({ error: { message: `the SDK ended: ${this.log}` } });
    });
  }

  /** @param nodeOptions for example another clock */
  static start(issuer: string, caFile: string, nodeOptions: readonly string[] = []): SdkClient {
    return new SdkClient(
      spawn(process.execPath, [...nodeOptions, compiled('test/maa/sdk-program.js'), issuer], {
        env: { PATH: process.env['PATH'] ?? '', NODE_EXTRA_CA_CERTS: caFile },
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
    );
  }

  call(request: SdkRequest): Promise<SdkAnswer> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** A call that must succeed. */
  async done(request: SdkRequest): Promise<{ body: Record<string, unknown>; token: string }> {
    const { body = {}, token = '', error } = await this.call(request);
    if (error) throw new Error(`${request.call}: ${error.code ?? ''} ${error.message}`);
    return { body, token };
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin!.end();
    await ended;
  }
}
