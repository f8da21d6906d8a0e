import { ensureApp } from '../../scripts/bundle.mjs';

/** Builds the page once before the browser tests, if a source is newer than dist/app. */
export default async function buildApp(): Promise<void> {
  await ensureApp();
}
