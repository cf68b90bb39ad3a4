import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import type { SettingsSpec } from "../../../../../server/pool/settings/settings.ts";
import { RetryInfoSchema } from "../../../../../shared/gen/es/google/rpc/error_details_pb.ts";
import { AccessService } from "../../../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { EventService } from "../../../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { VmStatus_State } from "../../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { vmCreate } from "../../../../support/pool/specs.ts";
import { ScriptedAdmission } from "../../../../support/server/scripted-admission.ts";
import { fronts, refusalOf, refused, ServedApi } from "../../../../support/server/served-api.ts";

type Limits = NonNullable<SettingsSpec["limits"]>;

describe("the limits of callers", () => {
  let api: ServedApi;
  let admission: ScriptedAdmission;
  beforeEach(async () => {
    admission = new ScriptedAdmission();
    for (const token of ["noisy", "quiet"]) admission.set(token, [{ role: "user", project: "acme" }]);
    api = await ServedApi.open({ admission });
  });
  afterEach(() => api.close());

  const as = (token: string): { readonly headers: Record<string, string>; readonly signal: AbortSignal } => ({
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(10_000),
  });
  const whoAmI = (token: string, front: (typeof fronts)[number] = "grpc"): Promise<unknown> =>
    api.client(AccessService, front).whoAmI({}, as(token));

  async function set(limits: Limits): Promise<void> {
    await api.driver.set({ limits });
  }

  /** Asserts a refusal that is answered late, once its time has come; how long to wait then, in ms. */
  async function limited(call: Promise<unknown>, limit: string): Promise<number> {
    const outcome = call.then(
      () => undefined,
      (error: unknown) => error,
    );
    const error = await moving(outcome);
    assert(error instanceof ConnectError, "the call was refused");
    assert.equal(error.code, Code.ResourceExhausted);
    const { reason, metadata } = refusalOf(error);
    assert.deepEqual([reason, metadata["limit"]], ["LIMIT_REACHED", limit]);
    const [retry] = error.findDetails(RetryInfoSchema);
    assert(retry?.retryDelay !== undefined, "it says when to try again");
    return Number(retry.retryDelay.seconds) * 1000 + retry.retryDelay.nanos / 1e6;
  }

  /** Moves the clock, a little at a time, until the work is done. */
  async function moving<T>(work: Promise<T>): Promise<T> {
    const progress = { isDone: false };
    void work.finally(() => {
      progress.isDone = true;
    });
    while (!progress.isDone) {
      await api.driver.settle();
      // Only refusals that are held back, and what is gathered of them, wait for time here.
      if (api.door.heldBack > 0) await api.driver.advance(10);
    }
    return await work;
  }

  for (const front of fronts) {
    it(`hold one identity to its rate, and no other, by ${front}`, async () => {
      await set({ callsPerIdentity: 2, burstMs: 2_000 });
      for (let count = 0; count < 4; count += 1) await whoAmI("noisy", front);
      const waitMs = await limited(whoAmI("noisy", front), "calls_per_identity");
      assert.ok(waitMs > 0 && waitMs <= 500, `${waitMs} ms`);
      await whoAmI("quiet", front);
      await api.driver.advance(1_000);
      await whoAmI("noisy", front);
    });
  }

  it("hold all identities of one address together to its rate, which what one is refused does not touch", async () => {
    await set({ callsPerIdentity: 3, callsPerAddress: 5, burstMs: 1_000 });
    for (let count = 0; count < 3; count += 1) await whoAmI("noisy");
    const noise = Array.from({ length: 3 }, () => refused(whoAmI("noisy"), "LIMIT_REACHED"));
    while (api.door.heldBack < noise.length) await api.driver.settle();
    for (let count = 0; count < 2; count += 1) await whoAmI("quiet");
    await limited(whoAmI("quiet"), "calls_per_address");
    for (const { metadata } of await moving(Promise.all(noise))) assert.equal(metadata["limit"], "calls_per_identity");
  });

  it("count what a call brings as calls too: four resources one", async () => {
    for (let count = 0; count < 40; count += 1) await api.driver.submit(vmCreate(`a-${count}`, { project: "acme" }));
    await set({ callsPerIdentity: 10, burstMs: 1_000 });
    const vms = api.client(VmService);
    await vms.listVms({ pageSize: 4 }, as("quiet"));
    for (let count = 0; count < 8; count += 1) await whoAmI("quiet");
    assert.equal((await vms.listVms({}, as("noisy"))).vms.length, 40);
    const waitMs = await limited(whoAmI("noisy"), "calls_per_identity");
    assert.equal(Math.round(waitMs), 200, "12 calls in all, of 10");
  });

  it("take effect when the settings change, and are none on a server that asks nobody", async () => {
    await set({ callsPerIdentity: 1, burstMs: 1_000 });
    await whoAmI("noisy");
    await limited(whoAmI("noisy"), "calls_per_identity");
    await set({ callsPerIdentity: 1_000_000 });
    for (let count = 0; count < 50; count += 1) await whoAmI("noisy");
    const insecure = await ServedApi.open();
    await insecure.driver.set({ limits: { callsPerIdentity: 1, callsPerAddress: 1, burstMs: 1_000 } });
    await Promise.all(Array.from({ length: 50 }, () => insecure.client(AccessService).whoAmI({})));
    await insecure.close();
  });

  for (const front of fronts) {
    it(`hold one identity to a number of streams, until one of them ends, by ${front}`, async () => {
      await set({ streamsPerIdentity: 2 });
      const events = api.client(EventService, front);
      const leave = new AbortController();
      const open = async (token: string, signal = leave.signal): Promise<void> => {
        const watch = events.watchEvents({}, { ...as(token), signal })[Symbol.asyncIterator]();
        await watch.next();
      };
      const first = new AbortController();
      await open("noisy", first.signal);
      await open("noisy");
      assert.ok((await limited(open("noisy"), "streams_per_identity")) > 0);
      await open("quiet");
      first.abort();
      while (api.calls.count > 2) await api.driver.settle();
      await open("noisy");
      leave.abort();
    });
  }

  it("hold one identity to a number of waits, and let other calls through", async () => {
    await set({ waitsPerIdentity: 1 });
    await api.driver.submit(vmCreate("a", { project: "acme" }));
    const vms = api.client(VmService);
    const wait = { name: "vms/a", states: [VmStatus_State.RUNNING], timeout: { seconds: 600n } };
    const leave = new AbortController();
    const waiting = vms.waitVm(wait, { ...as("noisy"), signal: leave.signal }).catch(() => undefined);
    while (api.calls.count < 1) await api.driver.settle();
    await api.driver.settle();
    await limited(vms.waitVm(wait, as("noisy")), "waits_per_identity");
    await whoAmI("noisy");
    leave.abort();
    await waiting;
    while (api.calls.count > 0) await api.driver.settle();
    const second = vms.waitVm({ ...wait, states: [VmStatus_State.PENDING] }, as("noisy"));
    assert.equal((await second).vm?.name, "vms/a");
  });

  for (const front of fronts) {
    it(`slow down failed logins of an address, and let in who proves who he is, by ${front}`, async () => {
      await set({ failedLoginsPerAddress: 60 });
      for (let count = 0; count < 10; count += 1) await refused(whoAmI("guess", front), "CREDENTIALS_INVALID");
      const waitMs = await limited(whoAmI("guess", front), "failed_logins_per_address");
      assert.ok(waitMs > 0 && waitMs <= 1_000, `${waitMs} ms`);
      await whoAmI("quiet", front);
      await api.driver.advance(5_000);
      await refused(whoAmI("guess", front), "CREDENTIALS_INVALID");
    });
  }

  it("hold refusals back for as long as is to be waited, and a second at most", async () => {
    await set({ callsPerIdentity: 1, burstMs: 1_000 });
    await whoAmI("noisy");
    let isAnswered = false;
    const call = refused(whoAmI("noisy"), "LIMIT_REACHED").finally(() => {
      isAnswered = true;
    });
    while (api.door.heldBack === 0) await api.driver.settle();
    await api.driver.advance(900);
    assert.equal(isAnswered, false);
    await api.driver.advance(200);
    await call;
    assert.equal(api.door.heldBack, 0);
  });

  it("are told of in the audit", async () => {
    await set({ callsPerIdentity: 1, burstMs: 1_000 });
    await whoAmI("noisy");
    await limited(whoAmI("noisy"), "calls_per_identity");
    await api.driver.advance(2_000);
    const told = [...api.driver.view().history.pagesFrom(0)].flatMap(({ entries }) => entries).at(-1);
    assert.deepEqual(
      [told?.action, told?.code, told?.reason, told?.caller?.principal],
      ["WhoAmI", "RESOURCE_EXHAUSTED", "LIMIT_REACHED", "serviceAccounts/noisy"],
    );
  });
});
