import { Select } from 'radix-ui';
import { useMethod, usePage } from '../../src/page/hooks';
import { DownIcon } from '../shared/icons';

/** Which method decides, with a sentence on each. */
export function MethodPicker() {
  const { methods, actions } = usePage();
  const method = useMethod();
  return (
    <Select.Root value={method.id} onValueChange={actions.setMethod}>
      <Select.Trigger className="button method-trigger" aria-label="Method">
        <Select.Value>{method.title}</Select.Value>
        <DownIcon />
      </Select.Trigger>
      <Select.Portal>
        <Select.Content className="popover menu method-list" position="popper" sideOffset={4}>
          <Select.Viewport>
            {methods.map(({ id, title, summary }) => (
              <Select.Item key={id} value={id} className="method-item" textValue={title}>
                <Select.ItemText>{title}</Select.ItemText>
                <small>{summary}</small>
              </Select.Item>
            ))}
          </Select.Viewport>
        </Select.Content>
      </Select.Portal>
    </Select.Root>
  );
}
