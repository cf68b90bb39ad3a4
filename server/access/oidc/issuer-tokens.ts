/** Proves a token: that the issuer signed it, for this pool, and that its time is now. What is wrong is told word for word. */
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { MeridianError } from "../../../shared/errors.ts";

/** How far the issuer's clock may be from ours. */
export const clockSkewMs = 30_000;
/** As OpenID Connect bounds it. */
const subjectLengthMax = 255;

/** Signatures that only the issuer can make: none with a secret that both sides know, and not none. */
const algorithms = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

export interface ExpectedToken {
  /** The issuer, such as `issuers/github`. */
  readonly name: string;
  readonly url: string;
  readonly audiences: readonly string[];
  readonly key: JWTVerifyGetKey;
  readonly nowMs: number;
}

export interface ProvenToken {
  readonly subject: string;
  readonly claims: JWTPayload;
  /** From when on it is refused. */
  readonly expireTimeMs: number;
}

/** Rejects with CREDENTIALS_INVALID, or with what `key` rejects with. */
export async function proveToken(token: string, expected: ExpectedToken): Promise<ProvenToken> {
  const { url, audiences, key, nowMs } = expected;
  let claims: JWTPayload;
  try {
    ({ payload: claims } = await jwtVerify(token, key, {
      issuer: url,
      audience: [...audiences],
      algorithms,
      requiredClaims: ["exp", "sub"],
      clockTolerance: clockSkewMs / 1000,
      currentDate: new Date(nowMs),
    }));
  } catch (error) {
    if (error instanceof errors.JOSEError) throw refused(expected, problemOf(error, expected));
    throw error;
  }
  const { exp = 0 } = claims;
  // The library checks that it is there, and not what it is.
  const subject: unknown = claims.sub;
  if (typeof subject !== "string" || subject === "")
    throw refused(expected, "it does not say who its holder is (`sub`)");
  if (subject.length > subjectLengthMax || /\p{Cc}/u.test(subject)) {
    throw refused(expected, `its \`sub\` is longer than ${subjectLengthMax} characters, or not printable`);
  }
  return { subject, claims, expireTimeMs: exp * 1000 + clockSkewMs };
}

function problemOf(error: errors.JOSEError, { audiences, nowMs }: ExpectedToken): string {
  if (error instanceof errors.JWTExpired) return `it expired on ${timeOf(error.payload.exp)}`;
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, payload } = error;
    if (claim === "aud" && payload.aud !== undefined)
      return `it is for ${shown(payload.aud)}, and only ${shown(audiences)} is taken here`;
    if (claim === "nbf" && payload.nbf !== undefined) {
      return `it is not good before ${timeOf(payload.nbf)}, and it is ${new Date(nowMs).toISOString()} here`;
    }
    return payload[claim] === undefined ? `it has no \`${claim}\`` : `its \`${claim}\` is not as it should be`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return "it is signed by a method that is not taken (`alg`)";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  if (error instanceof errors.JWKSNoMatchingKey) return "it is signed with a key that its issuer does not have now";
  if (error instanceof errors.JWKSMultipleMatchingKeys) return "it does not say which key it is signed with (`kid`)";
  return "it cannot be read";
}

function refused({ name }: ExpectedToken, problem: string): MeridianError {
  return new MeridianError("CREDENTIALS_INVALID", `the token of ${name} is refused: ${problem}`, {
    metadata: { issuer: name },
  });
}

/** @param seconds what stands in the token, whatever it is. */
function timeOf(seconds: unknown): string {
  const time = new Date(typeof seconds === "number" ? seconds * 1000 : Number.NaN);
  return Number.isNaN(time.getTime()) ? "no date" : time.toISOString();
}

/** What a token says of itself is shown within bounds. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nobody").slice(0, 200);
}
