import { exposePorts } from '../own-route.js';
import { bulkOver } from './bulk.js';
import type { Scenario } from './scenario.js';

/** Bulk transfer over a lease's own TCP port, which nobody between visitor and service decrypts, as with `ssh -R`. */
export const rawTcp: Scenario = async (bench) => {
  const own = await exposePorts(bench.workshop, bench.relay, { tcp: bench.service.tls });
  const routes = [own, ...bench.routes.filter(({ name }) => name.startsWith('ssh -R'))];
  await bulkOver({ ...bench, routes }, 'raw TCP');
  bench.report.note(
    'raw TCP: both ends of the visitor’s TLS are visitor and service; ours passes bytes, as ssh -R does.',
  );
};
