import { Popover } from 'radix-ui';
import { useState } from 'react';
import { DotsIcon } from './icons';
import { type Table, toTsv } from './table';

export interface CopySource {
  /** What is copied, for people: "mass recall by layer". */
  readonly what: string;
  table(): Table;
  /** The command line that makes the data; null where there is none. */
  command(): string | null;
  readonly isTableShown?: boolean;
  showTable?(isShown: boolean): void;
}

/** A panel's data as text, the command that makes it, and the table alternative. */
export function CopyMenu({ source }: { source: CopySource }) {
  const [said, setSaid] = useState('');
  const copy = async (text: string, what: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid(`${what} copied.`);
    } catch {
      setSaid('The browser did not allow copying.');
    }
  };
  const command = source.command();
  return (
    <Popover.Root onOpenChange={() => setSaid('')}>
      <Popover.Trigger className="icon-button" aria-label={`Copy or show ${source.what}`}>
        <DotsIcon />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover menu" align="end" sideOffset={4} collisionPadding={8}>
          {source.showTable && (
            <button type="button" onClick={() => source.showTable?.(!source.isTableShown)}>
              {source.isTableShown ? 'Hide the table' : 'Show as table'}
            </button>
          )}
          <button type="button" onClick={() => copy(toTsv(source.table()), 'Data')}>
            Copy data <small>tab-separated</small>
          </button>
          <button type="button" onClick={() => copy(JSON.stringify(source.table(), null, 1), 'Data')}>
            Copy data <small>JSON</small>
          </button>
          {command !== null && (
            <button type="button" onClick={() => copy(command, 'Command')}>
              Copy command
            </button>
          )}
          <output className="menu-said">{said}</output>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
