import { useState } from 'react';
import type { HubModels } from '../../src/arrival/hub/hub-models';
import { ggufFiles, type Repository, whyNoModel } from '../../src/arrival/hub/repository';
import { type HubName, hubModel, readHubName } from '../../src/arrival/model-name';
import { isUserError, UserError } from '../../src/base/user-error';

/** What the hub says of a model. */
export interface FoundModel {
  /** By its commit. */
  readonly model: string;
  readonly name: HubName;
  readonly repository: Repository;
  /** Its GGUF files, of which one is to be chosen where it is no folder. */
  readonly gguf: readonly string[];
  /** The text of config.json; null: there is none. */
  readonly config: string | null;
}

export interface LookUp {
  /** As it was typed, or chosen. */
  readonly text: string;
  setText(text: string): void;
  readonly revision: string;
  setRevision(text: string): void;
  /** Asks the hub for `text`, or for this repository. */
  look(repository?: string): Promise<void>;
  readonly isLooking: boolean;
  readonly error: string | null;
  readonly found: FoundModel | null;
}

/** Asks a hub for a model's files and its config.json, which is small; nothing else is fetched. */
export function useLookUp(hub: HubModels): LookUp {
  const [text, setText] = useState('');
  const [revision, setRevision] = useState('');
  const [isLooking, setLooking] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [found, setFound] = useState<FoundModel | null>(null);
  const look = async (chosen?: string) => {
    if (chosen !== undefined) {
      setText(chosen);
      setRevision('');
    }
    setLooking(true);
    setError(null);
    setFound(null);
    try {
      setFound(await find(hub, chosen ?? text, chosen === undefined ? revision : ''));
    } catch (reason) {
      if (!isUserError(reason)) throw reason;
      setError(reason.message);
    } finally {
      setLooking(false);
    }
  };
  return { text, setText, revision, setRevision, look, isLooking, error, found };
}

async function find(hub: HubModels, text: string, revision: string): Promise<FoundModel> {
  const typed = text
    .trim()
    .replace(/^https?:\/\/[^/]+\//, '')
    .replace(/\/+$/, '');
  const name = nameOf(revision.trim() === '' ? typed : `${typed.split('@')[0]}@${revision.trim()}`);
  const repository = await hub.ask('look', hubModel(name));
  const gguf = ggufFiles(repository).map(({ path }) => path);
  const why = whyNoModel(repository, name.file);
  const isChoice = why !== null && name.file === null && gguf.length > 0;
  if (why !== null && !isChoice) throw new UserError(why);
  const pinned = { ...name, file: isChoice ? gguf[0]! : name.file, revision: repository.commit };
  const config = await hub.ask('peek', hubModel(pinned), 'config.json');
  return {
    model: hubModel(pinned),
    name: pinned,
    repository,
    gguf: isChoice || name.file !== null ? gguf : [],
    config: config && (await config.text()),
  };
}

function nameOf(text: string): HubName {
  try {
    return readHubName(text);
  } catch (error) {
    if (!isUserError(error)) throw error;
    throw new UserError(`The model ${error.message}, as in HuggingFaceTB/SmolLM2-135M.`);
  }
}
