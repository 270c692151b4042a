import { describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { answerBrokenRequest } from './broken-request.js';

function answerTo(code: string): string {
  const socket = new PassThrough();
  answerBrokenRequest(Object.assign(new Error('HPE: the bytes of the caller'), { code }), socket);
  return (socket.read() as Buffer | null)?.toString('utf8') ?? '';
}

describe('answerBrokenRequest', () => {
  it.each([
    ['HPE_INVALID_METHOD', 400, 'REQUEST_MALFORMED'],
    ['HPE_HEADER_OVERFLOW', 413, 'REQUEST_TOO_LARGE'],
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'REQUEST_TIMEOUT'],
    ['ANYTHING', 400, 'REQUEST_MALFORMED'],
  ])('%s is answered %d %s, as a problem and nothing of the error', (code, status, problem) => {
    const answer = answerTo(code);
    const [head, body] = answer.split('\r\n\r\n') as [string, string];
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toContain('Content-Type: application/problem+json');
    expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
    expect(JSON.parse(body)).toMatchObject({ status, code: problem });
    expect(answer).not.toContain('the bytes of the caller');
  });

  it('hangs up without a word on who has hung up', () => {
    const socket = new PassThrough();
    answerBrokenRequest(Object.assign(new Error('gone'), { code: 'ECONNRESET' }), socket);
    expect(socket.destroyed).toBe(true);
    expect(socket.read()).toBeNull();
  });
});
