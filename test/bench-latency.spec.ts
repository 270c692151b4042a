import { describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { latencyBetween, scrapeHistogram } from '../bench/measure/service-latency.js';

const histogram = (...counts: number[]) =>
  new Map([0.001, 0.01, Infinity].map((bound, at) => [bound, counts[at] ?? 0]));

describe('latency of a service between two readings', () => {
  it('is spread evenly within a bucket', () => {
    expect(latencyBetween(histogram(0, 0, 0), histogram(50, 100, 100))).toEqual({ p50Ms: 1, p99Ms: 9.82 });
  });

  it('is that of the observations in between alone', () => {
    expect(latencyBetween(histogram(1_000, 1_000, 1_000), histogram(1_000, 1_010, 1_010)).p50Ms).toBe(5.5);
  });

  it('beyond the last bound is that bound, and without observations nothing', () => {
    expect(latencyBetween(histogram(0, 0, 0), histogram(0, 0, 7))).toEqual({ p50Ms: 10, p99Ms: 10 });
    expect(latencyBetween(histogram(1, 2, 3), histogram(1, 2, 3))).toEqual({ p50Ms: 0, p99Ms: 0 });
  });

  it('is read from the text of Prometheus, and an unknown name is an error', async () => {
    const server = createServer((_request, response) =>
      response.end(
        '# TYPE a_seconds histogram\na_seconds_bucket{le="0.001"} 2\na_seconds_bucket{le="+Inf"} 3\n',
      ),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect([...(await scrapeHistogram(url, 'a_seconds'))]).toEqual([
        [0.001, 2],
        [Infinity, 3],
      ]);
      await expect(scrapeHistogram(url, 'b_seconds')).rejects.toThrow('no histogram b_seconds');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
