/** Which hub models come from, and which other hosts it may send their files from. */

import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';

export interface HubSettings {
  /** Without a slash at its end. */
  readonly address: string;
  /** Hosts, with a port where it is not the usual one; `*.` stands for any number of names in front. */
  readonly hosts: readonly string[];
}

export const DEFAULT_HUB: HubSettings = {
  address: 'https://huggingface.co',
  hosts: ['*.huggingface.co', '*.hf.co'],
};

const KEY = 'keyhole hub';

/** Reads what was typed. Throws UserError, one sentence. */
export function readHubSettings(address: string, hosts: string): HubSettings {
  const trimmed = address.trim().replace(/\/+$/, '');
  const url = URL.canParse(trimmed) ? new URL(trimmed) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new UserError(
      `The hub's address must begin with https:// or http:// and hold no name or password, unlike ${quote(address)}.`,
    );
  }
  const names = hosts.split(/[\s,]+/).filter(Boolean);
  const wrong = names.find((name) => !/^(\*\.)?[\w-]+(\.[\w-]+)*(:\d+)?$/.test(name));
  if (wrong !== undefined) {
    throw new UserError(
      `${quote(wrong)} is no host; write cdn.example.org, *.example.org or 127.0.0.1:8080.`,
    );
  }
  return { address: trimmed, hosts: names };
}

/** Whether a file asked of the hub may come from there: the hub itself, or a host of its settings on a connection no worse. */
export function mayComeFrom({ address, hosts }: HubSettings, url: URL): boolean {
  const hub = new URL(address);
  if (url.origin === hub.origin) return true;
  // A host is trusted only on a connection that proves which it is, unless the hub itself is on none.
  if (url.protocol !== 'https:' && hub.protocol !== 'http:') return false;
  return hosts.some((pattern) =>
    pattern.startsWith('*.') ? url.host.endsWith(pattern.slice(1)) : url.host === pattern,
  );
}

/** The settings of this browser; the default where there are none, or none that can be read. */
export function storedHub(
  storage: Pick<Storage, 'getItem'> | undefined = globalThis.localStorage,
): HubSettings {
  try {
    const { address, hosts } = JSON.parse(storage?.getItem(KEY) ?? '') as HubSettings;
    return readHubSettings(address, hosts.join(' '));
  } catch {
    return DEFAULT_HUB;
  }
}

export function storeHub(
  settings: HubSettings,
  storage: Pick<Storage, 'setItem'> | undefined = globalThis.localStorage,
): void {
  try {
    storage?.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing: the settings hold until the page is closed.
  }
}
