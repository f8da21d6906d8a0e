import { useState } from 'react';
import { usePage, usePageState, useParameterContext } from '../../src/page/hooks';
import { isStale, type MeasuredBy } from '../../src/page/measured';
import { textChoice, textKeyOf } from '../../src/page/state';
import type { SavedText } from '../../src/study/facts';
import { Button } from './Button';
import styles from './CopyMenu.module.css';
import { copyText } from './clipboard';
import { type Command, type CommandStudy, sourceFileName } from './command';
import { DotsIcon } from './icons';

import { Menu, MenuItem } from './Popover';
import { provenanceRows } from './provenance';
import { type Table, toJson, toTsv } from './table';

export interface CopySource {
  /** What is copied, for people: "mass recall by layer". */
  readonly what: string;
  table(): Table;
  /** What made the data: it travels with them. Null: there are none. Asked when it is needed. */
  by(): MeasuredBy | null;
  /** The command line that reproduces the data; null where there is none. */
  command(study: CommandStudy): Command | null;
  readonly isTableShown?: boolean;
  showTable?(isShown: boolean): void;
}

/** A panel's data as text, the command that reproduces them, and the table alternative. */
export function CopyMenu({ source }: { source: CopySource }) {
  const page = usePage();
  const [said, setSaid] = useState('');
  const name = `Copy or show ${source.what}`;
  const copy = async (text: string | Promise<string>, what: string) => {
    setSaid((await copyText(text)) ? `${what} copied.` : 'The browser did not allow copying.');
  };
  const copyData = (write: typeof toTsv) => {
    // Taken before the link is written: it is what is shown now.
    const table = source.table();
    const by = source.by();
    const isOld = by !== null && isStale(by, page.store.getState().session);
    const written = async (): Promise<string> => {
      if (by === null) return write(table);
      return write(table, provenanceRows(by, isOld, await page.linkTo(by), page.findMethod));
    };
    return copy(written(), 'Data');
  };
  return (
    <Menu
      trigger={
        <Button kind="icon" aria-label={name}>
          <DotsIcon />
        </Button>
      }
      aria-label={name}
      gap={4}
      onOpenChange={() => setSaid('')}
    >
      {source.showTable && (
        <MenuItem onClick={() => source.showTable?.(!source.isTableShown)}>
          {source.isTableShown ? 'Hide the table' : 'Show as table'}
        </MenuItem>
      )}
      <MenuItem onClick={() => copyData(toTsv)}>
        Copy data <small>tab-separated</small>
      </MenuItem>
      <MenuItem onClick={() => copyData(toJson)}>
        Copy data <small>JSON</small>
      </MenuItem>
      <CommandItems source={source} onCopy={(line) => copy(line, 'Command')} />
      <output className={styles.said}>{said}</output>
    </Menu>
  );
}

/** What the command reads: the text, or its ids where no text has them. */
function SaveSource({ saved }: { saved: SavedText }) {
  const name = sourceFileName(saved);
  return (
    <MenuItem onClick={() => saveFile(name, 'text' in saved ? saved.text : JSON.stringify(saved.ids))}>
      {'text' in saved ? 'Save its text' : 'Save its token ids'} <small>{name}</small>
    </MenuItem>
  );
}

interface CommandItemsProps {
  source: CopySource;
  onCopy: (line: string) => void;
}

/** The command, how it differs from the page, and the text it reads. */
function CommandItems({ source, onCopy }: CommandItemsProps) {
  const study = useCommandStudy(source.by());
  const text = usePageState('text');
  const command = study && source.command(study);
  if (!study || !text || !command) return null;
  return (
    <>
      <MenuItem onClick={() => onCopy(command.line)}>Copy command</MenuItem>
      {command.line.includes(sourceFileName(text.saved)) && <SaveSource saved={text.saved} />}
      {command.notice !== null && <p className={styles.note}>{command.notice}</p>}
    </>
  );
}

/**
 * What command lines need from the page, for the choice behind a panel's numbers (null: the present one). Null while that choice's
 * text is not loaded.
 */
function useCommandStudy(by: MeasuredBy | null): CommandStudy | null {
  const { findMethod } = usePage();
  const present = usePageState('session');
  const text = usePageState('text');
  const textKey = usePageState('textKey');
  const context = useParameterContext();
  const session = by === null ? present : { ...present, ...textChoice(by), method: by.method };
  if (!text || textKey !== textKeyOf(session)) return null;
  const { tokens, answerStart, queries, saved } = text;
  return {
    ...{ session, findMethod, context: { ...context, tokens }, answerStart },
    queriesStart: queries.start,
    saved,
  };
}

/** Hands a text to the browser's downloads. */
function saveFile(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
