import { describe, expect, it } from '@jest/globals';
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { checkSubjectNames, ipOctets, isDnsName, isSpiffeId, isTrustDomain } from './subject-names.js';

describe('names of a leaf', () => {
  it.each([
    'a',
    'payments.shop.svc',
    'a-b.c',
    '1.pay.svc',
    '*.shop.svc',
    'xn--bcher-kva.example',
    `${'a'.repeat(63)}.b`,
  ])('DNS name %s', (name) => {
    expect(isDnsName(name)).toBe(true);
  });

  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'A.b',
    '-a.b',
    'a-.b',
    'a_b',
    'a b',
    'bücher.example',
    '*',
    '*.svc',
    'a.*.b',
    'a*.b.c',
    '10.0.0.1',
    'a.1',
    `${'a'.repeat(64)}.b`,
    `${'a.'.repeat(127)}ab`,
    'a\u0000.b',
    'a\n',
  ])('no DNS name: %j', (name) => {
    expect(isDnsName(name)).toBe(false);
  });

  it('SPIFFE IDs belong to the trust domain and have a plain path', () => {
    for (const good of ['spiffe://td/a', 'spiffe://td/ns/x/sa/y-1_2.3', `spiffe://td/${'a'.repeat(2036)}`])
      expect(isSpiffeId(good, 'td')).toBe(true);
    const bad = [
      'spiffe://td',
      'spiffe://td/',
      'spiffe://td/a/',
      'spiffe://td//a',
      'spiffe://td/./a',
      'spiffe://td/../a',
      'spiffe://td2/a',
      'spiffe://TD/a',
      'SPIFFE://td/a',
      'https://td/a',
      'spiffe://td/a?x',
      'spiffe://td/a#x',
      'spiffe://td/%41',
      'spiffe://td:1/a',
      'spiffe://u@td/a',
      `spiffe://td/${'a'.repeat(2037)}`,
      'spiffe://td/ü',
      'spiffe://td/a\n',
    ];
    for (const id of bad) expect([id, isSpiffeId(id, 'td')]).toEqual([id, false]);
    expect([
      isTrustDomain('shop.example'),
      isTrustDomain(''),
      isTrustDomain('Shop'),
      isTrustDomain('a/b'),
    ]).toEqual([true, false, false, false]);
  });

  it('IP addresses become the octets that the platform reads in them', () => {
    expect(ipOctets('127.0.0.1').toString('hex')).toBe('7f000001');
    expect(ipOctets('::').toString('hex')).toBe('00'.repeat(16));
    expect(ipOctets('1::').toString('hex')).toBe(`0001${'00'.repeat(14)}`);
    expect(ipOctets('2001:db8::a:0:1').toString('hex')).toBe('20010db800000000000000' + '0a00000001');
    expect(ipOctets('::ffff:10.1.2.3').toString('hex')).toBe('00000000000000000000ffff0a010203');
    expect(ipOctets('1:2:3:4:5:6:1.2.3.4').toString('hex')).toBe('00010002000300040005000601020304');
    for (const bad of [
      '',
      '1',
      '1.2.3',
      '01.2.3.4',
      '1.2.3.256',
      ':::',
      '1::2::3',
      'fe80::1%eth0',
      '1:2:3:4:5:6:7',
      'g::',
      '127.0.0.1\n',
    ]) {
      expect(() => ipOctets(bad)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
    }
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        const list = new BlockList();
        list.addAddress(ip, 'ipv6');
        const written = (ipOctets(ip).toString('hex').match(/.{4}/g) ?? []).join(':');
        expect(list.check(written, 'ipv6')).toBe(true);
      }),
    );
    fc.assert(fc.property(fc.ipV4(), (ip) => expect([...ipOctets(ip)].join('.')).toBe(ip)));
  });

  it('are refused by code when missing, too many, invalid, or in conflict', () => {
    const code = (names: Parameters<typeof checkSubjectNames>[0]): string => {
      try {
        checkSubjectNames(names, 'td');
        return 'accepted';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code({})).toBe('NAME_MISSING');
    expect(code({ dns: [], ips: [], uris: [] })).toBe('NAME_MISSING');
    expect(code({ dns: Array.from({ length: 101 }, (_, index) => `n${index}.x`) })).toBe('NAMES_TOO_MANY');
    expect(code({ dns: ['a b'] })).toBe('NAME_INVALID');
    expect(code({ uris: ['no uri'] })).toBe('NAME_INVALID');
    expect(code({ uris: ['https://x/ü'] })).toBe('NAME_INVALID');
    expect(code({ uris: ['urn:example:a', 'https://x/y'] })).toBe('accepted');
    // A SPIFFE ID cannot be had as an ordinary URI, past the check of its trust domain.
    expect(code({ uris: ['spiffe://other/a'] })).toBe('NAME_INVALID');
    expect(code({ uris: ['SPIFFE://td/a'] })).toBe('NAME_INVALID');
    expect(code({ spiffeId: 'spiffe://other/a' })).toBe('SPIFFE_ID_INVALID');
    expect(code({ spiffeId: 'spiffe://td/a', uris: ['https://x/y'] })).toBe('SPIFFE_ID_INVALID');
    expect(code({ spiffeId: 'spiffe://td/a', dns: ['a.b'], ips: ['::1'] })).toBe('accepted');
  });
});
