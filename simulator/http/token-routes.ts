/** The exchange of a password or an API key for a token. */
import { ServiceError } from "../service-error.ts";
import type { Credentials } from "./credentials.ts";
import { readFields, text } from "./fields.ts";
import type { Route } from "./route.ts";

export function createTokenRoutes(credentials: Credentials): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/auth/token",
      access: "anyone",
      errors: "diagnostics",
      handle: async ({ body }) => {
        const fields = readFields(body);
        const apiKey = text(fields, "api_key");
        const user = text(fields, "email") || text(fields, "username");
        if (apiKey === "" && user === "") throw new ServiceError(400, "Invalid request body: missing credentials");
        if (apiKey !== "") {
          if (!credentials.isApiKey(apiKey)) throw new ServiceError(401, "Invalid API key");
        } else if (!credentials.isRoot(user, text(fields, "password"))) {
          // The password's error is none of the service's own, which makes it a 404.
          throw new ServiceError(404, credentials.isKnownUser(user) ? wrongPassword : `User ${user} not found`);
        }
        const { token, expiresAtSeconds } = credentials.createToken();
        return { status: 200, body: { email: "root@localhost", token, expires_at: expiresAtSeconds } };
      },
    },
    {
      method: "POST",
      path: "/auth/token/validate",
      access: "anyone",
      errors: "diagnostics",
      handle: async ({ body }) => {
        const valid = credentials.isValidToken(text(readFields(body), "token"));
        if (!valid) throw new ServiceError(401, "Invalid token");
        return { status: 200, body: { valid } };
      },
    },
  ];
}

const wrongPassword = "crypto/bcrypt: hashedPassword is not the hash of the given password";
