import { useState } from 'react';
import { isUserError } from '../../src/base/user-error';
import { usePage } from '../../src/page/hooks';
import { filesOfField } from '../../src/page/recognise';
import { ErrorText, Field, Form, Input } from '../shared/Field';

/** A model of this machine: a folder, or files. */
export function FilesTab({ onDone }: { onDone: () => void }) {
  const page = usePage();
  const [error, setError] = useState<string | null>(null);
  const take = async (list: FileList | null) => {
    if (!list?.length) return;
    setError(null);
    try {
      await page.openFiles(filesOfField(list));
      onDone();
    } catch (reason) {
      if (!isUserError(reason)) throw reason;
      setError(reason.message);
    }
  };
  const field = (label: string, help: string, attributes: object) => (
    <Field label={label} help={help}>
      {(id) => (
        <Input
          id={id}
          type="file"
          multiple
          {...attributes}
          onChange={(event) => {
            const { target } = event;
            // Taken once more where the same files have changed meanwhile.
            void take(target.files).finally(() => {
              target.value = '';
            });
          }}
        />
      )}
    </Field>
  );
  return (
    <Form isStacked>
      {field(
        'Folder',
        'A model in Hugging Face layout: config.json, safetensors, tokenizer.json. Or drop it anywhere on the page.',
        // A folder and all that is in it; React hands on what it does not know.
        { webkitdirectory: '' },
      )}
      {field(
        'Files',
        'A GGUF file, the files of such a folder, or a file of kept keys. Files stay on this machine: they are read as they are needed, not copied, and a link names them only.',
        {},
      )}
      {error !== null && <ErrorText role="alert">{error}</ErrorText>}
    </Form>
  );
}
