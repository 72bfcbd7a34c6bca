/** Limits of thumbnails, with units. The capture process reads them too. */

/** Viewport in CSS pixels. */
export const viewport = { width: 1_280, height: 800 };
/** Device pixels per CSS pixel. */
export const pictureScale = 0.5;
/** JPEG, 0 to 100. */
export const pictureQuality = 80;
/** Deadline for each of: the response, loading and rendering. */
export const pageLoadTimeoutMs = 8_000;

/** From the start of the browser to its end. */
export const captureTimeoutMs = 30_000;
export const maxPictureBytes = 524_288;
/** Resident memory of the browser and all its processes. */
export const maxCaptureMemoryBytes = 1_073_741_824;
export const memoryCheckIntervalMs = 200;
/** Most bytes that one capture may transfer. */
export const maxProxyBytes = 33_554_432;
export const maxProxyConnections = 32;
export const proxyHeadTimeoutMs = 5_000;

/** Age after which a request triggers a new capture, and the wait after a failed one. */
export const pictureFreshMs = 300_000;
/** Most captures in the queue; they run one at a time. */
export const maxQueuedCaptures = 64;
/** Most bytes of all stored thumbnails. */
export const maxPicturesBytes = 67_108_864;
/** Most failures remembered. */
export const maxPictures = 10_000;
