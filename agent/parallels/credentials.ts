/** What the agent was given to prove itself to the local service, in the one shape that the service takes. */
import { ParallelsError } from "./api.ts";

/** Either an API key or a user with a password. */
export type Credentials =
  | { readonly apiKey: string }
  | {
      /** A user name, or an e-mail address. */
      readonly username: string;
      readonly password: string;
    };

/** How to log in: the body of POST /auth/token, and the key itself if there is one. */
export interface Login {
  readonly body: Readonly<Record<string, string>>;
  /** For `X-Api-Key`; nothing when a user logs in. */
  readonly apiKey?: string;
  /** All that must never be shown. */
  readonly secrets: readonly string[];
}

/** @param credentials an API key is either `key:secret` or the base64 form of that, which has no colon. */
export function prepareLogin(credentials: Credentials): Login {
  if ("apiKey" in credentials) {
    const given = credentials.apiKey.trim();
    if (given === "") throw new ParallelsError("unauthorised", "the API key is empty");
    const apiKey = given.includes(":") ? Buffer.from(given, "utf8").toString("base64") : given;
    const [, secret = ""] = Buffer.from(apiKey, "base64").toString("utf8").split(/:(.*)/s);
    return { body: { api_key: apiKey }, apiKey, secrets: [apiKey, given, secret] };
  }
  const { username, password } = credentials;
  if (username === "" || password === "") throw new ParallelsError("unauthorised", "the user or the password is empty");
  // A user logs in by either field; only an e-mail address has an "@".
  const body = username.includes("@") ? { email: username, password } : { username, password };
  return { body, secrets: [password] };
}
