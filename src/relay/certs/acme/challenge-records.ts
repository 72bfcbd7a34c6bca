/** Where the records of ACME's challenge `dns-01` are set (RFC 8555 8.4). */
export interface ChallengeRecords {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** @param name without a dot at the end @param value of a TXT record beside others of this name */
  add(name: string, value: string, signal: AbortSignal): Promise<void>;
  remove(name: string, value: string): Promise<void>;
}
