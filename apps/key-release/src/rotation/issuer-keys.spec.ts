import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { IssuerKeys } from './issuer-keys.js';

let server: Server;
let asked: number;
let keys: IssuerKeys;

beforeEach(async () => {
  asked = 0;
  // An issuer that is there and answers nothing of use.
  server = createServer((socket) => {
    asked++;
    socket.on('error', () => undefined).destroy();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  keys = new IssuerKeys(`https://127.0.0.1:${(server.address() as AddressInfo).port}/keys`, undefined);
});
afterEach(() => {
  server.close();
});

describe('keys of an issuer that fails', () => {
  it('are asked for once, however many tokens come, one after another or together', async () => {
    await expect(keys.find('a')).rejects.toThrow();
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => expect(keys.find(`kid ${at}`)).rejects.toThrow()),
    );
    for (let at = 0; at < 5; at++) await expect(keys.find('a')).rejects.toThrow();
    expect(asked).toBe(1);
  });
});
