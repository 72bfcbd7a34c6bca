type Kept<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** A copy without the undefined properties, as the types of the contract require. */
export function withoutUndefined<T extends object>(properties: T): Kept<T> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as Kept<T>;
}
