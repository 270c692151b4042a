import { SiegelError } from '#contracts';
import { METRICS } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { TaskAnswer } from './certificate/certificate-tasks.js';

/** What this node's enclaves asked for, and how it ended. */
@Injectable()
export class AgentMetrics {
  private readonly quotes: Counter;
  private readonly duration: Histogram;
  private readonly certificates: Counter;

  constructor(@Inject(METRICS) registry: Registry) {
    const registers = [registry];
    this.quotes = new Counter({
      name: 'siegel_agent_quotes_total',
      help: 'Quotes asked of QE3 by outcome: made, or the code of the error',
      labelNames: ['outcome'],
      registers,
    });
    this.duration = new Histogram({
      name: 'siegel_agent_quote_seconds',
      help: 'Time that QE3 took for a quote, through aesmd',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
      registers,
    });
    this.certificates = new Counter({
      name: 'siegel_agent_certificates_total',
      help: 'Certificate requests by the status that was answered, or the code of the error',
      labelNames: ['outcome'],
      registers,
    });
  }

  async quote<T>(make: () => Promise<T>): Promise<T> {
    const done = this.duration.startTimer();
    try {
      const made = await make();
      done();
      this.quotes.inc({ outcome: 'made' });
      return made;
    } catch (error) {
      this.quotes.inc({ outcome: codeOf(error) });
      throw error;
    }
  }

  async certificate(issue: () => Promise<TaskAnswer>): Promise<TaskAnswer> {
    try {
      const answer = await issue();
      this.certificates.inc({ outcome: answer.task_status });
      return answer;
    } catch (error) {
      this.certificates.inc({ outcome: codeOf(error) });
      throw error;
    }
  }
}

const codeOf = (error: unknown): string => (error instanceof SiegelError ? error.code : 'INTERNAL');
