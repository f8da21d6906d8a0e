import { useState } from 'react';
import { isUserError } from '../../src/base/user-error';
import { usePage } from '../../src/page/hooks';
import { ErrorText, Field, Input } from '../shared/Field';

/** Takes a selection that was computed elsewhere, by drop or from a dialog. */
export function KeptFile() {
  const page = usePage();
  const [error, setError] = useState<string | null>(null);
  const take = async (file: File | undefined) => {
    if (!file) return;
    // The next one comes into view again, though it may say the same.
    setError(null);
    try {
      await page.importKept(file, file.name);
    } catch (reason) {
      if (!isUserError(reason)) throw reason;
      setError(reason.message);
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the field inside does the same by keyboard
    <div
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        take(event.dataTransfer.files[0]);
      }}
    >
      <Field
        label="Keys that another program kept"
        help="Drop a safetensors file here, or browse for one: it becomes a method and stays on this machine."
      >
        {(id) => (
          <Input
            id={id}
            type="file"
            accept=".safetensors"
            onChange={(event) => {
              const { files } = event.target;
              // Taken once more where the same file has changed meanwhile.
              void take(files?.[0]).finally(() => {
                event.target.value = '';
              });
            }}
          />
        )}
      </Field>
      {error !== null && (
        <ErrorText role="alert" ref={intoView}>
          {error}
        </ErrorText>
      )}
    </div>
  );
}

/** It stands at the panel's end, which may be below what is in sight. */
function intoView(error: HTMLElement | null): void {
  error?.scrollIntoView({ block: 'nearest' });
}
