import { type ComponentProps, type FormEvent, type ReactNode, useId, useState } from 'react';
import { classNames } from './class-names';
import styles from './Field.module.css';

export function Input({ className, ...rest }: ComponentProps<'input'>) {
  return <input className={classNames(styles.control, className)} {...rest} />;
}

export function TextArea({ className, ...rest }: ComponentProps<'textarea'>) {
  return <textarea className={classNames(styles.control, styles.area, className)} {...rest} />;
}

interface SelectProps extends Omit<ComponentProps<'select'>, 'onChange' | 'value'> {
  value: string | number;
  options: readonly { readonly value: string | number; readonly label?: string }[];
  onChange: (value: string) => void;
}

export function Select({ options, onChange, className, ...rest }: SelectProps) {
  return (
    <select
      className={classNames(styles.control, className)}
      onChange={(event) => onChange(event.target.value)}
      {...rest}
    >
      {options.map(({ value, label = value }) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}

interface FieldProps {
  label: string;
  /** A sentence below the control. */
  help?: ReactNode;
  /** The control, with the id that its label names. */
  children: (id: string) => ReactNode;
}

/** A control of a form with its label. */
export function Field({ label, help, children }: FieldProps) {
  const id = useId();
  return (
    <>
      <label htmlFor={id}>{label}</label>
      {children(id)}
      {help !== undefined && <p className={styles.help}>{help}</p>}
    </>
  );
}

interface FormProps {
  /** Labels above their controls; otherwise left of them. */
  isStacked?: boolean;
  onSubmit?: () => void;
  children: ReactNode;
}

/** Fields, one below the other. Errors are the page's own sentences, not the browser's. */
export function Form({ isStacked = false, onSubmit, children }: FormProps) {
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit?.();
  };
  return (
    <form className={isStacked ? styles.stacked : styles.form} onSubmit={submit} noValidate>
      {children}
    </form>
  );
}

/** What is wrong, and what to do. */
export function ErrorText({ className, ...rest }: ComponentProps<'p'>) {
  return <p className={classNames(styles.error, className)} {...rest} />;
}

/** What is longer is no number, or one that nobody has to read to its end. */
const MOST_DIGITS = 14;

interface NumberFieldProps {
  label: string;
  /** As it is typed. */
  value: string;
  /** A sentence if the text is no usable value; otherwise null, and the value has been taken. */
  onType: (text: string) => string | null;
  onDone: () => void;
  describedBy?: string;
  disabled?: boolean;
  onError: (sentence: string | null) => void;
  className?: string;
}

/** A typed number. An unusable one stays in the field, with the reason below it, until it is corrected. */
export function NumberField({
  label,
  value,
  onType,
  onDone,
  describedBy,
  disabled,
  onError,
  className,
}: NumberFieldProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [isWrong, setWrong] = useState(false);
  const shown = draft ?? value;
  const type = (text: string) => {
    setDraft(text);
    const error = onType(text.trim());
    setWrong(error !== null);
    onError(error);
  };
  const done = () => {
    if (draft === null || isWrong) return;
    setDraft(null);
    onDone();
  };
  return (
    <Input
      className={classNames(styles.number, className)}
      // Wide enough for all digits of a number, padding and frame beside them.
      style={{ minWidth: `calc(${Math.min(shown.length, MOST_DIGITS)}ch + 18px)` }}
      inputMode="decimal"
      autoComplete="off"
      aria-label={label}
      aria-invalid={isWrong}
      aria-describedby={describedBy}
      disabled={disabled}
      value={shown}
      onChange={(event) => type(event.target.value)}
      onBlur={done}
      onKeyDown={(event) => {
        if (event.key === 'Enter') done();
        if (event.key === 'Escape' && draft !== null) {
          setDraft(null);
          setWrong(false);
          onError(null);
        }
      }}
    />
  );
}
