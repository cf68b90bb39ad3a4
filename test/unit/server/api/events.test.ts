import assert from "node:assert/strict";
import { watchEvents } from "../../../../server/api/events/event-watch.ts";
import { Event_Kind, EventService } from "../../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { WatchEventType } from "../../../../shared/gen/es/meridian/v1/types_pb.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { vmCreate, vmWant } from "../../../support/pool/specs.ts";
import { fronts, refused, ServedApi, take } from "../../../support/server/served-api.ts";

describe("EventService", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
  });
  afterEach(() => api.close());

  const events = (front: (typeof fronts)[number] = "grpc"): ReturnType<typeof api.client<typeof EventService>> =>
    api.client(EventService, front);

  it("lists what happened, the oldest first, and says how far the history reaches", async () => {
    await api.driver.submit(vmCreate("a"));
    await api.driver.submit(vmCreate("b"));
    await api.driver.submit(vmWant("a", "deleted"));
    const { events: listed, revision, oldestRevision } = await events().listEvents({});
    assert.deepEqual(
      listed.map(({ resource, from, to }) => `${resource} ${from}>${to}`),
      ["vms/a >PENDING", "vms/b >PENDING", "vms/a PENDING>DELETED"],
    );
    assert.equal(revision, BigInt(api.driver.view().revision));
    assert.equal(oldestRevision, 0n);
    assert.ok(listed.every(({ kind, result }) => kind === Event_Kind.LIFECYCLE && result === ""));
    assert.match(listed[0]?.name ?? "", /^events\/\d+-0$/);
  });

  it("pages through the history in both directions without losing or repeating anything", async () => {
    await Promise.all(Array.from({ length: 25 }, (_, index) => api.driver.engine.submit(vmCreate(`vm-${index}`))));
    for (let index = 0; index < 9; index += 1) await api.driver.submit(vmWant(`vm-${index}`, "deleted"));
    const all = (await events().listEvents({})).events.map(({ name }) => name);
    assert.equal(all.length, 34);
    for (const orderBy of ["revision", "revision desc"]) {
      const paged: string[] = [];
      let pageToken = "";
      do {
        const page = await events().listEvents({ pageSize: 4, pageToken, orderBy });
        paged.push(...page.events.map(({ name }) => name));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      assert.deepEqual(paged, orderBy === "revision" ? all : all.toReversed());
    }
  });

  it("lists by filter, and refuses filters, orders and tokens that mean nothing", async () => {
    await api.driver.submit(vmCreate("a"));
    await api.driver.submit(vmCreate("b"));
    const { events: ofA } = await events().listEvents({ filter: 'resource = "vms/a" AND kind = LIFECYCLE' });
    assert.deepEqual(
      ofA.map(({ resource }) => resource),
      ["vms/a"],
    );
    await refused(events().listEvents({ filter: "colour = red" }), "EXPRESSION_INVALID");
    await refused(events().listEvents({ orderBy: "reason" }), "EXPRESSION_INVALID");
    await refused(events().listEvents({ pageToken: "x" }), "PAGE_TOKEN_INVALID");
    await refused(events().listEvents({ pageSize: 1001 }), "FIELD_INVALID");
  });

  for (const front of fronts) {
    it(`watches from the beginning, then what comes, by ${front}`, async () => {
      await api.driver.submit(vmCreate("a"));
      const reading = take(events(front).watchEvents({}), 3);
      await api.driver.submit(vmCreate("b"));
      const told = await reading;
      const resources = told.filter(({ type }) => type === WatchEventType.ADDED).map(({ event }) => event?.resource);
      assert.deepEqual(resources, ["vms/a", "vms/b"]);
    });
  }

  it("watches from any revision that is kept, also one that other watches no longer have", async () => {
    await api.driver.submit(vmCreate("a"));
    const from = BigInt(api.driver.view().revision);
    await api.driver.submit(vmCreate("b"));
    const told = await take(events().watchEvents({ fromRevision: from }), 1);
    assert.equal(told[0]?.event?.resource, "vms/b");
    assert.ok((told[0]?.revision ?? 0n) > from);
  });

  it("watches from before the server's start, which no other watch can", async () => {
    const first = await PoolDriver.open();
    await first.submit(vmCreate("a"));
    const from = BigInt(first.view().revision);
    await first.submit(vmCreate("b"));
    const pool = await first.restart();
    const { engine, clock } = pool;
    const { signal } = new AbortController();
    await assert.rejects(engine.follow(Number(from), signal)[Symbol.asyncIterator]().next(), {
      reason: "REVISION_TOO_OLD",
    });
    const watch = watchEvents({ engine, clock }, { filter: "", fromRevision: from, signal, isVisible: () => true });
    const told = await watch.next();
    assert.equal(told.value?.event?.resource, "vms/b");
    await watch.return(undefined);
    await pool.close();
  });

  it("refuses a revision that was never reached, and one that is no longer kept", async () => {
    await api.driver.submit(vmCreate("a"));
    await refused(take(events().watchEvents({ fromRevision: 1_000_000n }), 1), "REVISION_TOO_OLD");
    const first = BigInt(api.driver.view().revision);
    for (const name of ["b", "c"]) await api.driver.submit(vmCreate(name));
    api.driver.view().dropOldHistory({ entriesMax: 1, fromMs: 0 });
    await api.driver.submit(vmCreate("d"));
    const error = await refused(take(events().watchEvents({ fromRevision: first }), 1), "REVISION_TOO_OLD");
    assert.match(error.message, /begin there, or with 0 for all/);
    const [kept] = await take(events().watchEvents({}), 1);
    assert.equal(kept?.event?.resource, "vms/c");
  });
});
