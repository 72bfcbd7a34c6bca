/** Loaded into processes whose memory is measured: SIGUSR2 has them collect their garbage. Needs `--expose-gc`. */
process.on('SIGUSR2', () => {
  globalThis.gc?.();
  globalThis.gc?.();
});
