import { Popover } from 'radix-ui';
import { useState } from 'react';
import { usePage, usePageState } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import type { SavedText } from '../../src/study/facts';
import { copyText } from './clipboard';
import { type Command, type CommandStudy, sourceFileName } from './command';
import { DotsIcon } from './icons';
import type { Provenance } from './provenance';
import { provenanceRows } from './provenance';
import { saveFile } from './save-file';
import { type Table, toJson, toTsv } from './table';
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

interface CopyMenuProps {
  source: CopySource;
  /** What made the data: it travels with them. */
  provenance: Provenance | null;
}

/** A panel's data as text, the command that makes it, and the table alternative. */
export function CopyMenu({ source, provenance }: CopyMenuProps) {
  const page = usePage();
  const [said, setSaid] = useState('');
  const copy = async (text: string | Promise<string>, what: string) => {
    setSaid((await copyText(text)) ? `${what} copied.` : 'The browser did not allow copying.');
  };
  const copyData = (write: typeof toTsv) => {
    // Taken before the link is written: what is shown now.
    const table = source.table();
    const written = async (): Promise<string> => {
      if (provenance === null) return write(table);
      const { by, isStale } = provenance;
      return write(table, provenanceRows(by, isStale, await page.linkTo(by), page.findMethod));
    };
    return copy(written(), 'Data');
  };
  return (
    <Popover.Root onOpenChange={() => setSaid('')}>
      <Popover.Trigger className="icon-button" aria-label={`Copy or show ${source.what}`}>
        <DotsIcon />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="popover menu"
          aria-label={`Copy or show ${source.what}`}
          align="end"
          sideOffset={4}
          collisionPadding={8}
        >
          {source.showTable && (
            <button type="button" onClick={() => source.showTable?.(!source.isTableShown)}>
              {source.isTableShown ? 'Hide the table' : 'Show as table'}
            </button>
          )}
          <button type="button" onClick={() => copyData(toTsv)}>
            Copy data <small>tab-separated</small>
          </button>
          <button type="button" onClick={() => copyData(toJson)}>
            Copy data <small>JSON</small>
          </button>
          <CommandItems
            make={source.command}
            by={provenance?.by ?? null}
            onCopy={(line) => copy(line, 'Command')}
          />
          <output className="menu-said">{said}</output>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** What the command reads: the text, or its ids where no text has them. */
function SaveSource({ saved }: { saved: SavedText }) {
  const name = sourceFileName(saved);
  return (
    <button
      type="button"
      onClick={() => saveFile(name, 'text' in saved ? saved.text : JSON.stringify(saved.ids))}
    >
      {'text' in saved ? 'Save its text' : 'Save its token ids'} <small>{name}</small>
    </button>
  );
}

interface CommandItemsProps {
  make: CopySource['command'];
  by: MeasuredBy | null;
  onCopy: (line: string) => void;
}

/** The command, what it does otherwise than the page, and the text it asks for. */
function CommandItems({ make, by, onCopy }: CommandItemsProps) {
  const study = useCommandStudy(by);
  const text = usePageState((state) => state.text);
  const command = study && make(study);
  if (!study || !text || !command) return null;
  return (
    <>
      <button type="button" onClick={() => onCopy(command.line)}>
        Copy command
      </button>
      {text.saved && command.line.includes(sourceFileName(text.saved)) && <SaveSource saved={text.saved} />}
      {command.note !== null && <p className="menu-note">{command.note}</p>}
    </>
  );
}
