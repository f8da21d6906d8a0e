import { Popover } from 'radix-ui';
import studies from '../../samples/studies/ready-made.json';
import { usePage } from '../../src/page/hooks';

/** Ready-made studies: links that show something worth seeing. */
export function StudiesMenu() {
  const page = usePage();
  const theme = () => page.store.getState().session.view.theme;
  return (
    <Popover.Root>
      <Popover.Trigger className="button">Studies</Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="popover menu studies"
          aria-label="Studies"
          align="end"
          sideOffset={6}
          collisionPadding={8}
        >
          {studies.map(({ title, sentence, link }) => (
            <Popover.Close asChild key={title}>
              <button type="button" onClick={() => page.visit(`${link}&theme=${theme()}`)}>
                <strong>{title}</strong>
                <small>{sentence}</small>
              </button>
            </Popover.Close>
          ))}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
