import { Tabs as RadixTabs, ToggleGroup } from 'radix-ui';
import type { ReactNode } from 'react';
import { classNames } from './class-names';
import styles from './Segments.module.css';

interface SegmentsProps<Value extends string> {
  /** `words`: underlined, in a line of text, rather than framed. */
  kind?: 'framed' | 'words';
  'aria-label'?: string;
  'aria-labelledby'?: string;
  value: Value;
  options: readonly { readonly value: Value; readonly label?: string; readonly help: string }[];
  onChange: (value: Value) => void;
  disabled?: boolean;
  className?: string;
}

/** One of a few words, side by side: a radio group. */
export function Segments<Value extends string>({
  kind = 'framed',
  options,
  onChange,
  className,
  ...rest
}: SegmentsProps<Value>) {
  return (
    <ToggleGroup.Root
      type="single"
      className={classNames(kind === 'words' ? styles.words : styles.framed, className)}
      // Pressed again, a radio stays chosen.
      onValueChange={(next) => next && onChange(next as Value)}
      {...rest}
    >
      {options.map(({ value, label = value, help }) => (
        <ToggleGroup.Item key={value} value={value} title={help}>
          {label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}

interface TabsProps {
  'aria-label': string;
  start: string;
  tabs: readonly { readonly value: string; readonly label: string; readonly content: ReactNode }[];
  /** Below every tab. */
  children?: ReactNode;
}

/** The same look for what shows one of several contents. */
export function Tabs({ start, tabs, children, ...rest }: TabsProps) {
  return (
    <RadixTabs.Root defaultValue={start}>
      <RadixTabs.List className={styles.framed} {...rest}>
        {tabs.map(({ value, label }) => (
          <RadixTabs.Trigger key={value} value={value}>
            {label}
          </RadixTabs.Trigger>
        ))}
      </RadixTabs.List>
      {tabs.map(({ value, content }) => (
        <RadixTabs.Content key={value} value={value}>
          {content}
        </RadixTabs.Content>
      ))}
      {children}
    </RadixTabs.Root>
  );
}
