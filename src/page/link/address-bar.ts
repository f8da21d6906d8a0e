/** The browser's address and history, as much as the page needs of it; tests hand in their own. */
export interface AddressBar {
  /** With or without its "#". */
  hash(): string;
  /** Adds an entry to the history, unless it is the address already. */
  push(hash: string): void;
  /** Tells when somebody went back or forward, or typed another address. Returns how to stop. */
  onChange(listener: (hash: string) => void): () => void;
}

export function browserAddressBar(): AddressBar {
  let known = location.hash;
  return {
    hash: () => location.hash,
    push(hash) {
      if (`#${hash}` === location.hash) return;
      history.pushState(null, '', `#${hash}`);
      known = location.hash;
    },
    onChange(listener) {
      // Browsers send popstate, hashchange or both: the address says whether there is anything new.
      const look = (): void => {
        if (location.hash === known) return;
        known = location.hash;
        listener(known);
      };
      addEventListener('popstate', look);
      addEventListener('hashchange', look);
      return () => {
        removeEventListener('popstate', look);
        removeEventListener('hashchange', look);
      };
    },
  };
}
