import { ApiError } from '../../../contract/index.js';
import type { LandingPage } from '../../landing/landing-page.js';
import { type LandingQuery, landingPolicy } from '../../landing/page.js';
import type { Handlers } from '../app.js';
import { clientIp } from './sdk.js';

/** `GET /`: the landing page. */
export function landingHandlers(page: LandingPage): Handlers {
  return {
    getLandingPage(request, response) {
      const text = page.render(clientIp(request), request.query as unknown as LandingQuery);
      if (text === undefined) throw new ApiError('not_found', 'this relay has no landing page');
      response.set({
        'Content-Security-Policy': landingPolicy,
        'X-Content-Type-Options': 'nosniff',
        'X-Frame-Options': 'DENY',
        'Referrer-Policy': 'no-referrer',
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cache-Control': 'no-store',
      });
      response.type('html').send(text);
    },
  };
}
