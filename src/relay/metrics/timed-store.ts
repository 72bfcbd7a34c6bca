/** Called for each store call with its name, its duration and whether it failed. */
export type StoreObserver = (call: string, seconds: number, failed: boolean) => void;

/** Wraps a store and times each of its calls, including those of its parts. */
export function timedStore<Store extends object>(store: Store, observe: StoreObserver): Store {
  const parts = new Map<object, object>();
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member === 'object' && member !== null) {
        const part = parts.get(member) ?? timedStore(member, observe);
        parts.set(member, part);
        return part;
      }
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      return (...args: unknown[]) => {
        const began = performance.now();
        const done = (failed: boolean) => observe(name, (performance.now() - began) / 1000, failed);
        let result: unknown;
        try {
          result = member.apply(target, args);
        } catch (error) {
          done(true);
          throw error;
        }
        if (!(result instanceof Promise)) {
          done(false);
          return result;
        }
        return result.then(
          (value: unknown) => {
            done(false);
            return value;
          },
          (error: unknown) => {
            done(true);
            throw error;
          },
        );
      };
    },
  });
}
