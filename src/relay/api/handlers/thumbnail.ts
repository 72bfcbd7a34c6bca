import { ApiError } from '../../../contract/index.js';
import type { Thumbnails } from '../../thumbnails/thumbnails.js';
import type { Handlers } from '../app.js';

/** `/thumbnail/{hostname}`; without a handler, where the operator has named no browser, it is `feature_unavailable`. */
export function thumbnailHandlers(thumbnails: Thumbnails | undefined): Handlers {
  if (!thumbnails) return {};
  return {
    getThumbnail(request, response) {
      const picture = thumbnails.get(String(request.params['hostname']).toLowerCase());
      if (!picture) throw new ApiError('not_found', 'there is no such service, or no picture of it yet');
      response.set({
        'Content-Type': 'image/jpeg',
        'Cache-Control': 'public, max-age=300',
        'X-Content-Type-Options': 'nosniff',
      });
      response.send(picture);
    },
  };
}
