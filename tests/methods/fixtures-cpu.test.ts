import { createCpuOps } from '../../gpu/cpu';
import { tolerances } from './agreement';
import { describeFixtures } from './fixtures-suite';

describeFixtures('CPU', async () => createCpuOps(), tolerances.cpu);
