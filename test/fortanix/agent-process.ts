import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { compiled, ROOT } from '../harness/checkout.js';
import { eventually } from '../harness/waiting.js';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A node agent from dist/, as a process of its own. */
export class AgentProcess {
  private log = '';

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.log += text));
  }

  static async start(env: NodeJS.ProcessEnv): Promise<AgentProcess> {
    const port = await freePort();
    const child = spawn(process.execPath, [compiled('apps/node-agent/src/main.js')], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        SIEGEL_HTTP_HOST: '127.0.0.1',
        SIEGEL_HTTP_PORT: String(port),
        ...env,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const agent = new AgentProcess(child, `http://127.0.0.1:${port}`);
    try {
      await eventually('a node agent', async () => {
        if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}: ${agent.log}`);
        return fetch(`${agent.url}/health/live`).then(
          ({ ok }) => ok,
          () => false,
        );
      });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return agent;
  }

  get logText(): string {
    return this.log;
  }

  /** Gives the exit code. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null) {
      this.child.kill('SIGTERM');
      await once(this.child, 'exit');
    }
    return this.child.exitCode;
  }
}
