/** Limits of thumbnails, each with its unit. The process that takes a picture reads them as well. */

/** What the page believes its window to be, in CSS pixels. */
export const viewport = { width: 1_280, height: 800 };
/** Pixels of the picture for each of those. */
export const pictureScale = 0.5;
/** JPEG, 0 to 100. */
export const pictureQuality = 80;
/** How long the page may take to answer, to load and to be drawn, each. */
export const pageLoadTimeoutMs = 8_000;

/** From the start of the browser to its end. */
export const captureTimeoutMs = 30_000;
export const maxPictureBytes = 524_288;
/** Of the browser and all its processes, resident. */
export const maxCaptureMemoryBytes = 1_073_741_824;
export const memoryCheckIntervalMs = 200;
/** What a picture taken may transfer. */
export const maxProxyBytes = 33_554_432;
export const maxProxyConnections = 32;
export const proxyHeadTimeoutMs = 5_000;

/** How old a picture is before the next request has a new one taken, and how long one that failed is not tried again. */
export const pictureFreshMs = 300_000;
/** Pictures that wait to be taken, one at a time. */
export const maxQueuedCaptures = 64;
/** All pictures that are kept. */
export const maxPicturesBytes = 67_108_864;
/** Failures remembered. */
export const maxPictures = 10_000;
