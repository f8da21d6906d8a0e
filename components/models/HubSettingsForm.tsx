import { useState } from 'react';
import type { HubModels } from '../../src/arrival/hub/hub-models';
import { DEFAULT_HUB, type HubSettings, readHubSettings } from '../../src/arrival/hub/settings';
import { isUserError } from '../../src/base/user-error';
import { Button } from '../shared/Button';
import { ErrorText, Field, Form, Input } from '../shared/Field';
import styles from './ModelForm.module.css';
import { useHubState } from './use-hub';

/** Which hub, which other hosts, and a token for what is gated. */
export function HubSettingsForm({ hub }: { hub: HubModels }) {
  const settings = useHubState(hub, 'settings');
  const hasToken = useHubState(hub, 'hasToken');
  return (
    <details className={styles.settings}>
      <summary>
        Hub and token: {new URL(settings.address).host}
        {hasToken && ', with a token'}
      </summary>
      <TokenForm hub={hub} address={settings.address} hasToken={hasToken} />
      <AddressForm key={JSON.stringify(settings)} hub={hub} settings={settings} />
    </details>
  );
}

interface TokenFormProps {
  hub: HubModels;
  address: string;
  hasToken: boolean;
}

function TokenForm({ hub, address, hasToken }: TokenFormProps) {
  const [token, setToken] = useState('');
  const give = () => {
    hub.setToken(token.trim());
    setToken('');
  };
  return (
    <Form onSubmit={give}>
      <Field
        label="Token"
        help={`For gated and private models. It stays in memory until this page is closed, and goes to ${address} alone: into no link, no storage, no other host.`}
      >
        {(id) => (
          <Input
            id={id}
            type="password"
            autoComplete="off"
            value={token}
            placeholder={hasToken ? 'given' : ''}
            onChange={(event) => setToken(event.target.value)}
          />
        )}
      </Field>
      <span className={styles.buttons}>
        <Button type="submit" disabled={token.trim() === ''}>
          Use this token
        </Button>
        {hasToken && <Button onClick={() => hub.setToken(null)}>Forget it</Button>}
      </span>
    </Form>
  );
}

function AddressForm({ hub, settings }: { hub: HubModels; settings: HubSettings }) {
  const [address, setAddress] = useState(settings.address);
  const [hosts, setHosts] = useState(settings.hosts.join(' '));
  const [error, setError] = useState<string | null>(null);
  const save = () => {
    try {
      hub.setHub(readHubSettings(address, hosts));
      setError(null);
    } catch (reason) {
      if (!isUserError(reason)) throw reason;
      setError(reason.message);
    }
  };
  return (
    <Form onSubmit={save}>
      <Field label="Address">
        {(id) => (
          <Input
            id={id}
            inputMode="url"
            value={address}
            spellCheck={false}
            onChange={(event) => setAddress(event.target.value)}
          />
        )}
      </Field>
      <Field
        label="Other hosts"
        help="Where the hub may send large files from; *. stands for any names in front. Kept in this browser."
      >
        {(id) => (
          <Input
            id={id}
            value={hosts}
            spellCheck={false}
            onChange={(event) => setHosts(event.target.value)}
          />
        )}
      </Field>
      {error !== null && <ErrorText role="alert">{error}</ErrorText>}
      <span className={styles.buttons}>
        <Button type="submit">Use this hub</Button>
        {settings.address !== DEFAULT_HUB.address && (
          <Button onClick={() => hub.setHub(DEFAULT_HUB)}>Back to {new URL(DEFAULT_HUB.address).host}</Button>
        )}
      </span>
    </Form>
  );
}
