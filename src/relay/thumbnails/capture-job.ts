/** The input of the process that takes one screenshot. */
export interface CaptureJob {
  /** The browser's executable. */
  chromium: string;
  url: string;
  /** `host:port` of the proxy, the only thing that the browser can reach. */
  proxy: string;
  /** Base64 of the SHA-256 of a public key whose certificates count as valid, for development certificates. */
  trustedKey?: string | undefined;
}

/** Environment variable with the user and group id that the program switches to. */
export const userVariable = 'PORTAL_CAPTURE_USER';
