import { describe, expect, test } from 'vitest';
import {
  DEFAULT_HUB,
  type HubSettings,
  mayComeFrom,
  readHubSettings,
  storedHub,
  storeHub,
} from '../../../src/arrival/hub/settings';

const local: HubSettings = { address: 'http://127.0.0.1:8080/hub', hosts: ['127.0.0.1:9090'] };

describe('where a hub’s files may come from', () => {
  test.each<[HubSettings, string, boolean]>([
    [DEFAULT_HUB, 'https://huggingface.co/owner/name', true],
    [DEFAULT_HUB, 'https://cdn-lfs.huggingface.co/a', true],
    [DEFAULT_HUB, 'https://cas-bridge.xethub.hf.co/a', true],
    [DEFAULT_HUB, 'http://cdn-lfs.huggingface.co/a', false],
    [DEFAULT_HUB, 'http://huggingface.co/a', false],
    [DEFAULT_HUB, 'https://evilhf.co/a', false],
    [DEFAULT_HUB, 'https://hf.co.evil.org/a', false],
    [DEFAULT_HUB, 'https://cdn-lfs.huggingface.co:8443/a', false],
    [local, 'http://127.0.0.1:8080/other', true],
    [local, 'http://127.0.0.1:9090/a', true],
    [local, 'http://127.0.0.1:9091/a', false],
  ])('%o: %s, %s', (settings, address, may) => {
    expect(mayComeFrom(settings, new URL(address))).toBe(may);
  });
});

describe('what is typed', () => {
  test('is read with or without a slash, a list with blanks or commas', () => {
    expect(
      readHubSettings(' https://mirror.example.org/ ', 'a.example.org, *.b.example.org  127.0.0.1:80'),
    ).toEqual({
      address: 'https://mirror.example.org',
      hosts: ['a.example.org', '*.b.example.org', '127.0.0.1:80'],
    });
  });

  test.each([
    ['mirror.example.org', '', /must begin with https/],
    ['https://me:secret@example.org', '', /no name or password/],
    ['https://example.org/?x=1', '', /must begin with https/],
    ['https://example.org', 'https://cdn.example.org', /"https:\/\/cdn.example.org" is no host/],
    ['https://example.org', '*', /"\*" is no host/],
  ])('is refused in a sentence: %s, %s', (address, hosts, sentence) => {
    expect(() => readHubSettings(address, hosts)).toThrow(sentence);
  });
});

test('settings are kept, and what cannot be read is the default', () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  expect(storedHub(storage)).toEqual(DEFAULT_HUB);
  storeHub(local, storage);
  expect(storedHub(storage)).toEqual(local);
  for (const key of kept.keys()) kept.set(key, '{"address":"javascript:1","hosts":[]}');
  expect(storedHub(storage)).toEqual(DEFAULT_HUB);
});
