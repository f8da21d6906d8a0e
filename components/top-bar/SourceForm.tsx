import { Tabs } from 'radix-ui';
import { usePage, usePageState } from '../../src/page/hooks';
import { OwnTextForm } from './OwnTextForm';
import { SampleForm } from './SampleForm';
import { StartTokenField } from './StartTokenField';
import { TaskForm } from './TaskForm';

/** Three ways to a text: a task with a known answer, a sample, or one's own. */
export function SourceForm({ onDone }: { onDone: () => void }) {
  const { actions } = usePage();
  const source = usePageState((state) => state.session.source);
  const use: typeof actions.setSource = (chosen) => {
    actions.setSource(chosen);
    onDone();
  };
  return (
    <Tabs.Root defaultValue={source.kind}>
      <Tabs.List className="segments" aria-label="Kind of source">
        <Tab value="task">Task</Tab>
        <Tab value="sample">Sample text</Tab>
        <Tab value="text">Own text</Tab>
      </Tabs.List>
      <Tabs.Content value="task">
        <TaskForm source={source} onUse={use} />
      </Tabs.Content>
      <Tabs.Content value="sample">
        <SampleForm source={source} onUse={use} />
      </Tabs.Content>
      <Tabs.Content value="text">
        <OwnTextForm source={source} onUse={use} />
      </Tabs.Content>
      <StartTokenField />
    </Tabs.Root>
  );
}

function Tab({ value, children }: { value: string; children: string }) {
  return <Tabs.Trigger value={value}>{children}</Tabs.Trigger>;
}
