import assert from "node:assert/strict";
import type { Admission, Credentials } from "../../../../server/access/admission.ts";
import type { Caller } from "../../../../server/access/caller.ts";
import type { Binding } from "../../../../server/access/roles.ts";
import { TokenAdmission } from "../../../../server/access/token-admission.ts";
import { digestSecret, formatClientToken } from "../../../../shared/client-token.ts";
import { MeridianError } from "../../../../shared/errors.ts";
import { asServiceAccountId, asTokenId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { uidFor } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const ci = asServiceAccountId("ci");
const secret = "s".repeat(43);
const bearer = (id: string, given = secret): Credentials => ({
  authorization: `Bearer ${formatClientToken({ id: asTokenId(id), secret: given })}`,
  address: "10.0.0.7",
});

describe("the admission of service accounts", () => {
  let driver: PoolDriver;
  let admission: TokenAdmission;
  let changes: number;
  let asked: Credentials[];
  beforeEach(async () => {
    driver = await PoolDriver.open();
    await createAccount({ bindings: [{ role: "user", project: "acme" }] });
    await createToken("first", 90 * dayMs);
    await open();
  });
  afterEach(async () => {
    admission.close();
    await driver.close();
  });

  async function open(): Promise<void> {
    asked = [];
    const next: Admission = {
      admit: (credentials) => {
        asked.push(credentials);
        return { principal: "admin", authentication: "admin-token", address: "", bindings: [{ role: "admin" }] };
      },
      onChange: () => ({ cancel: () => undefined }),
    };
    const { engine, clock } = driver;
    admission = await TokenAdmission.open({ engine, clock, next });
    changes = 0;
    admission.onChange(() => {
      changes += 1;
    });
  }

  async function createAccount({ bindings }: { bindings: readonly Binding[] }): Promise<void> {
    const spec = { description: "", bindings, isDisabled: false };
    await driver.submit({ type: "service-account-create", id: ci, uid: uidFor("ci"), spec });
  }

  async function updateAccount(fields: { bindings?: readonly Binding[]; isDisabled?: boolean }): Promise<void> {
    const account = driver.view().serviceAccounts.get(ci);
    assert(account !== undefined);
    await driver.submit({
      type: "service-account-update",
      id: ci,
      baseGeneration: account.generation,
      spec: { ...account.spec, ...fields },
    });
  }

  async function createToken(id: string, lifetimeMs: number, othersEndInMs?: number): Promise<void> {
    await driver.submit({
      type: "token-create",
      id: asTokenId(id),
      uid: uidFor(id),
      account: ci,
      digest: digestSecret(secret),
      description: "",
      lifetimeMs,
      ...(othersEndInMs === undefined ? {} : { othersEndInMs }),
    });
  }

  /** Without a wait: the answer is there at once. */
  function admitted(credentials: Credentials): Caller {
    const caller = admission.admit(credentials);
    assert(!(caller instanceof Promise));
    return caller;
  }

  function refusedWith(credentials: Credentials, words: RegExp): void {
    assert.throws(
      () => admission.admit(credentials),
      (error) => error instanceof MeridianError && error.reason === "CREDENTIALS_INVALID" && words.test(error.message),
    );
  }

  it("knows who calls by his token, from where, and until when", () => {
    const { createTimeMs } = driver.view().tokens.get(asTokenId("first")) ?? {};
    assert.deepEqual(admitted(bearer("first")), {
      principal: "serviceAccounts/ci",
      authentication: "token",
      address: "10.0.0.7",
      bindings: [{ role: "user", project: "acme" }],
      expireTimeMs: (createTimeMs ?? 0) + 90 * dayMs,
    });
  });

  it("knows those that were there before it", async () => {
    admission.close();
    driver = await driver.restart();
    await open();
    assert.equal(admitted(bearer("first")).principal, "serviceAccounts/ci");
  });

  it("refuses a wrong secret in the words of an unknown token", () => {
    const words = (credentials: Credentials): string => {
      try {
        return `let in: ${admitted(credentials).principal}`;
      } catch (error) {
        return String(error);
      }
    };
    assert.match(words(bearer("first", "t".repeat(43))), /not known here/);
    assert.equal(words(bearer("first", "t".repeat(43))), words(bearer("other")));
  });

  it("says of a cut token that it is cut", () => {
    const { authorization = "", address } = bearer("first");
    refusedWith({ authorization: authorization.slice(0, -1), address }, /cut or altered/);
  });

  it("asks the admission behind it about everything else", () => {
    for (const authorization of [undefined, "Bearer mat1.abc", "Basic abc", "Bearer eyJ.a.b"]) {
      assert.equal(admitted({ authorization, address: "" }).principal, "admin");
    }
    assert.equal(asked.length, 4);
  });

  it("refuses a token once its time is over, says so for a week, and tells of its end", async () => {
    await createToken("short", hourMs);
    changes = 0;
    await driver.advance(hourMs - 1);
    assert.equal(admitted(bearer("short")).principal, "serviceAccounts/ci");
    await driver.advance(2);
    refusedWith(bearer("short"), /tokens\/short expired on 2026-01-01T01:00/);
    await driver.advance(minuteMs);
    assert.equal(changes, 1, "what goes on with it is asked again");
    await driver.advance(8 * dayMs);
    refusedWith(bearer("short"), /not known here/);
    assert.equal(driver.view().tokens.has(asTokenId("short")), false);
  });

  it("takes the token before as long as a rotation says, and no longer", async () => {
    await createToken("second", 90 * dayMs, hourMs);
    for (const id of ["first", "second"]) assert.equal(admitted(bearer(id)).principal, "serviceAccounts/ci");
    await driver.advance(hourMs + 1);
    refusedWith(bearer("first"), /expired/);
    assert.equal(admitted(bearer("second")).principal, "serviceAccounts/ci");
    await createToken("third", dayMs, 0);
    refusedWith(bearer("second"), /expired/);
    await createToken("fourth", dayMs, 2 * dayMs);
    assert.equal(
      driver.view().tokens.get(asTokenId("third"))?.expireTimeMs,
      driver.engine.nowMs() + dayMs,
      "as it was",
    );
  });

  it("refuses a token that was revoked, and those of an account that is disabled or gone", async () => {
    await createToken("second", dayMs);
    changes = 0;
    await driver.submit({ type: "token-revoke", id: asTokenId("second") });
    refusedWith(bearer("second"), /not known here/);
    assert.equal(changes, 1);
    await updateAccount({ isDisabled: true });
    refusedWith(bearer("first"), /serviceAccounts\/ci is disabled/);
    await updateAccount({ isDisabled: false });
    assert.equal(admitted(bearer("first")).principal, "serviceAccounts/ci");
    await driver.submit({ type: "service-account-delete", id: ci });
    refusedWith(bearer("first"), /not known here/);
    assert.equal(driver.view().tokens.size, 0, "its tokens go with it");
    // An account of the same name is another one.
    await createAccount({ bindings: [{ role: "admin" }] });
    refusedWith(bearer("first"), /not known here/);
  });

  it("gives new roles at once", async () => {
    await updateAccount({ bindings: [{ role: "operator" }] });
    assert.deepEqual(admitted(bearer("first")).bindings, [{ role: "operator" }]);
    assert.equal(changes, 1);
  });

  it("tells when tokens were used, at most once a minute, and asks nobody again for it", async () => {
    const lastUse = (): number | undefined => driver.view().tokens.get(asTokenId("first"))?.lastUseTimeMs;
    const revision = driver.view().revision;
    for (let count = 0; count < 1000; count += 1) admitted(bearer("first"));
    const firstUseMs = driver.engine.nowMs();
    await driver.advance(1);
    assert.equal(lastUse(), firstUseMs, "the first use is told at once");
    assert.equal(driver.view().revision, revision + 1);
    for (let second = 0; second < 120; second += 1) {
      admitted(bearer("first"));
      await driver.advance(1000);
    }
    assert.ok(driver.view().revision <= revision + 3, `${driver.view().revision - revision} changes in two minutes`);
    assert.ok((lastUse() ?? 0) >= firstUseMs + minuteMs);
    assert.equal(changes, 0);
  });
});

describe("tokens of a service account", () => {
  it("are at most twenty that are good, and give way when they have expired", async () => {
    const driver = await PoolDriver.open();
    await driver.submit({
      type: "service-account-create",
      id: ci,
      uid: uidFor("ci"),
      spec: { description: "", bindings: [], isDisabled: false },
    });
    const token = (index: number, lifetimeMs: number) => ({
      type: "token-create" as const,
      id: asTokenId(`t${index}`),
      uid: uidFor(`t${index}`),
      account: ci,
      digest: digestSecret(secret),
      description: "",
      lifetimeMs,
    });
    for (let index = 0; index < 20; index += 1) await driver.submit(token(index, index === 7 ? hourMs : dayMs));
    await driver.refuses(token(20, dayMs), "LIMIT_REACHED");
    await driver.advance(hourMs + 1);
    await driver.submit(token(20, dayMs));
    assert.equal(driver.view().tokens.has(asTokenId("t7")), false);
    await driver.refuses(token(21, dayMs), "LIMIT_REACHED");
    await driver.close();
  });
});
