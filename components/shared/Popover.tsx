import { Popover as RadixPopover } from 'radix-ui';
import type { ComponentProps, ReactElement, ReactNode } from 'react';
import { classNames } from './class-names';
import styles from './Popover.module.css';

interface PopoverProps {
  /** The button that opens it; it takes a ref. */
  trigger: ReactElement;
  'aria-label': string;
  align?: 'start' | 'end';
  /** CSS pixels between the button and what it opens. */
  gap?: number;
  /** Left out: the popover keeps this state itself. */
  isOpen?: boolean;
  onOpenChange?: (isOpen: boolean) => void;
  className?: string;
  children: ReactNode;
}

/** What a button opens next to it. */
export function Popover({
  trigger,
  align = 'end',
  gap = 6,
  isOpen,
  onOpenChange,
  className,
  children,
  ...rest
}: PopoverProps) {
  return (
    <RadixPopover.Root {...(isOpen !== undefined && { open: isOpen })} onOpenChange={onOpenChange}>
      <RadixPopover.Trigger asChild>{trigger}</RadixPopover.Trigger>
      <RadixPopover.Portal>
        <RadixPopover.Content
          className={classNames(styles.popover, className)}
          align={align}
          sideOffset={gap}
          collisionPadding={8}
          {...rest}
        >
          {children}
        </RadixPopover.Content>
      </RadixPopover.Portal>
    </RadixPopover.Root>
  );
}

/** A popover of buttons, one below the other. */
export function Menu({ className, ...rest }: PopoverProps) {
  return <Popover className={classNames(styles.menu, className)} {...rest} />;
}

interface MenuItemProps extends ComponentProps<'button'> {
  /** Closes the menu; otherwise it stays open for the next press. */
  closes?: boolean;
}

export function MenuItem({ closes = false, className, ...rest }: MenuItemProps) {
  const button = <button type="button" className={classNames(styles.item, className)} {...rest} />;
  return closes ? <RadixPopover.Close asChild>{button}</RadixPopover.Close> : button;
}
