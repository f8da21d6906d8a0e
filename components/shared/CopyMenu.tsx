import { Popover } from 'radix-ui';
import { useState } from 'react';
import { usePageState } from '../../src/session/hooks';
import { textOfStudy } from '../../src/session/text-file';
import { type Command, type CommandStudy, textFileName } from './command';
import { DotsIcon } from './icons';
import { saveFile } from './save-file';
import { type Table, toTsv } from './table';
import { useCommandStudy } from './useCommandStudy';

export interface CopySource {
  /** What is copied, for people: "mass recall by layer". */
  readonly what: string;
  table(): Table;
  /** The command line that makes the data; null where there is none. */
  command(study: CommandStudy): Command | null;
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
          <CommandItems make={source.command} onCopy={(line) => copy(line, 'Command')} />
          <output className="menu-said">{said}</output>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

interface CommandItemsProps {
  make: CopySource['command'];
  onCopy: (line: string) => void;
}

/** The command, what it does otherwise than the page, and the text it asks for. */
function CommandItems({ make, onCopy }: CommandItemsProps) {
  const study = useCommandStudy();
  const text = usePageState((state) => state.text);
  const command = study && make(study);
  if (!study || !text || !command) return null;
  return (
    <>
      <button type="button" onClick={() => onCopy(command.line)}>
        Copy command
      </button>
      {command.line.includes(textFileName) && (
        <button type="button" onClick={() => saveFile(textFileName, textOfStudy(study.session.source, text))}>
          Save its text <small>{textFileName}</small>
        </button>
      )}
      {command.note !== null && <p className="menu-note">{command.note}</p>}
    </>
  );
}
