export * from './document.js';
export * from './envelope.js';
export * from './errors.js';
export * from './operations.js';
