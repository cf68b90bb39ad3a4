/** How people, programs and Macs prove who they are: tokens, fingerprints, keys, certificate requests, conditions over claims. */
import { CompactSign, generateKeyPair } from "jose";
import { makeCertificateRequest, makeKey } from "../../../agent/identity/key.ts";
import { readCondition } from "../../../server/access/oidc/claim-rule.ts";
import { proveToken } from "../../../server/access/oidc/issuer-tokens.ts";
import { readCertificateRequest } from "../../../server/enrolment/certificate-request.ts";
import { makeKeyText, parseKeys } from "../../../server/secrets/secret-key.ts";
import { formatClientToken, parseClientToken } from "../../../shared/client-token.ts";
import { MeridianError } from "../../../shared/errors.ts";
import { asTokenId } from "../../../shared/ids.ts";
import { parseFingerprint } from "../../../shared/tls/fingerprint.ts";
import { formatJoinToken, parseJoinToken } from "../../../shared/tls/join-token.ts";
import { bytesOf, decoder, expect, refusedBy, type TargetMaker, textOf, type Verdict } from "../target.ts";

const isDeclared = (error: unknown): boolean => error instanceof MeridianError;
const verdictOf = (answer: object): Verdict => ("problem" in answer ? "refused" : "decoded");
const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
const fingerprintText = `sha256:${"ab".repeat(32)}`;

function joinToken(addresses: readonly string[]): string {
  const caFingerprint = parseFingerprint(fingerprintText);
  if (caFingerprint === undefined) throw new Error("the sample is no fingerprint");
  return formatJoinToken({ addresses, caFingerprint, id: "token-abcdefghij", secret });
}

const joinTokens = decoder({
  name: "join-token",
  samples: bytesOf(joinToken(["127.0.0.1:7071"]), joinToken(["meridian.example.com:7071", "[::1]:7071"]), "mjt2.x"),
  judge(input) {
    const parsed = parseJoinToken(textOf(input));
    if ("problem" in parsed) return "refused";
    const again = parseJoinToken(formatJoinToken(parsed));
    expect(
      JSON.stringify(again) === JSON.stringify(parsed),
      "a join token says another thing when it is written again",
    );
    return "decoded";
  },
});

const clientTokens = decoder({
  name: "client-token",
  samples: bytesOf(formatClientToken({ id: asTokenId("token-abcdefghij"), secret }), "mst2.x.y.z"),
  judge: (input) => verdictOf(parseClientToken(textOf(input))),
});

const fingerprints = decoder({
  name: "fingerprint",
  samples: bytesOf(fingerprintText, fingerprintText.toUpperCase(), "AB:CD"),
  judge: (input) => (parseFingerprint(textOf(input)) === undefined ? "refused" : "decoded"),
});

const secretKeys = decoder({
  name: "secret-keys",
  samples: bytesOf(`# the newest first\n${makeKeyText()}\n${makeKeyText()}\n`, makeKeyText()),
  judge: (input) => verdictOf(parseKeys(textOf(input))),
});

const claims = {
  iss: "https://ci.example.com",
  sub: "repo:acme/app:ref:refs/heads/main",
  repository: "acme/app",
  ref: "refs/heads/main",
  groups: ["builders", "admins"],
  actor: { name: "kim", id: 7 },
};
const conditions = decoder({
  name: "claim-condition",
  samples: bytesOf(
    'repository == "acme/app" && ref == "refs/heads/main"',
    '"builders" in groups || groups.exists(g, g.startsWith("adm"))',
    "has(claims.actor) && claims.actor.id > 5 && size(groups) < 10",
    'ref.startsWith("refs/heads/") ? actor.name == "kim" : false',
  ),
  words: [
    "&&",
    "||",
    "!",
    "in",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".all(x, ",
    ".map(x, ",
    "has(",
    "'",
    "0x",
    "1u",
    "null",
    "?",
  ],
  judge(input) {
    const condition = readCondition(textOf(input));
    if ("problem" in condition) return "refused";
    condition.evaluate(claims);
    condition.evaluate({});
    return "decoded";
  },
});

const url = "https://ci.example.com";
const audience = "meridian.example.com";
const nowMs = 1_700_000_000_000;

const header = { alg: "ES256", kid: "key-1" };
const payload = {
  iss: url,
  aud: audience,
  sub: "job-7",
  exp: nowMs / 1000 + 300,
  nbf: nowMs / 1000,
  iat: nowMs / 1000,
};

/** A key of an issuer's: how it signs, and whether a token is proven by it. */
async function openIssuer() {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const expected = { name: "issuers/ci", url, audiences: [audience], key: () => publicKey, nowMs };
  return {
    sign: (content: Uint8Array): Promise<string> =>
      new CompactSign(content).setProtectedHeader(header).sign(privateKey),
    prove: (token: string): Promise<Verdict> => refusedBy(isDeclared, () => proveToken(token, expected)),
  };
}

const idTokens: TargetMaker = {
  name: "id-token",
  async open() {
    const { sign, prove } = await openIssuer();
    const payloads = [payload, { ...payload, aud: [audience, "x"] }, { ...payload, exp: 1 }];
    const tokens = await Promise.all(payloads.map((fields) => sign(Buffer.from(JSON.stringify(fields)))));
    return {
      name: "id-token",
      samples: bytesOf(...tokens),
      words: [".", "eyJhbGciOiJub25lIn0", "=", "-", "_"],
      judge: (input) => prove(textOf(input)),
    };
  },
};

/** Rightly signed, whatever they are, so that it is their content that is judged. */
const idTokenClaims: TargetMaker = {
  name: "id-token-claims",
  async open() {
    const { sign, prove } = await openIssuer();
    return {
      name: "id-token-claims",
      samples: bytesOf(JSON.stringify(payload), JSON.stringify({ ...payload, aud: [audience], groups: ["a"] })),
      judge: async (input) => prove(await sign(input)),
    };
  },
};

const certificateRequests: TargetMaker = {
  name: "certificate-request",
  async open() {
    const samples = await Promise.all([1, 2].map(async () => await makeCertificateRequest(await makeKey())));
    return {
      name: "certificate-request",
      samples,
      judge: (input) =>
        refusedBy(isDeclared, async () => {
          await (await readCertificateRequest(input)).verify();
        }),
    };
  },
};

export const accessTargets: readonly TargetMaker[] = [
  joinTokens,
  clientTokens,
  fingerprints,
  secretKeys,
  conditions,
  idTokens,
  idTokenClaims,
  certificateRequests,
];
