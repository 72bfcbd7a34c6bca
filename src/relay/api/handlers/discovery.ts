import { ApiError, type RequestBody, type SuccessData, success } from '../../../contract/index.js';
import { discoveryVersion } from '../../../sdk/discovery/relay-descriptor.js';
import type { Discovery } from '../../discovery/discovery.js';
import type { Handlers } from '../app.js';
import { clientIp } from './sdk.js';

/** `/discovery` and `/discovery/announce`; without handlers, where discovery is off, both are `feature_unavailable`. */
export function discoveryHandlers(discovery: Discovery | undefined): Handlers {
  if (!discovery) return {};
  return {
    getDiscovery(request, response) {
      response.json(success(discovery.list(clientIp(request))));
    },

    async announceRelay(request, response) {
      const { protocol_version: version = discoveryVersion, descriptor } = request.body as RequestBody<'announceRelay'>;
      if (version !== discoveryVersion) {
        throw new ApiError('invalid_request', `only protocol_version ${discoveryVersion} is supported`);
      }
      const accepted = await discovery.announce(descriptor, clientIp(request));
      const data: SuccessData<'announceRelay'> = { protocol_version: discoveryVersion, accepted };
      response.json(success(data));
    },
  };
}
