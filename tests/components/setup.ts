import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

// What is fetched when it is opened takes its time where many tests run at once.
configure({ asyncUtilTimeout: 10_000 });
afterEach(cleanup);
