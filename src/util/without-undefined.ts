type Kept<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** The same properties but for those that are undefined: absent, as the contract's types want them. */
export function withoutUndefined<T extends object>(properties: T): Kept<T> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as Kept<T>;
}
